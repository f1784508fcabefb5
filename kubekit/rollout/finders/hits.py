"""What a finder hands back, and how it is made: the ground of the catalogue's building blocks.

A finder takes the snapshot and the server's time and yields a hit for each place it finds evidence
in. What a hit found is put into the words of the cause and its fix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from kubekit.rollout.reading import Container
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import LogOf, Want

_LONGEST = 600
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*": ErrImagePull: ')


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Evidence for a cause.

    Attributes:
        where: the object, as people write it.
        since: server time since which the evidence stands.
        words: what fills the texts of the cause.
        log: the log that shows it, if one does.
        wants: facts to fetch before the verdict.
        field: where in the Deployment the fix belongs.
    """

    where: str
    since: float
    words: Mapping[str, object] = field(default_factory=dict)
    log: LogOf | None = None
    wants: frozenset[Want] = frozenset()
    field: tuple[str | int, ...] = ()


Finder = Callable[[Snapshot, float], Iterator[Hit]]


def container_hit(
    snapshot: Snapshot, container: Container, now: float, *, words: Mapping[str, object], field: str
) -> Hit:
    """A hit at a container, since it was first seen waiting for its present reason."""
    group = "initContainers" if container.init else "containers"
    index = [spec["name"] for spec in container.pod["spec"][group]].index(container.name)
    return Hit(
        where=f"Pod/{container.pod_name}",
        since=snapshot.seen.get((container.pod_uid, container.name, container.waits_for), now),
        words={
            "container": container.name,
            "what": container.called,
            "image": container.spec.get("image"),
            **words,
        },
        field=pod_field(f"{group}.{index}.{field}"),
    )


def either(*finders: Finder) -> Finder:
    """What any of these finds: one cause may be seen in several places."""

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for finder in finders:
            yield from finder(snapshot, now)

    return find


def pod_field(path: str) -> tuple[str | int, ...]:
    """A field of the pod's template, its steps divided by dots."""
    steps = [int(step) if step.isdigit() else step for step in path.split(".") if step]
    return ("spec", "template", "spec", *steps)


def brief(text: str) -> str:
    """One line of it, the same for a try and for the back-off after it."""
    line = _BACK_OFF.sub("", " ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
