"""The rows of the study of failures (rollout.md, section 2) that cannot be made on this Minikube."""

from __future__ import annotations

from dataclasses import dataclass

ROWS = range(1, 83)


@dataclass(frozen=True, kw_only=True)
class Unmade:
    """Why a row cannot be made here, and the test that stands for it.

    Attributes:
        test: ``file::function`` in tests/unit: a snapshot, recorded or constructed.
    """

    reason: str
    test: str


UNMADE = {
    8: Unmade(
        reason="the kubelet checks who pulled an image only from Kubernetes 1.35 on",
        test="test_judge.py::PENDING",
    ),
    14: Unmade(
        reason="the kubelet's cache is late by chance only, and for less than a second",
        test="test_judge.py::PENDING",
    ),
}
