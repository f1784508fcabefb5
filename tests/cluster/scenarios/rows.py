"""The rows of the study of failures (rollout.md, section 2) that cannot be made here, and why."""

from __future__ import annotations

from dataclasses import dataclass

ROWS = range(1, 83)


@dataclass(frozen=True, kw_only=True)
class Unmade:
    """Why a row cannot be made here, and the test in tests/unit that stands for it.

    Attributes:
        file: its file.
        test: its function, which judges a snapshot or an answer, recorded or constructed.
    """

    reason: str
    file: str
    test: str


UNMADE = {
    8: Unmade(
        reason="the kubelet asks who pulled an image from Kubernetes 1.35 on only",
        file="test_judge_image.py",
        test="test_an_image_in_the_node_that_the_pod_may_not_use",
    ),
    14: Unmade(
        reason="the kubelet's cache of Secrets is late by chance only, and for a moment",
        file="test_judge_start.py",
        test="test_what_the_node_has_not_read_yet_fails_nothing",
    ),
}
