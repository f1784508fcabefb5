"""The sync side of the loop: the files as they are on this machine, and who has them by now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kubekit.api.kube import Kube
from kubekit.dev import tree
from kubekit.dev.memory import give_back
from kubekit.dev.pods import Running
from kubekit.dev.sessions import Brought, Sessions
from kubekit.dev.syncerrors import ChangedError
from kubekit.dev.told import after, failures, raised, remains, synced, waiting
from kubekit.dev.tracebacks import Raised
from kubekit.dev.voice import Voice
from kubekit.errors import KubekitError
from kubekit.model import BuildPlan, Settings


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Files were touched, the first of them at this time of the monotonic clock."""

    paths: frozenset[Path]
    at: float


class Syncing:
    """Keeps the containers that run at the working tree, and tells when the app has it.

    Attributes:
        refused: the app would not have what was synced last.
        remains: what runs then, in words.
        missed: something was saved since the image was made, and no container has it.
    """

    def __init__(
        self, kube: Kube, settings: Settings, voice: Voice, deliver: Callable[[Brought], None]
    ) -> None:
        """Nothing is read before `reread`."""
        self.refused = False
        self.remains = ""
        self.missed = False
        self._settings = settings
        self._voice = voice
        self._sessions = Sessions(kube, settings.namespace, deliver=deliver)
        self._tree: tree.Tree | None = None
        self._version = 0
        self._settled = 0
        self._slow = 0  # the version that was told to take long to start
        self._touched: set[Path] | None = None  # since the tree was read; None: anything
        self._pending: Saved | None = None  # what is not known to be live yet
        self._live: Saved | None = None  # what the app took last
        self._raised: set[str] = set()

    @property
    def count(self) -> int:
        """How many containers there are."""
        return self._sessions.count

    @property
    def version(self) -> int:
        """Of the files: another one each time that they are read."""
        return self._version

    @property
    def unsettled(self) -> bool:
        """Whether something was saved that the app has not taken, or not yet."""
        return self._pending is not None or self.refused

    def current(self) -> frozenset[str]:
        """The IDs of the containers that have had all files once, or whose image should."""
        return self._sessions.current()

    def follow(self, running: Iterable[Running]) -> bool:
        """These containers run now, and no others; whether that settles what was not known yet."""
        self._sessions.follow(running)
        return self.unsettled and self.count > 0 and self._settle_if_known()

    def built(self, image: str, plan: BuildPlan) -> None:
        """The image was built from this: what of it goes is deleted where the image runs."""
        self._sessions.made(image, plan)

    def holds(self, image: str) -> bool:
        """Whether a new container of it should have the files as they are."""
        return self._sessions.holds(image)

    def touch(self, paths: frozenset[Path]) -> None:
        """These may have changed."""
        if self._touched is not None:
            self._touched |= paths

    def has(self, path: Path) -> bool:
        """Whether the containers are to have something there by now; unknown means yes."""
        tree, rules = self._tree, self._settings.dev.sync
        if tree is None or self._touched is None or path.name == "pyvenv.cfg":
            return True
        above = [rule for rule in rules if path.is_relative_to(rule.src)]
        places = [f"{one.place}/{path.relative_to(one.src).as_posix()}" for one in above]
        return any(one in tree.entries for one in places) or path in [rule.src for rule in rules]

    def reread(self, settings: Settings) -> None:
        """Go on with these settings."""
        self._settings = settings
        self._touched = None
        self._read()

    def compare(self) -> None:
        """Ask every container anew what it has."""
        self._sessions.forget()
        self._touched = None
        if self._read():
            self._pending = Saved(paths=frozenset(), at=time.monotonic())

    def bring(self, saved: Saved) -> None:
        """Bring the files as they are now into every container that runs."""
        before = self._tree
        if not self._renew():
            return
        if before is None or self._tree is None or self._tree.entries != before.entries:
            self._note(saved, before)
        self._want()  # last: what it wakes would delay what is told

    def _note(self, saved: Saved, before: tree.Tree | None) -> None:
        """Tell what was saved, and keep it until it is known what became of it."""
        trees = [one for one in (before, self._tree) if one is not None]
        known = [path for path in saved.paths if any(one.sources.has(str(path)) for one in trees)]
        named = tuple(known or saved.paths)
        late = self._pending or replace(saved, paths=frozenset())
        self._pending = Saved(paths=late.paths.union(named), at=late.at)
        self.missed = True
        if self.count:
            self._voice.changed("sync", named, "syncing")

    def take(self, event: Brought) -> bool:
        """What became of it in one container; whether it is known of all of them now, and told."""
        if isinstance(event.error, ChangedError):
            self._touched = None
            self._read()
            return False
        if self._sessions.learn(event):
            self._voice.warn(
                f"Pod `{event.running.pod}` may have answered without the newest files at first:"
                " its image does not hold them as those before did"
            )
        if event.version != self._version:
            return False
        if event.waits is not None:
            if self._slow != self._version:  # once for all containers
                self._voice.emit(waiting(event.waits, self._settings.dev.sync))
            self._slow = self._version
            return False
        if event.error is not None:
            self._voice.failed(event.error)
        return self._settle_if_known()

    def close(self) -> None:
        """Bring nothing more."""
        self._sessions.close()

    def log(self, event: Raised) -> None:
        """An exception in the log: told next to the save that it came after, if it is a new one."""
        if self._live is None or self.refused or self._pending is not None:
            return
        what = raised(event.text, self._settings.dev.sync)
        if what is None or what in self._raised:
            return
        self._raised.add(what)
        seconds = time.monotonic() - self._live.at
        self._voice.emit(after(what, self._names(self._live), seconds))

    def _read(self) -> bool:
        """Bring the files as they are now everywhere; False if they cannot be read."""
        if not self._renew():
            return False
        self._want()
        return True

    def _renew(self) -> bool:
        dev, build = self._settings.dev, self._settings.build
        try:
            self._tree = tree.read(dev.sync, build, self._tree, self._touched)
        except KubekitError as error:
            self._voice.failed(error)
            self._touched = None
            return False
        if self._touched is None:
            give_back(len(self._tree.entries))
        self._touched = set()
        self._version += 1
        return True

    def _want(self) -> None:
        if self._tree is not None:
            self._sessions.want(self._tree, self._version, self._settings.dev.sync)

    def _settle_if_known(self) -> bool:
        if not self._sessions.settled:
            return False
        if self._settled == self._version:
            return self._mended()
        self._settled = self._version
        return self._settle()

    def _mended(self) -> bool:
        """Whether the containers that would not have it have made room for some that do."""
        outcomes = self._sessions.brought(self._version)
        well = len(outcomes) == self.count and all(one.well for one in outcomes)
        if not (self.refused and well):
            return False
        self.refused = self.missed = False
        return True

    def _settle(self) -> bool:
        outcomes = self._sessions.brought(self._version)
        saved, self._pending = self._pending, None
        names = self._names(saved) if saved else []
        gone = self._voice.gone(saved.paths) if saved else frozenset()
        for report in failures(outcomes, self._settings.dev.sync, names, gone):
            self._voice.emit(report)
        for outcome in outcomes:
            if outcome.why:
                self._voice.warn(f"no warm reload: {outcome.why}")
        whole = len(outcomes) == self.count
        self.refused = not (whole and all(one.well for one in outcomes))
        self.remains = remains(outcomes)
        if not self.refused:
            self.missed = False
            self._live = saved or self._live
            self._raised.clear()
            if saved is not None:
                seconds = time.monotonic() - saved.at
                self._voice.emit(synced(outcomes, seconds, saved=bool(names)))
        return saved is not None or self.refused

    def _names(self, saved: Saved) -> list[str]:
        return [self._voice.name(path) for path in sorted(saved.paths)]
