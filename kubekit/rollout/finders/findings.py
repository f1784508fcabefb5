"""The finder of containers that wait."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubekit.rollout.finders.hits import Finder, Hit, brief, container_hit
from kubekit.rollout.snapshot import Snapshot


def waiting(*reasons: str, text: str = "", field: str = "image") -> Finder:
    """Containers that wait for one of these reasons, their message matching `text`."""
    pattern = re.compile(text, re.IGNORECASE | re.DOTALL)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for container in snapshot.containers:
            state = container.waiting or {}
            match = pattern.search(state.get("message") or "")
            if state.get("reason") in reasons and match:
                words = {"message": brief(state.get("message") or ""), **match.groupdict()}
                yield container_hit(snapshot, container, now, words=words, field=field)

    return find
