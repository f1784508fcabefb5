"""What the API server would make of the objects, asked while their image is still being built.

Of the objects only the image is missing, and its name is known from what it is made of: a trial
takes as long as a small build, and then costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kubekit.api.apply import Step
from kubekit.errors import CancelledError, KubekitError
from kubekit.events import Emit, Event, Progress
from kubekit.model import Cancel, Manifests

_FRESH_SECONDS = 5.0
"""What was asked longer ago than this is asked again: the cluster may be another one by now."""

Try = Callable[[Manifests, Emit, Cancel], list[Step] | None]


class Ahead:
    """A trial on a thread of its own, from the start until it is taken or closed.

    Args:
        manifests: the objects as they will probably be; None where there is no telling.
        trial: what asks, and writes nothing; None where it cannot ask yet.
        cancel: of the run; ends the trial too.
    """

    def __init__(self, manifests: Manifests | None, trial: Try, cancel: Cancel) -> None:
        self._manifests = manifests
        self._trial = trial
        self._outer = cancel
        self._cancel = Cancel()
        self._lock = threading.Lock()
        self._told: list[Event] = []
        self._emit: Emit | None = None
        self._over = threading.Event()
        self._steps: list[Step] | None = None
        self._refusal: KubekitError | None = None
        self._since = self._ended = time.monotonic()
        if manifests is not None:
            self._cancel.on_set(self._over.set)
            cancel.on_set(self._cancel.set)
            threading.Thread(
                target=self._work, args=(manifests,), name="trial", daemon=True
            ).start()

    def take(self, manifests: Manifests, emit: Emit) -> list[Step] | None:
        """The steps, and all that is told of them; None: try these objects now.

        So it is if they are others after all, or if too much time has passed. What was waited for
        meanwhile is not there to be waited for again.

        Raises:
            KubekitError: they are refused.
        """
        if self._manifests is None or self._manifests.items != manifests.items:
            return None
        with self._lock:
            self._emit = emit
        self._over.wait()
        if self._cancel.is_set():
            raise CancelledError("interrupted")
        # The first answers of a long trial are old, while what it ends with is of that moment.
        fresh = time.monotonic() - _FRESH_SECONDS
        if fresh > (self._ended if self._refusal else self._since):
            return None
        if self._refusal or self._steps:
            for event in self._told:
                emit(event)
        if self._refusal:
            raise self._refusal
        return self._steps

    def close(self) -> None:
        """End it, wherever it is; of a request that hangs no more is heard."""
        self._cancel.set()
        self._outer.forget(self._cancel.set)
        with self._lock:
            self._emit = None

    def _work(self, manifests: Manifests) -> None:
        try:
            self._steps = self._trial(manifests, self._tell, self._cancel)
        except KubekitError as error:
            self._refusal = error
        except Exception:  # noqa: BLE001 - whatever it is, the trial of now meets it too
            self._steps = None
        self._ended = time.monotonic()
        self._over.set()

    def _tell(self, event: Event) -> None:
        """Tell at once what is waited for, and the rest only when the trial counts."""
        with self._lock:
            if not isinstance(event, Progress):
                self._told.append(event)
            elif self._emit is not None:
                self._emit(event)
