"""The loop of `dev`: one queue, on which everything that happens is taken in turn."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from kubekit.api.feed import Feed
from kubekit.api.follow import Changed, Found, Listed, Lost, Update
from kubekit.api.kube import Kube
from kubekit.dev.adapt import Adapted
from kubekit.dev.answering import Answering, Answers, Reach, Started
from kubekit.dev.classify import classify, held, roots
from kubekit.dev.happening import Crashed, Event, Happening, Pressed, Stop
from kubekit.dev.job import Accepted, Ended, Job, Made
from kubekit.dev.memory import give_back
from kubekit.dev.pods import Pods
from kubekit.dev.presence import Presence
from kubekit.dev.reload import asks_settings, check_fixed, is_half_written
from kubekit.dev.sessions import Brought
from kubekit.dev.syncerrors import NoPythonError
from kubekit.dev.syncing import Saved, Syncing
from kubekit.dev.told import crashed
from kubekit.dev.tracebacks import Raised
from kubekit.dev.voice import Voice
from kubekit.errors import CancelledError, KubekitError, UnreachableError
from kubekit.events import Progress
from kubekit.image.files.context import ignore_path
from kubekit.model import BuildPlan, BuiltImage, ClusterTarget, Settings
from kubekit.session import Run

_RENEW_SECONDS = 2.0


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
        reach: leads to a port of a pod.
        feed: of the namespace, kept over all releases.
        hide: is given the secret values of the files before anything is told.
        debugger: debugpy for the pods, None to run them without.
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
        reach: Reach,
        feed: Feed,
        hide: Callable[[frozenset[str]], None],
        debugger: bytes | None = None,
    ) -> None:
        self.queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._settings = load()
        self._load = load
        self._target = target
        self._kube = kube
        self._run = run
        self._pods = pods
        self._url = url
        self._watch = watch
        self._changed = changed
        self._feed = feed
        self._hide = hide
        self._debugger = debugger
        self._voice = Voice(run.emit, self._settings.root)
        self._files = Syncing(kube, self._settings, self._voice, self.queue.put)
        self._answering = Answering(reach, self.queue.put)
        self._presence = Presence(kube, self._settings.namespace, self._voice)
        self._job: Job | None = None
        self._tidying: Job | None = None  # the last one that ended
        self._next: bool | None = None  # whether the release that comes after this one builds
        self._again: bool | None = None  # the same of one that is due when the cluster answers
        self._built: BuiltImage | None = None
        self._plan: BuildPlan | None = None
        self._walked = 0  # files of the image that was built last
        self._well = False
        self._broken = False  # what was applied does not run: only another image can help it
        self._hopes = False  # it may still start by itself, as when it waits for its database
        self._hoped = False  # that was looked at once; an app that flaps would do so for ever
        self._syncs = True
        self._lost_at: float | None = None

    def run(self) -> None:
        """Release once, then take what happens until somebody wants it to end."""
        if not self._settings.dev.sync:
            self._voice.warn(
                "every change is built into a new image: `dev.sync` is empty",
                "name the folder of the sources under `dev.sync` in kubekit.yaml,"
                " such as `{src: src, dest: /app/src}`, to see a save in a fraction of a second",
            )
        # Watched first, then read: nothing that is saved meanwhile is missed.
        self._watch(roots(self._settings, None))
        self._files.reread(self._settings)
        self._release(build=True)
        while not isinstance(event := self.queue.get(), Stop):
            self._take(event)

    def close(self) -> None:
        """End what still goes on; nothing is removed."""
        self._answering.close()
        for job in (self._job, self._tidying):
            if job is not None:
                job.cut_off()
                job.join()
        self._files.close()

    def _take(self, event: Happening) -> None:
        match event:
            case Saved():
                self._take_saved(event)
            case Made():
                self._take_made(event)
            case Accepted(adapted=adapted):
                self._take_accepted(adapted)
            case Ended():
                self._take_ended(event)
            case Brought():
                self._take_brought(event)
            case Crashed(error=error):
                raise error
            case Raised():
                self._files.log(event)
            case Pressed(key=key):
                self._take_key(key)
            case _:
                self._take_update(event)

    def _take_update(self, event: Update | Started | Answers) -> None:
        match event:
            case Started(uid=uid):
                self._take_started(uid)
            case Answers():
                self._take_answers(event)
            case Lost(fatal=True, error=error):
                raise error
            case Lost():
                self._take_lost()
            case Found():
                self._take_found()
            case Listed() | Changed():
                self._pods.take(event)
                self._follow()
                self._attend()

    def _take_started(self, uid: str) -> None:
        new = self._pods.new(uid)
        if new is not None and self._files.holds(new.image):
            told = Answers(uid=uid, version=self._files.version)
            self._answering.ask(new.name, new.probe, told, wanted=partial(self._pods.new, uid))

    def _take_answers(self, event: Answers) -> None:
        new = self._pods.new(event.uid)
        if new is None or event.version != self._files.version:
            return
        self._pods.answers(event.uid, new.seconds)
        self._changed()
        leads = f": {self._url} leads to it" if self._url else ""
        self._voice.emit(Progress(stage="rollout", text=f"Pod `{new.name}` answers{leads}"))

    def _take_key(self, key: str) -> None:
        if key == "r":
            self._voice.doing("rebuild", "`r`: building and applying")
            self._release(build=True)
        elif key == "s":
            self._voice.doing("sync", "`s`: comparing every file")
            self._files.compare()

    def _take_saved(self, event: Saved) -> None:
        self._files.touch(event.paths)
        failed = self._job is None and not self._well
        known = self._files.has
        change = classify(event.paths, self._settings, self._plan, failed=failed, known=known)
        asking = asks_settings(change.apply, self._settings)
        if asking and not self._reload(asking):
            apply = tuple(path for path in change.apply if path not in asking)
            change = replace(change, apply=apply)
        if change.rebuild:
            if self._settings.build and ignore_path(self._settings.build) in change.rebuild:
                self._files.reread(self._settings)  # other rules may keep other files out
            self._voice.changed("rebuild", change.rebuild, "building")
            self._release(build=True)
        elif change.sync and self._needs_image():
            self._voice.changed("rebuild", change.sync, "building")
            self._release(build=True)
        elif change.apply:
            self._voice.changed("apply", change.apply, "applying")
            self._release(build=self._built is None)
        if change.sync:
            self._pods.doubt()
            self._files.bring(Saved(paths=frozenset(change.sync), at=event.at))

    def _needs_image(self) -> bool:
        """Whether a changed source needs a new image: no container runs that it could go into."""
        if not self._syncs or not self._settings.dev.sync:
            return True
        return self._job is None and (self._broken or not self._files.count)

    def _reload(self, asking: tuple[Path, ...]) -> bool:
        """Read the settings again, as these files ask for; whether they can be used."""
        if is_half_written(self._settings.file):
            return False
        try:
            settings = self._load()
            check_fixed(self._settings, settings)
        except KubekitError as error:
            self._voice.changed("none", asking, "going on as before")
            self._voice.failed(error)
            return False
        self._settings = settings
        self._watch(roots(settings, self._plan))
        self._files.reread(settings)
        return True

    def _release(self, *, build: bool) -> None:
        """Begin a release; one that goes on is pointless now, and is cut off first."""
        if self._job is not None:
            self._next = build or self._job.builds or bool(self._next)
            self._job.cut_off()
            return
        if self._tidying is not None:
            self._tidying.hurry()
        self._again, self._hopes, self._hoped = None, False, False
        self._files.missed = self._files.missed and not build
        self._job = Job(
            self._settings,
            self._target,
            self._kube,
            self._run,
            built=None if build else self._built,
            config=self._built.config if self._built else None,
            feed=self._feed,
            after=self._tidying,
            syncs=self._syncs,
            deliver=self.queue.put,
            hide=self._hide,
            debugger=self._debugger,
        )

    def _take_made(self, event: Made) -> None:
        self._built = event.built
        if event.job.builds:
            self._plan = held(event.plan, self._settings) if event.plan else None
            self._walked = len(event.plan.hashes) if event.plan else 0
            if event.built is not None and event.plan is not None:
                self._files.built(event.built.reference, event.plan)
        for one in event.adapted.manifests.warnings:
            self._voice.warn(one.text, *one.hints)
        for text in event.adapted.told:
            self._voice.warn(text)
        self._watch(roots(self._settings, self._plan))

    def _take_accepted(self, adapted: Adapted) -> None:
        """The API server takes it: what is refused leaves the pods as they are."""
        self._pods.expect(adapted.manifests, adapted.containers)
        self._follow()

    def _take_ended(self, event: Ended) -> None:
        self._job, self._tidying = None, event.job
        if self._next is not None:
            build, self._next = self._next, None
            self._release(build=build)
            return
        self._well = event.error is None
        if event.error is None or event.job.made:
            self._broken = event.error is not None
        self._follow()
        if event.error is not None:
            self._take_failed(event.job, event.error)
        self._stand()
        give_back(self._walked)

    def _take_failed(self, job: Job, error: KubekitError) -> None:
        if isinstance(error, CancelledError):
            return
        if error.id == "command-not-found" and self._syncs and self._settings.dev.sync:
            self._without_sync()
            return
        self._voice.failed(crashed(error, self._settings.dev.sync))
        self._hopes = job.made and not self._pods.are_ready and not self._hoped
        if isinstance(error, UnreachableError):
            self._again = job.builds
        elif self._files.missed and self._needs_image():
            self._voice.doing("rebuild", "files changed meanwhile: building")
            self._release(build=True)

    def _without_sync(self) -> None:
        """Go on as it would be without us: the container has no Python, so nothing is synced."""
        self._syncs = False
        self._voice.warn(
            "the container has no Python to sync files with: every change is built into a new image"
        )
        self._release(build=self._built is None)

    def _take_brought(self, event: Brought) -> None:
        self._pods.serve(self._files.current())
        self._changed()
        if isinstance(event.error, NoPythonError):
            self._without_sync()
        elif self._files.take(event):
            self._stand()

    def _take_lost(self) -> None:
        now = time.monotonic()
        before, self._lost_at = self._lost_at, now
        if before is None:
            self._stand()
        elif now - before < _RENEW_SECONDS:
            self._lost_at = before
            return
        try:
            self._kube.renew()
        except KubekitError as error:
            self._voice.warn(error.message, *error.hints)

    def _take_found(self) -> None:
        if self._lost_at is None:
            return
        self._lost_at = None
        self._voice.doing("apply", "the cluster answers again")
        if self._again is not None:
            self._release(build=self._again)
        self._stand()

    def _follow(self) -> None:
        settled = self._files.follow(self._pods.running())
        self._pods.serve(self._files.current())
        self._changed()
        if settled:
            self._stand()

    def _attend(self) -> None:
        """Tell of pods that went, and came, by themselves."""
        if self._hopes and self._job is None and self._pods.are_ready:
            self._voice.doing("apply", "the pods are ready after all: looking again")
            self._release(build=self._built is None)
            self._hoped = True
        busy = self._job is not None or not self._well or self._files.unsettled
        if self._presence.take(self._pods.ours(), self._pods.workloads, quiet=busy):
            self._stand()

    def _stand(self) -> None:
        """Tell how it stands, if there is nothing to do until the next save."""
        if self._job is not None:
            return
        there = self._presence
        text, waits = there.text(len(self._pods.ours())), False
        if self._lost_at is not None:
            text = "the cluster does not answer: waiting for it"
        elif self._files.refused:
            text = f"{self._files.remains}: waiting for a save"
        elif not self._well:
            text = "the last release failed: waiting for a save"
        else:
            waits = there.waits
        well = self._well and not self._files.refused and self._lost_at is None and there.well
        self._voice.stands(text, well=well, url=self._url, waits=waits)
