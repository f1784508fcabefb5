"""The containers that files are synced into, each served by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from kubekit.api.kube import Kube, TransientError
from kubekit.dev.entries import Entries
from kubekit.dev.images import Images
from kubekit.dev.pods import Running
from kubekit.dev.podsync import PodSync, SyncOutcome
from kubekit.dev.probe import probe
from kubekit.dev.syncerrors import ChangedError, OvertakenError, SyncError
from kubekit.dev.tree import Tree
from kubekit.errors import CancelledError, KubekitError
from kubekit.model import BuildPlan, Cancel, SyncRule
from kubekit.streams.exec import GoneError

_AGAIN_SECONDS = 0.5
_LONGEST_SECONDS = 5.0
_LATER_SECONDS = 0.5
"""What a container has that is known to have it all is asked a little later: to begin a session
costs the node what the app's first answer needs just then."""
_TOLD_AFTER = 3
"""A container that files cannot be brought into so often in a row: that is no hiccup any more."""

_LOG_SECONDS = 0.3
"""What the app's new code has logged of its end comes by another way, and is to be read first."""

_UNREACHABLE = "api-unreachable"
"""The whole cluster does not answer: told by those who watch it."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What became of one version of the files in one container; one of the last three is there.

    Attributes:
        waits: the app takes long to start: the line that it is in, "" if that is not known.
    """

    running: Running
    version: int
    outcome: SyncOutcome | None = None
    error: KubekitError | None = None
    waits: str | None = None

    @property
    def well(self) -> bool:
        """Whether the app there runs with these files."""
        return self.outcome is not None and self.outcome.well


