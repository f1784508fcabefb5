"""Each way a rollout can end, made to happen on the real Minikube.

They run side by side, each in a namespace of its own, and share one image, which behaves as the
value `mode` of the project tells it. Each test looks at one of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.scenarios.documents import drawing
from tests.cluster.scenarios.harness import Played, make
from tests.cluster.scenarios.running import finished, start
from tests.cluster.scenarios.scenario import AT_SIGHT, BEFORE
from tests.cluster.scenarios.tables import SCENARIOS

# Each waits for its play, and the last ones for all the others, on a loaded machine, too.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_scenario(played: Played, request: pytest.FixtureRequest) -> None:
    scenario, outcome = played.scenario, played.outcome
    request.node.user_properties += [
        ("after_apply", played.after_apply),
        ("after_evidence", played.after_evidence),
        ("verdict", outcome.text),
    ]
    assert "Traceback" not in outcome.err
    assert outcome.code == scenario.code, outcome.text
    for text in scenario.says:
        assert text in outcome.text
    for text in scenario.mentions:
        assert any(text in told(event) for event in outcome.events[:-1]), outcome.events
    if scenario.cause:
        names_the_cause(played)
    else:
        assert outcome.last["type"] == "ended"
    if request.config.getoption("--timed"):
        in_time(played)


def names_the_cause(played: Played) -> None:
    scenario, outcome = played.scenario, played.outcome
    assert outcome.last["type"] == "failed"
    assert outcome.last["id"] == scenario.cause, outcome.text
    assert outcome.last["exit_code"] == outcome.code
    if scenario.cause != "interrupted":
        assert outcome.last["hints"]
    place = f"{scenario.file}:{line_of(played)}" if scenario.at else None
    assert outcome.last["place"] == place, outcome.text


def in_time(played: Played) -> None:
    """As quickly as its tier promises, and never before there was anything to see."""
    scenario = played.scenario
    assert played.outcome.waited < scenario.within
    seen = played.after_apply
    if scenario.evidence is not None:
        assert played.after_evidence is not None, "the evidence was never seen"
        seen = played.after_evidence
    if scenario.tier == "A":
        assert seen <= AT_SIGHT
    elif scenario.tier == "B":
        assert seen <= scenario.patience + AT_SIGHT
    elif scenario.tier == "before":
        assert seen <= BEFORE


def told(event: dict[str, Any]) -> str:
    return " ".join((event.get("text") or "", *(event.get("hints") or ())))


def line_of(played: Played) -> int:
    """The number of the one line of the file that holds the text `at`."""
    file, at = played.scenario.file, played.scenario.at
    lines = (played.outcome.project.folder / file).read_text().splitlines()
    exactly = [number for number, line in enumerate(lines, 1) if line == at]
    found = exactly or [number for number, line in enumerate(lines, 1) if at in line]
    assert len(found) == 1, found
    return found[0]


def test_the_text_view_draws_the_same_events(cluster: dict[str, str], tmp_path: Path) -> None:
    """The documentation is drawn from events; this is what a person sees who asks for text."""
    scenario = SCENARIOS["secret-key-missing"]
    project = make(tmp_path, cluster, scenario)
    assert scenario.prepare is not None
    scenario.prepare(project)
    try:
        finished(project, start(project))
        text = project.run("build-and-apply")
        events = finished(project, start(project))
    finally:
        project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)
    assert text.out == ""
    drawn = drawing(events.events)
    # Seconds differ, and how far the pod was when it was looked at first.
    assert ends(drawn) == ends(text.err)
    assert "has no key `TOKEN`" in ends(drawn)[0]


def ends(text: str) -> list[str]:
    lines = re.sub(r"[0-9]+", "#", text).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("✗"))
    # An event may come after the status that decides, so it is shown in some runs only.
    return [line for line in lines[start:] if not line.startswith("  │")]
