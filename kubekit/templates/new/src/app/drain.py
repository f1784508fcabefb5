"""Leaving without losing a request.

Kubernetes sends SIGTERM and takes the pod out of its Service at the same time, and the second
arrives later: for a moment new connections still come. So the first SIGTERM only turns the
readiness probe to 503; the listener stays open for DRAIN_SECONDS, and then uvicorn's own graceful
shutdown begins.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)


class Drain:
    """Whether this process is on its way out."""

    def __init__(self) -> None:
        self.draining = False


@contextmanager
def drain_on_sigterm(drain: Drain, seconds: float) -> Iterator[None]:
    """Put a drain of some seconds before the server's own SIGTERM handler while this is open."""
    shut_down = signal.getsignal(signal.SIGTERM)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not (in_main_thread and callable(shut_down)):
        yield  # no server owns the signal, for example in a test client
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _on_sigterm, loop, drain, seconds, shut_down)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, shut_down)


def _on_sigterm(
    loop: asyncio.AbstractEventLoop,
    drain: Drain,
    seconds: float,
    shut_down: Callable[[int, FrameType | None], object],
) -> None:
    """Begin to drain; a second SIGTERM means that somebody does not want to wait."""
    wait = 0.0 if drain.draining else seconds
    drain.draining = True
    log.info("draining for %s s", wait)
    loop.call_later(wait, shut_down, signal.SIGTERM, None)
