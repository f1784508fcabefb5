"""The times in a log, and whose log they show it to be. Pure.

The kubelet answers with the log of what runs as it knows it, and the API server hears of a new
start a moment later: what is asked for as the log of an attempt that ended can be the next one's.
"""

from __future__ import annotations

import re

from kubekit.rollout.reading import epoch

_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\S+) ?", re.MULTILINE)


def is_of(text: str, ended: float) -> bool:
    """Whether a log can be taken for that of an attempt that ended then.

    Args:
        text: as the API has it with `timestamps`.
        ended: in seconds since the epoch, cut off to whole ones; 0 while it runs.

    Returns:
        False also for an empty log: it may be of the next attempt, which has not said anything yet.
        What that one says in the very second of the end passes: the API's times are whole seconds.
    """
    first = _STAMP.match(text)
    return not ended or (first is not None and epoch(first[1]) < ended + 1)


def without(text: str) -> str:
    """The log as the container wrote it."""
    return _STAMP.sub("", text)
