"""A fault at each request of each run that changes something: nothing twice, none lost.

What changes something goes wrong in every way, what only asks in one each, drawn by lot. A few of
them in `make test`, others at each commit (`tests/drawn.py`); all of them where it is named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kubekit import workflow
from kubekit.api.kube import Kube
from kubekit.api.ownership import MEMBER_LABEL
from kubekit.api.resources import KNOWN, LEASES, NAMESPACE
from kubekit.errors import KubekitError, UnreachableError
from kubekit.session import Run
from tests import drawn
from tests.cluster.conftest import Project
from tests.cluster.plain import without_image
from tests.cluster.scenarios import access
from tests.cluster.scenarios.running import THROUGH
from tests.cluster.stand import CHANGE, TRIAL, Stand, told

pytestmark = pytest.mark.cluster

BRIEF = ("busy", "broken", "cut", "lost", "halved", "drip", "away")
"""Faults that end by themselves, so that the run must end well."""

LASTING = "down"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {turn: '%s'}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: one}\n"
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]%s}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  replicas: 0
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec: {containers: [{name: app, image: "python:3.13-slim", args: ["%s"]}]}
"""

Deed = Callable[[Stand], None]


@dataclass(frozen=True, kw_only=True)
class Act:
    """What comes before, the run that meets the fault, and what is there afterwards.

    Attributes:
        sample: how many of its faults are played in `make test`.
    """

    before: Deed
    run: Deed
    left: set[str]
    sample: int = 2


def fresh(stand: Stand) -> None:
    stand.files(
        a=CONFIG % ("a", 1), b=CONFIG % ("b", 1), login=SECRET, web=SERVICE % ", clusterIP: None"
    )


def shrunk(stand: Stand) -> None:
    fresh(stand)
    stand.apply()
    stand.files(a=CONFIG % ("a", 2), c=CONFIG % ("c", 1))


def another_address(stand: Stand) -> None:
    stand.files(a=CONFIG % ("a", 1), web=SERVICE % "")
    stand.apply()
    stand.files(a=CONFIG % ("a", 2), web=SERVICE % ", clusterIP: None")


def of_kubectl(stand: Stand) -> None:
    """An object that kubectl has applied, handed over, with a field that is to go."""
    stand.files(b=CONFIG % ("b", 1))
    stand.apply()
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}'
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "labels": {MEMBER_LABEL: stand.owned.id},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last},
        },
        "data": {"gone": "yes", "turn": "0"},
    }
    path = KNOWN["v1", "ConfigMap"].path(stand.namespace)
    query = {"fieldManager": "kubectl-client-side-apply"}
    stand.kube().request("POST", path, query=query, body=body)
    stand.files(a=CONFIG % ("a", 1), b=CONFIG % ("b", 1))


def released(stand: Stand, version: str) -> None:
    names = ("one", "two")
    stand.files(**{name: DEPLOYMENT % (name, name, name, version) for name in names})
    stand.apply()


def two_releases(stand: Stand) -> None:
    released(stand, "first")
    released(stand, "second")


def roll_back(stand: Stand) -> None:
    # One that was cut off half-way has brought back the first of them, and goes on with the rest.
    kube = stand.kube()
    live = kube.list(KNOWN["apps/v1", "Deployment"].path(stand.namespace))
    if {told({"kind": "Deployment", **one})[0] for one in live} != {"first"}:
        workflow.rollback(stand.settings(), Run(emit=stand.told.append))


def deployed(stand: Stand) -> None:
    fresh(stand)
    stand.project.write("manifests/one.yaml", DEPLOYMENT % ("one", "one", "one", "first"))
    stand.apply()


def tear_down(stand: Stand) -> None:
    workflow.teardown(stand.settings(), Run(emit=stand.told.append))


BASE = {"Namespace", "ConfigMap/parent"}
ACTS = {
    "apply": Act(
        before=fresh,
        run=Stand.apply,
        left=BASE | {"ConfigMap/a", "ConfigMap/b", "Secret/login", "Service/web"},
    ),
    "prune": Act(before=shrunk, run=Stand.apply, left=BASE | {"ConfigMap/a", "ConfigMap/c"}),
    "recreate": Act(
        before=another_address,
        run=lambda stand: stand.apply(recreate=True),
        left=BASE | {"ConfigMap/a", "Service/web"},
    ),
    "hand over": Act(
        before=of_kubectl, run=Stand.apply, left=BASE | {"ConfigMap/a", "ConfigMap/b"}
    ),
    "rollback": Act(
        before=two_releases,
        run=roll_back,
        left=BASE | {"Deployment/one", "Deployment/two"},
        sample=1,
    ),
    "teardown": Act(before=deployed, run=tear_down, left=set(), sample=2),
}


