"""Keeping the files of one container at those of the working tree, over one session with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubekit.api.kube import Kube
from kubekit.dev.agent import PROGRAM, Agent
from kubekit.dev.difference import Difference, difference
from kubekit.dev.entries import Entries, Entry
from kubekit.dev.memory import give_back
from kubekit.dev.probe import Probe
from kubekit.dev.syncerrors import (
    ChangedError,
    DriftError,
    OvertakenError,
    SilentError,
    not_writable,
    refusal,
)
from kubekit.dev.tree import Tree
from kubekit.errors import Place
from kubekit.model import Cancel, Object, SyncRule
from kubekit.streams.exec import BrokenError, EndedError, Exec, GoneError

_WRITABLE = ("fine", "missing")
_WHY = {"denied": "permission denied", "readonly": "read-only file system"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What the container's Python says against a file.

    Attributes:
        place: in the working tree.
        text: the line; empty if there is none to show.
        message: such as ``SyntaxError: invalid syntax``.
    """

    place: Place
    text: str
    message: str


@dataclass(frozen=True, kw_only=True)
class SyncOutcome:
    """What became of one sync.

    Attributes:
        files: how many paths were written or deleted.
        size: bytes of content sent.
        seconds: that all of it took.
        mode: how the app took it, as in `kubekit.events.Synced`; empty after a failure.
        why: why it was not warm.
        faults: the files that Python cannot compile; then nothing was written.
        failed: what the app's new code died of, a traceback; then the files are written.
        kept: of what was not taken: the old code still serves; None if that is not known.
        ready: whether the app answered its probe in time; None if it was not asked.
        met: what it answered last.
        exact: whether the container had all of it by itself, as it told when it was first asked;
            None if that was before.
    """

    files: int = 0
    size: int = 0
    seconds: float = 0.0
    mode: str = "none"
    why: str = ""
    faults: tuple[Fault, ...] = ()
    failed: str | None = None
    kept: bool | None = None
    ready: bool | None = None
    met: str = ""
    exact: bool | None = None

    @property
    def well(self) -> bool:
        """Whether the app runs with what was synced."""
        return not self.faults and self.failed is None and self.ready is not False


@dataclass
class _Told:
    """What an agent answered to one change set."""

    written: bool = False
    overtaken: bool = False
    fields: dict[str, object] = field(default_factory=dict)