class Sessions:
    """Brings the newest files into every container that runs; what changes is delivered.

    Args:
        kube: the cluster.
        namespace: of the pods.
        deliver: gets Brought, from a session's thread.
    """

    def __init__(self, kube: Kube, namespace: str, *, deliver: Callable[[Brought], None]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._deliver = deliver
        self._open: dict[str, _Session] = {}
        self._wanted: tuple[Tree, int] | None = None
        self._rules: tuple[SyncRule, ...] = ()
        self._images = Images()

    @property
    def count(self) -> int:
        """How many containers there are."""
        return len(self._open)

    @property
    def settled(self) -> bool:
        """Whether every container has told what became of the newest files."""
        return all(one.told == self._wanted_version for one in self._open.values())

    @property
    def _entries(self) -> Entries:
        return self._wanted[0].entries if self._wanted else Entries(())

    @property
    def _wanted_version(self) -> int:
        return self._wanted[1] if self._wanted else 0

    def current(self) -> frozenset[str]:
        """The IDs of the containers whose app runs with all files of a time since they began."""
        return frozenset(id_ for id_, one in self._open.items() if one.began)

    def brought(self, version: int) -> list[SyncOutcome]:
        """What became of this version, container by container."""
        found = (one.outcomes.get(version) for one in self._open.values())
        return [outcome for outcome in found if outcome is not None]

    def holds(self, image: str) -> bool:
        """Whether a new container of it should have all files that are wanted."""
        return self._images.holds(image, self._entries)

    def made(self, image: str, plan: BuildPlan) -> None:
        """The image was built from this: what of it goes is deleted where it runs."""
        self._images.built(image, plan, self._rules, self._entries)

    def learn(self, brought: Brought) -> bool:
        """Note what its image held by itself; whether that is less than was relied on."""
        exact = brought.outcome.exact if brought.outcome else None
        if exact is None or not brought.running.fresh:
            return False
        if brought.version == self._wanted_version:
            self._images.saw(brought.running.image, self._entries, exact=exact)
        session = self._open.get(brought.running.id)
        return session is not None and session.trusted and not exact

    def want(self, tree: Tree, version: int, rules: tuple[SyncRule, ...]) -> None:
        """Bring these files everywhere, instead of those before."""
        if rules != self._rules:
            self._rules = rules
            self._images.forget()
            self.close()
        self._wanted = (tree, version)
        for one in self._open.values():
            one.want(tree, version)

    def follow(self, running: Iterable[Running]) -> None:
        """These containers run now, and no others."""
        now = {one.id: one for one in running}
        for id_ in self._open.keys() - now.keys():
            self._open.pop(id_).close()
        for id_ in now.keys() - self._open.keys():
            one = now[id_]
            trusted = one.fresh and self.holds(one.image)
            session = _Session(one, self._sync(one), self._deliver, trusted=trusted)
            self._open[id_] = session
            if self._wanted is not None:
                session.want(*self._wanted)

    def forget(self) -> None:
        """Ask every container anew what it has, with the next files."""
        for one in self._open.values():
            one.forget()

    def close(self) -> None:
        """End all of them."""
        for one in self._open.values():
            one.close()
        self._open.clear()

    def _sync(self, running: Running) -> PodSync:
        container = running.container
        return PodSync(
            self._kube,
            self._namespace,
            running.pod,
            container.name,
            python=container.python,
            rules=self._rules,
            known=self._images.paths(running.image),
            probe=probe(container.probe, container.ports),
        )


class _Session:
    """One container.

    Attributes:
        told: the newest version of which it is known what became.
        trusted: its image is known to hold all files that were wanted when it began.
        began: its app runs with all files of a time since then.
    """

    def __init__(
        self,
        running: Running,
        sync: PodSync,
        deliver: Callable[[Brought], None],
        *,
        trusted: bool,
    ) -> None:
        self.told = 0
        self.trusted = self.began = trusted
        self.outcomes: dict[int, SyncOutcome] = {}
        self._running = running
        self._sync = sync
        self._deliver = deliver
        self._cancel = Cancel()
        self._wanted: tuple[Tree, int] | None = None
        self._newer = False  # something else is wanted than when it began
        self._stale = False
        self._tries = 0  # that failed, since one did not
        self._changes = 0  # of files while they were sent, likewise
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"sync-{running.pod}", daemon=True)
        self._thread.start()

    def want(self, tree: Tree, version: int) -> None:
        """Bring this: once the files of what goes on are there, the app is not waited for."""
        with self._wake:
            self._newer = self._wanted is not None
            self._wanted = (tree, version)
            self._wake.notify()

    def forget(self) -> None:
        """Ask the container what it has before the next sync."""
        with self._wake:
            self._stale = True

    def close(self) -> None:
        """Bring nothing more; what goes on is cut off."""
        self._cancel.set()
        with self._wake:
            self._wake.notify()

    def _work(self) -> None:
        try:
            if self.trusted:
                with self._wake:
                    self._wake.wait_for(self._is_called, _LATER_SECONDS)
            while (wanted := self._next()) is not None:
                self._bring(*wanted)
        except (CancelledError, GoneError):
            pass
        finally:
            self._sync.close()

    def _next(self) -> tuple[Tree, int] | None:
        with self._wake:
            while True:
                if self._cancel.is_set():
                    return None
                if self._wanted is not None and self._wanted[1] > self.told:
                    if self._stale:
                        self._stale = False
                        self._sync.forget()
                    return self._wanted
                self._wake.wait()

    def _bring(self, tree: Tree, version: int) -> None:
        brought = plain = Brought(running=self._running, version=version)
        try:
            outcome = self._sync.bring(
                tree,
                reload=True,
                cancel=self._cancel,
                newer=lambda: self._is_over(version),
                waits=lambda line: self._deliver(replace(plain, waits=line)),
            )
        except (CancelledError, GoneError):
            raise
        except OvertakenError:
            return
        except TransientError as error:
            self._stumbled(error, version)  # the newest files are asked for again
            return
        except ChangedError as error:
            brought = replace(brought, error=self._unsteady(error))
        except KubekitError as error:
            brought = replace(brought, error=error)
        else:
            self._tries = self._changes = 0
            if not self.outcomes:  # the program may not be up yet, and what it is not known
                outcome = replace(outcome, why="")
            if outcome.failed is not None:
                with self._wake:
                    self._wake.wait_for(lambda: self._is_over(version), _LOG_SECONDS)
            self.outcomes = {version: outcome}
            self.began = True
            brought = replace(brought, outcome=outcome)
        self.told = version
        self._deliver(brought)

    def _stumbled(self, error: TransientError, version: int) -> None:
        """Wait for the next try, longer each time; once it is said why nothing comes of it."""
        if error.id == _UNREACHABLE:
            self._cancel.wait(_AGAIN_SECONDS)
            return
        self._tries += 1
        if self._tries == _TOLD_AFTER:
            stuck = SyncError(
                f"files cannot be brought into Pod `{self._running.pod}`: {error.message}",
                details=error.details,
                hints=("it is tried again every few seconds, and with each save",),
                id=error.id,
            )
            self._deliver(Brought(running=self._running, version=version, error=stuck))
        pause = _pause(self._tries)
        with self._wake:
            self._wake.wait_for(lambda: self._is_over(version), pause)

    def _is_called(self) -> bool:
        return self._cancel.is_set() or self._newer

    def _is_over(self, version: int) -> bool:
        return self._cancel.is_set() or self._wanted is None or self._wanted[1] > version

    def _unsteady(self, error: ChangedError) -> KubekitError:
        """What to tell of a file that changed; waits before the tree is read again, if it must."""
        self._changes += 1
        if self._changes > 1:
            self._cancel.wait(_pause(self._changes - 1))
        if self._changes != _TOLD_AFTER + 1:
            return error
        return SyncError(
            f"{error.message}, again and again",
            hints=("if a program writes it all the time, name it in `.dockerignore`",),
            id=error.id,
        )


def _pause(tries: int) -> float:
    return float(min(_LONGEST_SECONDS, _AGAIN_SECONDS * 2 ** min(tries - 1, 9)))
