"""What the API server would make of the objects, asked while their image is still being built.

Of the objects only the image is missing, and its name is known from what it is made of: a trial
takes as long as a small build, and then costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kubekit.api.apply import Step
from kubekit.events import Emit, Event
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
        self._emit: Emit = self._told.append
        self._steps: list[Step] | None = None
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="trial", daemon=True)
        if manifests is not None:
            cancel.on_set(self._cancel.set)
            self._thread.start()

    def take(self, manifests: Manifests, emit: Emit) -> list[Step] | None:
        """The steps, and all that is told of them; None: try these objects now.

        So it is if they are others after all, if too much time has passed, or if they are refused:
        then it is the trial of now that says why.
        """
        stale = time.monotonic() > self._since + _FRESH_SECONDS
        if self._manifests is None or self._manifests.items != manifests.items or stale:
            return None
        with self._lock:
            for event in self._told:
                emit(event)
            self._emit = emit
        self._thread.join()
        return self._steps

    def close(self) -> None:
        """End it, wherever it is."""
        self._cancel.set()
        self._outer.forget(self._cancel.set)
        if self._manifests is not None:
            self._thread.join()

    def _work(self) -> None:
        assert self._manifests is not None
        try:
            self._steps = self._trial(self._manifests, self._tell, self._cancel)
        except Exception:  # noqa: BLE001 - whatever it is, the trial of now meets it too
            self._steps = None

    def _tell(self, event: Event) -> None:
        with self._lock:
            self._emit(event)
