"""All scenarios, in the order of the study, and the rows that cannot be made here."""

from __future__ import annotations

from tests.cluster.scenarios import (
    admission,
    apply,
    crash,
    endings,
    healthy,
    healthy_changes,
    image,
    placing,
    probes,
    services,
    start,
)
from tests.cluster.scenarios.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    **healthy.SCENARIOS,
    **healthy_changes.SCENARIOS,
    **image.SCENARIOS,
    **start.SCENARIOS,
    **crash.SCENARIOS,
    **probes.SCENARIOS,
    **placing.SCENARIOS,
    **admission.SCENARIOS,
    **apply.SCENARIOS,
    **services.SCENARIOS,
    **endings.SCENARIOS,
}
