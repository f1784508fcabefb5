"""Bringing images from a registry and to it: what is told of it, and when it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubekit.errors import BuildError, CancelledError
from kubekit.events import Emit, Progress
from kubekit.model import Cancel

if TYPE_CHECKING:
    import tenacity


def patiently(cancel: Cancel) -> tenacity.Retrying:
    """Try again, twice, what fails because a registry is busy."""
    import tenacity

    def wait(seconds: float) -> None:
        if cancel.wait(seconds):
            raise CancelledError("interrupted")

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, BuildError) and error.id == "registry-busy"
        ),
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_random_exponential(multiplier=1, max=5),
        sleep=wait,
        reraise=True,
    )


class Layers:
    """The progress of a pull or push: its layers' bytes, summed up, told with each megabyte.

    Args:
        doing: ``pulling`` or ``pushing``.
    """

    def __init__(self, doing: str, reference: str, emit: Emit) -> None:
        self._text = f"{doing} `{reference}`"
        self._emit = emit
        self._layers: dict[str, tuple[int, int]] = {}
        self._shown = 0

    def update(self, message: Mapping[str, Any]) -> None:
        """Take one message of the daemon."""
        if str(message.get("status")).startswith("Retrying in"):
            said = str(message["status"]).lower()
            self._emit(Progress(stage="image", text=f"{self._text}: the registry hung up, {said}"))
            return
        detail = message.get("progressDetail") or {}
        if message.get("status") not in {"Downloading", "Pushing"} or "total" not in detail:
            return
        # Of a layer that is pushed more is sent than it is said to be.
        current, total = int(detail["current"]), int(detail["total"])
        self._layers[str(message.get("id"))] = (min(current, total), total)
        done, whole = (sum(column) / 1e6 for column in zip(*self._layers.values(), strict=True))
        if int(done) != self._shown:
            self._shown = int(done)
            self._emit(Progress(stage="image", text=f"{self._text}: {done:.0f} of {whole:.0f} MB"))
