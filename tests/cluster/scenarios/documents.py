"""The pages that are drawn from what the scenarios showed: docs/endings.md and docs/kubectl.md."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from kubekit.console import TextView
from kubekit.events import Event
from tests.cluster.scenarios.harness import KUBECTL_SECONDS, Played
from tests.conftest import ROOT

ENDINGS_HEAD = """\
# How a rollout ends

Each ending as `kubekit build-and-apply` told it on a real Minikube, from its last stage on.
`pytest tests/cluster/scenarios --write-docs` writes this page from what was seen; only the names
of namespaces and pods are made the same everywhere. Do not edit it.

The rows are those of the study of failures. A cause of tier A decides on first sight of its
evidence, one of tier B when that has stood for the seconds named, one of tier C only explains what
is waited for when the time is over, `before` is told before anything is written, and W is no
failure. Seconds are counted from the first write to the verdict, and from the first evidence that
anybody could have read from the API to the verdict.

| what | rows | tier | exit code | id (in `-o json`) | s after the apply | s after the evidence |
|---|---|---|---|---|---|---|"""
KUBECTL_HEAD = f"""\
# Beside kubectl

`kubectl rollout status deploy/web --timeout={KUBECTL_SECONDS}s` ran beside kubekit on the same
rollouts of [endings.md](endings.md), from the moment the Deployment was there. What it said last
is its only word on the matter. `pytest tests/cluster/scenarios --write-docs` writes this page from
what was seen. Do not edit it.

| what | kubekit: s | kubekit: cause | kubectl: s | exit | kubectl: words |
|---|---|---|---|---|---|"""


def write(plays: Mapping[str, Played]) -> None:
    """Write both pages."""
    (ROOT / "docs" / "endings.md").write_text(endings(plays))
    (ROOT / "docs" / "kubectl.md").write_text(beside(plays))


def endings(plays: Mapping[str, Played]) -> str:
    """The page of all endings."""
    rows = [_row(name, played) for name, played in plays.items()]
    parts = [_section(name, played) for name, played in plays.items()]
    return "\n".join([ENDINGS_HEAD, *rows, "", *parts])


def beside(plays: Mapping[str, Played]) -> str:
    """The page that sets kubectl's words beside kubekit's, for all that went wrong."""
    failed = [(name, one) for name, one in plays.items() if one.outcome.code not in (0, 130)]
    rows = [_compared(name, played) for name, played in failed]
    return "\n".join([KUBECTL_HEAD, *rows, ""])


def drawing(events: list[dict[str, Any]]) -> str:
    """What the text view makes of these events."""
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding="utf-8", write_through=True) as err:
        _draw(TextView(err, err, verbosity=0), events)
        return buffer.getvalue().decode()


def _draw(view: TextView, events: list[dict[str, Any]]) -> None:
    kinds = {kind.type: kind for kind in Event.__subclasses__()}
    for event in events:
        fields = {key: value for key, value in event.items() if key not in ("v", "type")}
        view(kinds[event["type"]](**fields))
    view.close()


def _row(name: str, played: Played) -> str:
    scenario, outcome = played.scenario, played.outcome
    tier = f"B ({scenario.patience:.0f} s)" if scenario.tier == "B" else scenario.tier
    cells = (
        f"[{name}](#{name})",
        ", ".join(map(str, scenario.rows)),
        tier,
        str(outcome.code),
        outcome.last.get("id", ""),
        f"{played.after_apply:.1f}",
        _seconds(played.after_evidence),
    )
    return f"| {' | '.join(cells)} |"


def _compared(name: str, played: Played) -> str:
    ours = _cell(played.outcome.last["message"], played)
    if played.kubectl is None:
        theirs = "| | | not asked: the Deployment was never written |"
    else:
        kubectl = played.kubectl
        words = _cell(kubectl.words, played)
        theirs = f"| {kubectl.seconds:.0f} | {kubectl.code} | {words} |"
    return f"| [{name}](endings.md#{name}) | {played.after_apply:.1f} | {ours} {theirs}"


def _cell(text: str, played: Played) -> str:
    return _same_names(text, played).replace("|", "\\|").replace("\n", " ")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _section(name: str, played: Played) -> str:
    outcome, scenario = played.outcome, played.scenario
    events = outcome.events
    starts = [at for at, event in enumerate(events) if event["type"] == "stage-started"]
    text = _same_names(drawing(events[starts[-1] if starts else 0 :]), played)
    asked = " ".join(("kubekit build-and-apply", *scenario.flags))
    seen = f"```console\n$ {asked}\n{text}$ echo $?\n{outcome.code}\n```"
    return f"## {name}\n{scenario.title}\n{seen}\n"


def _same_names(text: str, played: Played) -> str:
    """Names that are new in each run, made the same in all."""
    text = text.replace(played.outcome.project.name, "tasks")
    text = re.sub(r"web-[0-9a-f]{6,10}-[a-z0-9]{5}(?![a-z0-9])", "web-5d8c7b9f64-x2k4p", text)
    return re.sub(r"web-[0-9a-f]{8,10}\b(?!-)", "web-5d8c7b9f64", text)
