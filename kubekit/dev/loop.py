"""The loop of `dev`: one queue, on which everything that happens is taken in turn."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubekit.api.follow import Changed, Found, Listed, Lost, Update
from kubekit.api.kube import Kube
from kubekit.dev import tree
from kubekit.dev.classify import classify, roots
from kubekit.dev.job import Ended, Job, Made
from kubekit.dev.pods import Pods
from kubekit.dev.sessions import Brought, Sessions
from kubekit.dev.syncerrors import ChangedError
from kubekit.dev.told import failures, synced
from kubekit.errors import CancelledError, KubekitError
from kubekit.events import FilesChanged, Progress, Reported, Warned, Watching
from kubekit.model import BuildPlan, BuiltImage, ClusterTarget, Settings
from kubekit.session import Run

_RENEW_SECONDS = 2.0
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Files were touched, the first of them at this time of the monotonic clock."""

    paths: frozenset[Path]
    at: float


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """A key."""

    key: str


class Stop:
    """The person wants it to end."""


Event = Saved | Pressed | Stop | Update | Made | Ended | Brought


class Loop:
    """What there is, what is wanted, and what is done about the difference.

    Args:
        load: reads the settings anew.
        target: the cluster.
        kube: its API.
        run: of the command.
        pods: the project's, kept up to date here.
        url: where the app answers on this machine.
        watch: is told which folders to watch.
        changed: is called whenever other pods may serve, or run.
        hide: is given the secret values of the files before anything is told.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        target: ClusterTarget,
        kube: Kube,
        run: Run,
        *,
        pods: Pods,
        url: str | None,
        watch: Callable[[Mapping[Path, bool]], None],
        changed: Callable[[], None],
        hide: Callable[[frozenset[str]], None],
    ) -> None:
        self.queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._pods = pods
        self._url = url
        self._load = load
        self._settings = load()
        self._target = target
        self._kube = kube
        self._run = run
        self._watch = watch
        self._changed = changed
        self._hide = hide
        self._sessions = Sessions(kube, self._settings.namespace, deliver=self.queue.put)
        self._job: Job | None = None
        self._next: bool | None = None  # whether to build in the release that comes after this one
        self._built: BuiltImage | None = None
        self._plan: BuildPlan | None = None
        self._well = False
        self._broken = False  # what was applied does not run: only another image can help it
        self._missed = False  # what was saved since the image was made, and no container has
        self._tree: tree.Tree | None = None
        self._version = 0
        self._saved: dict[int, Saved] = {}
        self._said: set[str] = set()
        self._lost_at: float | None = None

    def run(self) -> None:
        """Release once, then take what happens until somebody wants it to end."""
        self._read_tree()
        self._release(build=True)
        while not isinstance(event := self.queue.get(), Stop):
            self._take(event)

    def close(self) -> None:
        """End what still goes on; nothing is removed."""
        if self._job is not None:
            self._job.cut_off()
            self._job.join()
        self._sessions.close()

    def _take(self, event: Event) -> None:
        match event:
            case Saved():
                self._take_saved(event)
            case Made():
                self._take_made(event)
            case Ended():
                self._take_ended(event)
            case Brought():
                self._take_brought(event)
            case Pressed(key=key):
                self._take_key(key)
            case Listed() | Changed():
                self._pods.take(event)
                self._follow()
            case Lost():
                self._take_lost()
            case Found():
                self._lost_at = None
            case Stop():
                pass

    def _take_key(self, key: str) -> None:
        if key == "r":
            self._say("rebuild", "`r`: building and applying")
            self._release(build=True)
        elif key == "s":
            self._say("sync", "`s`: comparing every file")
            self._sessions.forget()
            self._bring(Saved(paths=frozenset(), at=time.monotonic()))

    def _take_saved(self, event: Saved) -> None:
        change = classify(event.paths, self._settings, self._plan)
        if self._settings.file in change.apply and not self._reload():
            return
        if change.rebuild:
            self._say("rebuild", f"{self._told(change.rebuild)}: building", change.rebuild)
            self._release(build=True)
        elif change.sync and self._needs_image():
            why = "no container runs that it could go into"
            self._say("rebuild", f"{self._told(change.sync)}: building, as {why}", change.sync)
            self._release(build=True)
        elif change.apply:
            self._say("apply", f"{self._told(change.apply)}: applying", change.apply)
            self._release(build=self._built is None)
        if change.sync:
            self._bring(Saved(paths=frozenset(change.sync), at=event.at))

    def _needs_image(self) -> bool:
        """Whether a changed source needs a new image: there is nothing to sync it into."""
        if not self._settings.dev.sync:
            return True
        return self._job is None and (self._broken or not self._sessions.count)

    def _reload(self) -> bool:
        """Read the settings again; whether they can be used."""
        try:
            self._settings = self._load()
        except KubekitError as error:
            self._report(error)
            return False
        return True

    def _bring(self, saved: Saved) -> None:
        """Bring the files as they are now into every container that runs."""
        if not self._read_tree():
            return
        self._saved[self._version] = saved
        self._missed = True
        if self._sessions.count and saved.paths:
            self._say("sync", f"{self._told(tuple(saved.paths))}: syncing", tuple(saved.paths))

    def _read_tree(self) -> bool:
        try:
            self._tree = tree.read(self._settings.dev.sync, self._settings.build, self._tree)
        except KubekitError as error:
            self._report(error)
            return False
        self._version += 1
        self._sessions.want(self._tree, self._version, self._settings.dev.sync)
        return True

    def _release(self, *, build: bool) -> None:
        """Begin a release; one that goes on is pointless now, and is cut off first."""
        if self._job is not None:
            self._next = build or self._job.builds or bool(self._next)
            self._job.cut_off()
            return
        if build:
            self._missed = False
        self._job = Job(
            self._settings,
            self._target,
            self._kube,
            self._run,
            built=None if build else self._built,
            deliver=self.queue.put,
            hide=self._hide,
        )

    def _take_made(self, event: Made) -> None:
        self._built = event.built
        if event.job.builds:
            self._plan = event.plan
            if event.built is not None and self._tree is not None:
                self._sessions.made(event.built.reference, self._tree)
        self._pods.expect(event.adapted.manifests, event.adapted.containers)
        self._watch(roots(self._settings, self._plan))
        self._follow()

    def _take_ended(self, event: Ended) -> None:
        self._job = None
        if self._next is not None:
            build, self._next = self._next, None
            self._release(build=build)
            return
        self._well = event.error is None
        if event.error is None or event.job.made:
            self._broken = event.error is not None
        self._follow()
        if event.error is None:
            self._stand()
        elif not isinstance(event.error, CancelledError):
            self._report(event.error)
            if self._missed and self._needs_image():
                self._say("rebuild", "files changed meanwhile: building")
                self._release(build=True)
                return
            self._stand()

    def _take_brought(self, event: Brought) -> None:
        self._pods.serve(self._sessions.current())
        self._changed()
        if isinstance(event.error, ChangedError):
            self._read_tree()
            return
        if event.version != self._version:
            return
        if event.error is not None:
            self._report(event.error)
        if self._sessions.settled:
            self._take_settled(event.version)

    def _take_settled(self, version: int) -> None:
        """Every container has told what became of the newest files."""
        outcomes = self._sessions.brought(version)
        saved = self._saved.pop(version, None)
        names = [self._name(path) for path in sorted(saved.paths)] if saved else []
        for report in failures(outcomes, self._settings.dev.sync, names):
            self._run.emit(report)
        for why in {one.why for one in outcomes if one.why} - self._said:
            self._said.add(why)
            self._run.emit(Warned(text=f"no warm reload: {why}"))
        if not outcomes or not all(one.well for one in outcomes):
            self._stand("the app stays on the old code")
            return
        self._missed = False
        if saved is not None:
            self._run.emit(synced(outcomes, time.monotonic() - saved.at))
            self._stand()

    def _take_lost(self) -> None:
        now = time.monotonic()
        if self._lost_at is None:
            text = "the API server does not answer; waiting"
            self._run.emit(Progress(stage="dev", text=text))
        elif now - self._lost_at < _RENEW_SECONDS:
            return
        self._lost_at = now
        try:
            self._kube.renew()
        except KubekitError as error:
            self._run.emit(Warned(text=error.message, hints=error.hints))

    def _follow(self) -> None:
        self._sessions.follow(self._pods.running())
        self._pods.serve(self._sessions.current())
        self._changed()

    def _say(self, action: str, text: str, files: tuple[Path, ...] = ()) -> None:
        self._run.emit(FilesChanged(action=action, text=text, files=tuple(map(self._name, files))))

    def _stand(self, text: str = "") -> None:
        """Tell how it stands now that there is nothing to do until the next save."""
        pods = len(self._pods.ours())
        well = self._well and not text
        text = text or (f"{pods} pod{'' if pods == 1 else 's'}" if well else "waiting for a save")
        self._run.emit(Watching(text=text, well=well, url=self._url))

    def _told(self, paths: tuple[Path, ...]) -> str:
        """The paths in words: ``app/main.py changed``."""
        names = sorted(map(self._name, paths))
        if len(names) == 1:
            return f"{names[0]} {'changed' if paths[0].exists() else 'is gone'}"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{len(names)} files changed: {', '.join(names[:_SHOWN])}{more}"

    def _name(self, path: Path) -> str:
        root = self._settings.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def _report(self, error: KubekitError) -> None:
        self._run.emit(
            Reported(
                id=error.id,
                exit_code=error.exit_code,
                message=error.message,
                hints=error.hints,
                details=error.details,
                place=str(error.place) if error.place else None,
            )
        )
