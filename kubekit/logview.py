"""How lines of logs are told apart: a mark for the pod and container each is of, and its colour."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubekit.events import LogLine

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_magenta")
# What Kubernetes makes names of has no vowels: five characters for the pod, up to ten before them
# for the ReplicaSet, or the minute of a CronJob's Job; a StatefulSet's pods are numbered.
_MADE = re.compile(
    r"(?P<app>.+?)(?:-[bcdfghjklmnpqrstvwxz0-9]{6,10})?"
    r"-(?P<end>[bcdfghjklmnpqrstvwxz2456789]{5}|\d{1,4})"
)


_ASKED = re.compile(
    r"(?:INFO: +)?(?P<peer>\d+\.\d+\.\d+\.\d+)(?::\d+)? - "
    r'[^"]*"(?:GET|HEAD) (?P<path>\S+) HTTP/[\d.]+" [23]\d\d\b'
)


class Probes:
    """The notes that a server makes of probes that pass: one each second, of nothing new.

    Attributes:
        paths: that the kubelet asks for.
    """

    def __init__(self) -> None:
        self.paths: tuple[str, ...] = ()
        self._seen: str | None = None
        self._told: set[str] = set()

    def passed(self, line: str) -> bool:
        """Whether the line is such a note, and can be nobody else's.

        What comes through the forwarded port is the person's own, and what is asked for at ``/``
        may be anybody's.
        """
        if not self.paths or " HTTP/" not in line:
            return False
        found = _ASKED.match(line)
        if found is None or found["peer"] == "127.0.0.1":
            return False
        path = found["path"]
        if path == "/" or path not in self.paths:
            return False
        self._seen = path
        return True

    def news(self) -> str:
        """What to say of the one that passed last, once for each path."""
        if self._seen is None or self._seen in self._told:
            return ""
        self._told.add(self._seen)
        return f"probes of {self._seen} that pass are left out here; `kubekit logs` shows them"


class Marks:
    """The shortest mark that tells a line's pod and container from all others; none if it is alone.

    The colour of a pod stays.
    """

    def __init__(self) -> None:
        self._pods: dict[str, tuple[str, ...]] = {}
        self._marks: dict[tuple[str, str], str] = {}
        self._colours: dict[str, str] = {}

    def follow(self, pods: Mapping[str, tuple[str, ...]]) -> None:
        """From now on these pods are there, each with its containers."""
        self._pods = dict(pods)
        self._marks = {}

    def of(self, line: LogLine) -> tuple[str, str]:
        """The mark of the line, which may be empty, and the name of its colour."""
        key = line.pod, line.container
        mark = self._marks.get(key)
        if mark is None:
            if line.pod not in self._pods:
                self.follow({**self._pods, line.pod: (line.container,)})
            mark = self._marks[key] = self._mark(*key)
        colour = self._colours.setdefault(line.pod, _COLOURS[len(self._colours) % len(_COLOURS)])
        return mark, colour

    def _mark(self, pod: str, container: str) -> str:
        names = _short(self._pods)
        alone = self._pods[pod] == (container,)
        parts = [names[pod]] if len(self._pods) > 1 else []
        return "/".join(parts if alone else [*parts, container])


def _short(pods: Mapping[str, object]) -> dict[str, str]:
    """For each pod the end of its name; with the app's name where there are several apps."""
    parts = {pod: _split(pod) for pod in pods}
    ends = {pod: end for pod, (_, end) in parts.items()}
    if len({app for app, _ in parts.values()}) > 1:
        ends = {pod: "-".join(filter(None, both)) for pod, both in parts.items()}
    # Two that have the same end are told apart by their whole names.
    taken = list(ends.values())
    return {pod: end if taken.count(end) == 1 else pod for pod, end in ends.items()}


def _split(pod: str) -> tuple[str, str]:
    made = _MADE.fullmatch(pod)
    return (made["app"], made["end"]) if made else ("", pod)
