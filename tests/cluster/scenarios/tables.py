"""All scenarios, in the order of the study, and the rows that cannot be made here."""

from __future__ import annotations

from tests.cluster.scenarios import (
    admission,
    crash,
    endings,
    healthy,
    image,
    placing,
    probes,
    start,
)
from tests.cluster.scenarios.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    **healthy.SCENARIOS,
    **image.SCENARIOS,
    **start.SCENARIOS,
    **crash.SCENARIOS,
    **probes.SCENARIOS,
    **placing.SCENARIOS,
    **admission.SCENARIOS,
    **endings.SCENARIOS,
}
