"""Tracebacks in the lines of logs: an exception that a request met, found as it is logged. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kubekit.events import LogLine

_BEGIN = "Traceback (most recent call last):"
_LONGEST = 500


@dataclass(frozen=True, kw_only=True)
class Raised:
    """An exception that was logged: all lines of its traceback, the exception itself the last."""

    pod: str
    text: str


class Tracebacks:
    """Puts the lines of each container's log together again."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], list[str]] = {}

    def take(self, line: LogLine) -> Raised | None:
        """One line; what it ends, if it ends a traceback. Of a chain each part counts."""
        key = (line.pod, line.container)
        if line.line.strip() == _BEGIN:
            self._open[key] = [_BEGIN]
            return None
        lines = self._open.get(key)
        if lines is None:
            return None
        if len(lines) > _LONGEST:
            del self._open[key]
            return None
        lines.append(line.line)
        if line.line.startswith(" ") or not line.line:
            return None
        del self._open[key]
        return Raised(pod=line.pod, text="\n".join(lines))
