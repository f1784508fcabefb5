"""Whether a daemon is still there while it is silent for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_ASKS = 4


class Heartbeat:
    """Asks a daemon beside a call that may be silent for long, and ends the call if it hangs.

    A step of a build may print nothing for an hour, so silence alone means nothing; and the kernel
    of a daemon's machine keeps the connection alive even where the daemon itself is stopped.

    Attributes:
        lost: whether the daemon has hung, and the call was ended for that.
    """

    def __init__(
        self, *, ask: Callable[[float], bool], end: Callable[[], None], patience: float
    ) -> None:
        """Prepare to watch over a call.

        Args:
            ask: asks the daemon, given the seconds it may take; whether it answered.
            end: ends the call from another thread.
            patience: seconds without a sign of life until the daemon counts as hung.
        """
        self.lost = False
        self._ask = ask
        self._end = end
        self._patience = patience
        self._heard = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()

    def heard(self) -> None:
        """The call itself has brought something: that is a sign of life, too."""
        self._heard = time.monotonic()

    def _watch(self) -> None:
        pause = self._patience / _ASKS
        while not self._over.wait(max(self._heard + pause - time.monotonic(), 0.0)):
            if time.monotonic() - self._heard >= self._patience:
                self.lost = True
                self._end()
                return
            if time.monotonic() - self._heard < pause:
                continue
            asked = time.monotonic()
            if self._ask(pause):
                self._heard = max(self._heard, time.monotonic())
            else:
                # A refusal comes at once, and is no reason to ask without a pause.
                self._over.wait(max(asked + pause - time.monotonic(), 0.0))
