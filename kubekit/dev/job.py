"""One release at a time, on a thread of its own, that a newer change may cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kubekit.api.feed import Feed
from kubekit.api.kube import Kube
from kubekit.checks import Prepared, check_tolerated, prepare
from kubekit.dev.adapt import Adapted, adapt
from kubekit.errors import CancelledError, FilesError, KubekitError, SupersededError
from kubekit.events import Progress, Warned
from kubekit.model import (
    BuildPlan,
    BuiltImage,
    Cancel,
    ClusterTarget,
    ImageConfig,
    Manifests,
    Settings,
)
from kubekit.release import Released, clear, release, tidy
from kubekit.session import Run

_TIDY_SECONDS = 1.0
"""To look for what is left over costs the node what the app's first answers need just then."""

_STEP_SECONDS = 0.05

_TRIES = 4
"""So often files may be saved in the moment in which they are sent."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a release ended: well, or with an error."""

    job: Job
    error: KubekitError | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    """The image is there, and so are the objects; the API server has not seen them yet."""

    job: Job
    adapted: Adapted
    built: BuiltImage | None
    plan: BuildPlan | None


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The API server takes the objects, which are about to be written."""

    job: Job
    adapted: Adapted


class Job:
    """A release that runs until it ends or is cut off.

    Attributes:
        builds: whether it builds an image, if the files ask for another one.
        made: whether it got as far as applying something.

    Args:
        settings: of the project.
        target: the cluster.
        kube: its API.
        run: of the command.
        built: the image to go on with; None to build one of the files as they are.
        config: what that image, or the one before, runs; None if none was asked yet.
        syncs: whether the containers are to be synced into.
        deliver: gets Made, Accepted, then Ended, from the job's thread.
        hide: is given the secret values of the files before anything is told.
        feed: of the namespace.
        after: the one before: what that still prunes must not count as live.
        debugger: see `adapt`.
    """

    def __init__(
        self,
        settings: Settings,
        target: ClusterTarget,
        kube: Kube,
        run: Run,
        *,
        built: BuiltImage | None,
        config: ImageConfig | None,
        syncs: bool,
        deliver: Callable[[Made | Accepted | Ended], None],
        hide: Callable[[frozenset[str]], None],
        feed: Feed,
        after: Job | None = None,
        debugger: bytes | None = None,
    ) -> None:
        self.builds = built is None
        self.made = False
        self._settings = settings
        self._target = target
        self._cancel = Cancel()
        self._kube = kube.until(self._cancel)
        self._run_here = Run(emit=run.emit, clock=run.clock, cancel=self._cancel)
        self._hurried, self._cleared = threading.Event(), threading.Event()
        self._built = built
        self._config = config
        self._syncs = syncs
        self._deliver = deliver
        self._hide = hide
        self._feed = feed
        self._after = after
        self._debugger = debugger
        self._thread = threading.Thread(target=self._work, name="release", daemon=True)
        self._thread.start()

    def cut_off(self) -> None:
        """End it as soon as possible; Ended comes all the same."""
        self._cancel.set()
        self._hurried.set()

    def hurry(self) -> None:
        """Prune now what is gone, if that is not done yet, and no more: a release waits for it."""
        self._hurried.set()
        if self._cleared.is_set():
            self._cancel.set()

    def cleared(self, seconds: float) -> bool:
        """Whether all is pruned that it ever will, waited for so long."""
        after = self._after  # which it was cut off from, if it is still there
        return (after is None or after.cleared(seconds)) and self._cleared.wait(seconds)

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _work(self) -> None:
        try:
            self._work_through()
        finally:
            self._cleared.set()

    def _work_through(self) -> None:
        try:
            released = self._steadily()
        except KubekitError as error:
            self._deliver(Ended(job=self, error=error))
            return
        self._deliver(Ended(job=self))
        try:
            self._clean_up(released)
        except (CancelledError, SupersededError):
            pass  # who has taken over does it, and of that is told elsewhere
        except KubekitError as error:
            text = f"what is gone from the manifests may still be there: {error.message}"
            self._run_here.emit(Warned(text=text, hints=("the next release tries it again",)))

    def _clean_up(self, released: Released) -> None:
        self._hurried.wait(_TIDY_SECONDS)
        if self._cancel.is_set():
            return
        try:
            clear(self._settings, released, self._kube, emit=self._run_here.emit)
        finally:
            self._cleared.set()
        if not self._hurried.is_set():
            tidy(self._settings, released.built, self._target, self._kube, self._run_here)

    def _steadily(self) -> Released:
        """Begin anew where a file was saved while it was sent: nobody else would."""
        for _ in range(_TRIES - 1):
            try:
                return self._release()
            except FilesError as error:
                if error.id != "context-changed":
                    raise
                self._run_here.emit(
                    Progress(stage="image", text=f"{error.message}: beginning anew")
                )
        return self._release()

    def _release(self) -> Released:
        settings = self._settings
        check_tolerated(settings)
        prepared = prepare(settings, built=self._built.reference if self._built else None)
        self._hide(prepared.manifests.secret_values)

        made: list[Adapted] = []

        def adapted(manifests: Manifests, built: BuiltImage | None) -> Manifests:
            one = self._adapt(manifests, built)
            made.append(one)
            self._deliver(Made(job=self, adapted=one, built=built, plan=prepared.plan))
            return one.manifests

        def accepted() -> None:
            self.made = True
            self._deliver(Accepted(job=self, adapted=made[-1]))

        self._wait_for_other()
        return release(
            settings,
            prepared,
            self._target,
            self._kube,
            self._run_here,
            built=self._built,
            expected=self._expected(prepared),
            adapt=adapted,
            accepted=accepted,
            feed=self._feed,
        )

    def _wait_for_other(self) -> None:
        while self._after is not None and not self._after.cleared(_STEP_SECONDS):
            if self._cancel.is_set():
                raise CancelledError("interrupted")
        self._after = None  # or each would hold on to all before it

    def _expected(self, prepared: Prepared) -> Manifests | None:
        """The objects, if the image will run what the one before did."""
        if prepared.image is None or not self._syncs or not self._settings.dev.sync:
            return prepared.manifests
        if self._config is None:
            return None
        return self._adapted(prepared.manifests, prepared.image, self._config).manifests

    def _adapt(self, manifests: Manifests, built: BuiltImage | None) -> Adapted:
        if built is None or not self._syncs or not self._settings.dev.sync:
            return Adapted(manifests=manifests, containers=())
        if built.config is None:
            raise AssertionError("what an image runs is asked of each")
        return self._adapted(manifests, built.reference, built.config)

    def _adapted(self, manifests: Manifests, image: str, config: ImageConfig) -> Adapted:
        return adapt(
            manifests,
            self._settings,
            image=image,
            config=config,
            debugger=self._debugger,
        )