class PodSync:
    """One container of one pod; `bring` is called by one thread at a time.

    Deleted is only what was in the image's tree or came from here: what was made in the image, or
    by the app, stays.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        pod: str,
        container: str,
        *,
        python: str,
        rules: Sequence[SyncRule],
        known: Collection[str] = (),
        probe: Probe | None = None,
        patience: float = 75.0,
        program: str = PROGRAM,
    ) -> None:
        """Nothing is opened yet.

        Args:
            kube: the cluster.
            namespace: of the pod.
            pod: its name.
            container: the container's.
            python: the interpreter in it that runs the app, so that it compiles as the app does.
            rules: where the destinations are.
            known: the paths of the tree that the container's image was built from; not copied.
            probe: how to see that the app answers after a reload.
            patience: seconds for a reload, and for the app to answer: more than the supervisor
                gives a program to start, so that it is the one to say that it did not.
            program: where the agent lies in the container.
        """
        self._kube = kube
        self._container = (namespace, pod, container)
        # Isolated from the project's own modules and settings, and without its packages.
        self._command = (python, "-I", "-S", "-W", "ignore", program)
        self._where = f"container `{container}` of Pod `{pod}`"
        self._dests = tuple(dict.fromkeys(rule.place for rule in rules))
        self._image = known
        self._entries = Entries(())  # what was wanted last
        self._gone: set[str] = set()  # what was wanted before that and is no more
        self._probe = probe
        self._patience = patience
        self._agent: Agent | None = None
        self._have: Mapping[str, Entry] | None = None
        self._asked = False
        self._exact: bool | None = None
        self._owed = False
        self._newer: Callable[[], bool] | None = None
        self._waits: Callable[[str], None] | None = None

    def bring(
        self,
        tree: Tree,
        *,
        reload: bool,
        cancel: Cancel | None = None,
        newer: Callable[[], bool] | None = None,
        waits: Callable[[str], None] | None = None,
    ) -> SyncOutcome:
        """Bring the container to the tree, and have the app take it.

        The difference is to what the container has by its own account, asked for once a session.

        Args:
            tree: all that should be there.
            reload: have the app reloaded if anything changes.
            cancel: gives up, from another thread; the next sync then begins with a new session.
            newer: says whether something newer is to come; then an app that takes long to start
                is not waited for, once the files are in place.
            waits: is told the line that such an app is in, "" if that is not known.

        Raises:
            OvertakenError: the files are there, and what the app made of them is not known.
            GoneError: the container does not run (any more), or is about to end.
            NoPythonError: it has no Python: rebuild instead.
            SyncError: it cannot be written; the subclasses say why.
            ChangedError: the tree changed meanwhile; read it again.
            ApiError: this user may not run programs in pods.
            TransientError: the API server cannot be reached, or the connection broke twice.
            CancelledError: the run was interrupted, or `cancel` was set.
        """
        began = time.monotonic()
        self._newer, self._waits = newer, waits
        self._learn(tree.entries)
        try:
            try:
                told = self._brought(tree, reload, cancel)
            except (BrokenError, EndedError, SilentError, DriftError):
                # A session may have broken long ago, or somebody else been at the files. A new
                # session says whether the container is there, and what it has.
                self._hang_up()
                told = self._again(tree, reload, cancel)
        except BaseException:
            self._hang_up()
            raise
        if told.overtaken:
            raise OvertakenError
        exact, self._exact = self._exact, None
        told.fields |= {"seconds": time.monotonic() - began, "exact": exact}
        return SyncOutcome(**told.fields)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Have the next sync ask the container anew what it has."""
        self._have = None

    def close(self) -> None:
        """End the session."""
        self._hang_up()

    def _hang_up(self) -> None:
        self._have = None
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def _again(self, tree: Tree, reload: bool, cancel: Cancel | None) -> _Told:
        try:
            return self._brought(tree, reload, cancel)
        except EndedError as error:
            raise BrokenError(error.message, details=error.details) from error

    def _brought(self, tree: Tree, reload: bool, cancel: Cancel | None) -> _Told:
        agent = self._session(cancel)
        wanted = _ours(tree.entries, agent.mounts)
        fresh = self._have is None
        if self._have is None:
            self._have = self._found(agent)
        changes = difference(self._have, wanted)
        if not self._asked:
            self._asked, self._exact = True, not changes.count
        told = _Told()
        if not changes.count:
            self._have = wanted  # which is the same, and in memory anyway
            if fresh:
                give_back(len(wanted))
            if not (self._owed and reload):
                return told
        owed, self._owed = self._owed, self._owed or reload
        try:
            self._sync(agent, changes, tree, told)
        except ChangedError:
            self._owed = owed  # nothing was written
            raise
        if told.fields.get("faults"):
            self._owed = owed
        if told.written:
            self._have = wanted
        return told

    def _learn(self, wanted: Entries) -> None:
        before, self._entries = self._entries, wanted
        self._gone |= {path for path in wanted.differing(before) if path not in wanted}

    def _found(self, agent: Agent) -> Mapping[str, Entry]:
        """What the container has of all that was ever ours there."""
        tops = _tops(agent.mounts)
        known = {*self._image, *self._entries, *self._gone}
        return agent.find(sorted(path for path in known if not _is_in(path, tops)))

    def _session(self, cancel: Cancel | None) -> Agent:
        if self._agent is None:
            self._agent = self._opened(cancel)
            for dest, state in self._agent.states.items():
                if state not in _WRITABLE:
                    raise not_writable(dest, _WHY.get(state, state.lower()), self._where)
        self._agent.use(cancel)
        return self._agent

    def _opened(self, cancel: Cancel | None) -> Agent:
        program = Exec(self._kube, *self._container, self._command)
        try:
            return Agent(program, dests=self._dests, cancel=cancel)
        except BaseException:
            program.close()
            raise

    def _sync(self, agent: Agent, changes: Difference, tree: Tree, told: _Told) -> None:
        answers = agent.sync(
            changes,
            tree,
            reload=self._owed,
            patience=self._patience,
            probe=self._probe.request if self._probe and self._owed else None,
            newer=self._newer,
        )
        for answer in answers:
            if answer["re"] in ("failed", "changed"):
                raise refusal(answer, self._where)
            if answer["re"] == "written":
                size = sum(tree.sources[path].size for path in changes.puts)
                told.fields |= {"files": changes.count, "size": size}
            self._hear(answer, tree, told)
        if self._owed and "mode" in told.fields and not told.overtaken:
            # What failed is tried again, also by a save that changes nothing.
            self._owed = told.fields.get("failed") is not None or not told.fields.get("ready", True)

    def _hear(self, answer: Object, tree: Tree, told: _Told) -> None:
        kind = answer["re"]
        if kind == "syntax":
            faults = tuple(_fault(one, tree) for one in answer["faults"])
            told.fields |= {"faults": faults, "kept": answer["kept"]}
        elif kind == "written":
            told.written = True
        elif kind == "reloaded":
            if answer["answer"]["state"] == "stopping":
                raise GoneError(f"{self._where} is about to end")
            told.fields |= _reload(answer["answer"])
        elif kind == "ready":
            told.fields |= {"ready": answer["well"], "met": answer["text"]}
        elif kind == "overtaken":
            told.overtaken = True
        elif kind == "waiting" and self._waits is not None:
            self._waits(answer["text"])


def _ours(entries: Entries, mounts: Sequence[str]) -> Entries:
    """Without what lies in other volumes: a mounted ConfigMap is not the image's."""
    tops = _tops(mounts)
    return entries.without(lambda path: _is_in(path, tops)) if tops else entries


def _tops(mounts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{mount}/" for mount in mounts)


def _is_in(path: str, tops: tuple[str, ...]) -> bool:
    return f"{path}/".startswith(tops)


def _fault(told: Object, tree: Tree) -> Fault:
    file = Path(tree.sources[told["path"]].at)
    place = Place(file=file, line=told["line"], column=told["column"])
    return Fault(place=place, text=told["text"], message=told["message"])


def _reload(answer: Object) -> dict[str, object]:
    if answer["state"] == "failed":
        return {"mode": "", "failed": answer["text"], "kept": answer.get("kept")}
    return {"mode": answer.get("mode", "none"), "why": answer.get("why") or ""}