@pytest.fixture
def faulty(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    without_image(project)
    access.through_busy_proxy(project)
    monkeypatch.setenv("KUBECONFIG", project.env[THROUGH])
    yield project
    access.no_busy_proxy(project)


@contextlib.contextmanager
def stand_of(project: Project) -> Iterator[Stand]:
    stand = Stand(project=project, proxy=access.BUSY[project.name])
    try:
        yield stand
    finally:
        with contextlib.suppress(KubekitError):
            stand.kube().request("DELETE", NAMESPACE.path("", stand.namespace))


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """A server that is gone is waited for shorter."""
    with pytest.MonkeyPatch.context() as patch:
        for method in (Kube.request, Kube.get, Kube.list):
            patch.setitem(method.__kwdefaults__ or {}, "patience", 1.0)
        yield


def played(
    project: Project, act: Act, kind: str = "", which: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """What is there after the run, or after the next one; the names of what the run asked for."""
    with stand_of(project) as stand:
        error: UnreachableError | None = None
        act.before(stand)
        with stand.failing(kind, which):
            if kind == LASTING:
                with impatient():
                    error = failed(act, stand)
            else:
                act.run(stand)
        names, runs = [*filter(None, stand.names)], 1
        if error is not None:
            assert "does not answer" in error.message
            assert error.hints
        elif kind == LASTING and which in names:
            (last,) = stand.proxy.asked[-1:]
            assert "/leases/" in last[1] or stand.warned, "what was not done was not told"
        # What one of many kinds holds is not waited for as long as a server may be away.
        if kind == LASTING or (kind == "away" and stand.warned):
            act.run(stand)
            runs += 1
        assert stand.created_twice(runs) == []
        if kind not in {LASTING, "away"}:  # its end may not be waited for
            assert stand.kube().list(LEASES.path(stand.namespace)) == []
        seen = stand.seen()
        parent = f"ConfigMap/{stand.owned.parent}"
        return {"ConfigMap/parent" if key == parent else key: seen[key] for key in seen}, names


def failed(act: Act, stand: Stand) -> UnreachableError | None:
    try:
        act.run(stand)
    except UnreachableError as error:
        return error
    return None


def made_good(project: Project, name: str, kind: str, which: str, wanted: dict[str, Any]) -> bool:
    """Play one fault, after which all is as ever; whether it was met."""
    where = f"{name}: {kind} at {which}"
    print(where)
    try:
        seen, names = played(project, ACTS[name], kind, which)
    except KubekitError as error:
        raise AssertionError(f"{where}: {error.message}, {error.details}") from error
    assert seen == wanted, where
    return which in names


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ACTS)
def test_a_request_that_goes_wrong_is_made_good(
    faulty: Project, name: str, pytestconfig: pytest.Config
) -> None:
    act = ACTS[name]
    wanted, names = played(faulty, act)
    assert set(wanted) == act.left
    changes = [one for one in names if one.startswith(CHANGE)]
    assert len(changes) >= 3
    cases = [(kind, which) for kind in (*BRIEF, LASTING) for which in changes]
    for kind, which in drawn.some(pytestconfig, f"faults-{name}", cases, act.sample):
        met = made_good(faulty, name, kind, which, wanted)
        assert met, f"{which} of {len(changes)} was not asked for"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["prune", "teardown"])
def test_a_question_that_goes_wrong_is_asked_again(
    faulty: Project, name: str, pytestconfig: pytest.Config
) -> None:
    """What is there is asked as often as it takes, so not every question comes in each play."""
    wanted, names = played(faulty, ACTS[name])
    trials = sorted(one for one in names if one.startswith(TRIAL))
    reads = sorted(one for one in names if one.startswith("GET"))
    assert reads
    assert bool(trials) == (name == "prune")
    asked = drawn.some(pytestconfig, f"trials-{name}", trials, 1)
    asked += drawn.some(pytestconfig, f"questions-{name}", reads, 2)
    chance = drawn.chance(pytestconfig, f"kinds-{name}")
    cases = [(chance.choice((*BRIEF, LASTING)), which) for which in asked]
    met = [made_good(faulty, name, kind, which, wanted) for kind, which in cases]
    assert any(met), "none of them was asked again"
