"""The classic builder's own account of a build, for daemons without BuildKit.

It is one text in which the builder's words and the steps' output are mixed. What each message
begins with tells them apart, and while a container runs only its removal ends its output.
Source: moby, builder/dockerfile (dispatchers.go, evaluator.go); Podman's differs in capitals.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kubekit.image.store import PROJECT_LABEL, Order

_STEP = re.compile(r"step (?P<number>\d+)/(?P<of>\d+) ?: (?P<text>.*)", re.IGNORECASE | re.DOTALL)
_ARROW = re.compile(
    r" ?-{2,3}> (?:running in (?P<container>\w+)|(?P<cache>using cache).*|\w+)", re.IGNORECASE
)
_REMOVED = re.compile(r"Removing intermediate container (?P<container>\w+)")
_CLOSING = ("Successfully built ", "Successfully tagged ")
_COLOUR = re.compile(r"\x1b\[(?:91|0)m")
"""What the daemon puts around the lines of stderr."""

_LABELS = f"LABEL {PROJECT_LABEL.rpartition('.')[0]}."
"""The instruction that the daemon makes of the labels, and that nobody has written."""

_NO_BUILDKIT = re.compile(r"buildkit\b.{0,20}\b(?:not|only) supported", re.IGNORECASE)


Kind = Literal["started", "printed", "done", "cached", "failed"]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one message says of one step: that it ``started``, ``printed``, or how it ended.

    Attributes:
        step: its name; empty where the builder failed and no step did.
        text: what it printed, or why it failed; empty where another step is to blame.
    """

    step: str
    kind: Kind
    text: str = ""
    seconds: float = 0.0


class Stream:
    """Takes the messages' texts in order and says what they tell.

    Attributes:
        step: the name of the step that is under way, ``Step 3/7 : RUN make``; empty between two.
    """

    def __init__(self) -> None:
        self.step = ""
        self._container: str | None = None
        self._cached = False
        self._since = 0.0

    def add(self, text: str) -> Iterator[Told]:
        """Take the text of one message."""
        if self._container is not None:
            removed = _REMOVED.match(text)
            if removed and removed["container"] == self._container:
                self._container = None
            else:
                yield from self._printed(text)
            return
        if step := _STEP.fullmatch(text.rstrip("\n")):
            yield from self.end()
            self.step = f"Step {step['number']}/{step['of']} : {step['text']}"
            if step["text"].startswith(_LABELS):
                self.step = f"[internal] {self.step}"
            self._since = time.monotonic()
            yield Told(step=self.step, kind="started")
        elif arrow := _ARROW.fullmatch(text.rstrip("\n")):
            self._container = arrow["container"]
            self._cached = self._cached or arrow["cache"] is not None
        elif text.startswith(_CLOSING):
            yield from self.end()
        elif not _REMOVED.match(text):
            yield from self._printed(text)

    def end(self) -> Iterator[Told]:
        """The step under way, if there is one, has ended well."""
        if self.step:
            kind: Kind = "cached" if self._cached else "done"
            yield Told(step=self.step, kind=kind, seconds=self.seconds)
        self.step, self._container, self._cached = "", None, False

    @property
    def seconds(self) -> float:
        """For how long the step has been under way."""
        return time.monotonic() - self._since

    def _printed(self, text: str) -> Iterator[Told]:
        text = _COLOUR.sub("", text)
        if self.step and text.strip("\n"):
            yield Told(step=self.step, kind="printed", text=text)


def params(order: Order) -> dict[str, str]:
    """Return the query of `POST /build` without BuildKit."""
    settings = order.plan.settings
    query = {
        "t": order.reference,
        "dockerfile": order.plan.dockerfile,
        "buildargs": json.dumps(dict(settings.args)),
        "labels": json.dumps(dict(order.labels)),
        # As BuildKit does; what is left of a failed step nobody looks for.
        "forcerm": "1",
    }
    return query if settings.target is None else {**query, "target": settings.target}


def needed(error: str | None) -> bool:
    """Whether what a daemon answers means that it cannot build with BuildKit."""
    return error is not None and _NO_BUILDKIT.search(error) is not None
