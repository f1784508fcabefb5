"""Each row of the study of failures is shown, here or by a test of its own."""

from __future__ import annotations

import pytest

from kubekit.rollout.catalogue import CAUSES
from tests.cluster.scenarios.rows import ROWS, UNMADE
from tests.cluster.scenarios.tables import SCENARIOS
from tests.conftest import ROOT

MADE = {row for scenario in SCENARIOS.values() for row in scenario.rows}
ELSEWHERE = ("api-", "interrupted", "unauthorized", "kubeconfig-", "probe-port-", "service-port-")
"""What is told by no cause of the catalogue: the API's refusals, ways to it, faults of files."""


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_shown_once(row: int) -> None:
    assert (row in MADE) != (row in UNMADE)


@pytest.mark.parametrize("row", UNMADE)
def test_what_stands_for_a_row_is_there(row: int) -> None:
    text = (ROOT / "tests" / "unit" / UNMADE[row].file).read_text()
    assert f"def {UNMADE[row].test}(" in text


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_names_a_cause_there_is(name: str) -> None:
    scenario = SCENARIOS[name]
    assert bool(scenario.code) == bool(scenario.cause)
    assert not scenario.cause or scenario.cause in CAUSES or scenario.cause.startswith(ELSEWHERE)
    if scenario.tier in ("A", "B", "C"):
        assert scenario.rows
        assert scenario.code
