"""Waiting for what the cluster does by itself, for as long as that may take."""

from __future__ import annotations

from kubekit.errors import CancelledError
from kubekit.events import Emit, Progress
from kubekit.model import Cancel, Clock

_STEP_SECONDS = 0.1


class Wait:
    """A wait of at most so many seconds, from now on."""

    def __init__(
        self, seconds: float, *, emit: Emit, clock: Clock, cancel: Cancel, stage: str = "teardown"
    ) -> None:
        self.seconds = seconds
        self._stage = stage
        self._emit = emit
        self._clock = clock
        self._cancel = cancel
        self._deadline = clock.now() + seconds

    @property
    def is_over(self) -> bool:
        """Whether that time has passed."""
        return self._clock.now() > self._deadline

    def on(self, text: str) -> None:
        """Say what is waited for, and wait a moment.

        Raises:
            CancelledError: the run was interrupted.
        """
        self._emit(Progress(stage=self._stage, text=text))
        if self._cancel.wait(_STEP_SECONDS):
            raise CancelledError("interrupted")
