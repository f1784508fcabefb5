"""What an entry of the catalogue is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubekit.rollout.finders.hits import Finder, Hit
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import Finding

EXPLAINS = float("inf")
"""`after` of an entry that never decides: it only explains what is waited for."""


def elsewhere(_snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """Finds nothing: what is told by the apply, or by the state of the whole workload."""
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One way to end.

    Attributes:
        rows: the rows of the project's study of failures that it covers.
        signals: where the API shows it, in its own words; for the documentation.
        cause: one line, with the words of the hit in braces.
        fix: what to do, likewise.
        find: what looks for it in a snapshot.
        after: seconds the evidence must stand before it decides; 0 decides on first sight.
        waits_for_others: what is missing may come with another workload of the same apply, so it
            decides nothing while one of them is still awaited.
        exit_code: 5 the API server refuses the pod, 6 the workload cannot run, and so on; 0 for
            what is no failure and only told.
    """

    id: str
    rows: tuple[int, ...]
    signals: str
    cause: str
    fix: str
    find: Finder = elsewhere
    after: float = 0.0
    waits_for_others: bool = False
    exit_code: int = 6

    def finding(self, hit: Hit) -> Finding:
        """What a person is told of it, in the words of the hit."""
        return Finding(
            id=self.id,
            exit_code=self.exit_code,
            cause=self.cause.format_map(hit.words),
            fix=self.fix.format_map(hit.words),
            where=hit.where,
            log=hit.log,
            field=hit.field,
        )

    @property
    def tier(self) -> str:
        """``A`` decides at first sight, ``B`` when it stands, ``C`` explains, ``W`` only tells."""
        if self.exit_code == 0:
            return "W"
        if self.after == EXPLAINS:
            return "C"
        return "B" if self.after else "A"
