"""A fault at each request that changes something, of each run that does: nothing twice, none lost.

A seeded sample of the combinations in `make test`, all of them with `--rounds 3`.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kubekit import workflow
from kubekit.api.kube import Kube
from kubekit.api.ownership import KINDS_ANNOTATION, MEMBER_LABEL, OwnedSet
from kubekit.api.resources import DEPLOYMENTS, KNOWN, LEASES, NAMESPACE, ref
from kubekit.config.load import load
from kubekit.errors import KubekitError, UnreachableError
from kubekit.model import Cancel, Consent, Object, Settings
from kubekit.session import Run
from tests.cluster.busyproxy import BusyProxy
from tests.cluster.conftest import PROFILE, Project
from tests.cluster.plain import without_image
from tests.cluster.scenarios import access
from tests.cluster.scenarios.running import THROUGH

pytestmark = pytest.mark.cluster

BRIEF = ("busy", "broken", "cut", "lost", "halved", "drip", "away")
"""Faults that end by themselves, so that the run must end well."""

LASTING = "down"
KINDS = [
    KNOWN[api, kind]
    for api, kind in (
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
    )
]
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


@dataclass(kw_only=True)
class Stand:
    """One play: a project in a namespace of its own, and what is said and left of it."""

    project: Project
    proxy: BusyProxy
    namespace: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:8]}")
    changing: int = 0

    @property
    def owned(self) -> OwnedSet:
        return OwnedSet(project=self.project.name, namespace=self.namespace)

    @contextlib.contextmanager
    def failing(self, kind: str, which: int) -> Iterator[None]:
        """The request of this number that changes something goes wrong, counted from 0."""
        self.changing = 0
        self.proxy.answered.clear()

        def fault(method: str, path: str) -> str:
            if method == "GET" or "dryRun" in path:
                return ""
            self.changing += 1
            return kind if self.changing == which + 1 else ""

        self.proxy.fault = fault
        yield
        self.proxy.fault = lambda _method, _path: ""
        self.proxy.back()

    def settings(self, *, recreate: bool = False) -> Settings:
        given = load(
            flags={"namespace": self.namespace, "profile": PROFILE},
            environ={},
            cwd=self.project.folder,
            active_profile=lambda: None,
        )
        return replace(given, consent=Consent(recreate=recreate))

    def files(self, **texts: str) -> None:
        """These manifests and no others."""
        for old in (self.project.folder / "manifests").iterdir():
            old.unlink()
        for name, text in texts.items():
            self.project.write(f"manifests/{name}.yaml", text)

    def apply(self, *, recreate: bool = False) -> None:
        workflow.build_and_apply(self.settings(recreate=recreate), Run(emit=lambda _: None))

    def kube(self) -> Kube:
        return Kube(context=PROFILE, cancel=Cancel())

    def seen(self) -> dict[str, Any]:
        """What is there of anybody, as far as it is the same each time."""
        kube, found = self.kube(), {}
        for kind in KINDS:
            for item in kube.list(kind.path(self.namespace)):
                if item["metadata"]["name"] != "kube-root-ca.crt":
                    obj = {"kind": kind.kind, **item}
                    found[ref(obj)] = told(obj)
        if kube.get(NAMESPACE.path("", self.namespace)):
            found["Namespace"] = None
        return found

    def created_twice(self) -> list[str]:
        """What the API server has made more than once, but for the Lease of each run."""
        made = Counter(
            path.partition("?")[0]
            for _, path, status in self.proxy.answered
            if status == 201 and "dryRun" not in path
        )
        return [path for path, count in made.items() if count > 1 and "/leases" not in path]


def told(obj: Object) -> Any:
    if obj["kind"] == "Deployment":
        return obj["spec"]["template"]["spec"]["containers"][0]["args"]
    if obj["kind"] == "Service":
        return obj["spec"]["clusterIP"] == "None"
    kinds = (obj["metadata"].get("annotations") or {}).get(KINDS_ANNOTATION)
    member = (obj["metadata"].get("labels") or {}).get(MEMBER_LABEL)
    return obj.get("data"), kinds, member is not None, obj["metadata"].get("deletionTimestamp")


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
    sample: int = 4


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
    live = kube.list(DEPLOYMENTS.path(stand.namespace))
    if {told({"kind": "Deployment", **one})[0] for one in live} != {"first"}:
        workflow.rollback(stand.settings(), Run(emit=lambda _: None))


def deployed(stand: Stand) -> None:
    fresh(stand)
    stand.project.write("manifests/one.yaml", DEPLOYMENT % ("one", "one", "one", "first"))
    stand.apply()


def tear_down(stand: Stand) -> None:
    workflow.teardown(stand.settings(), Run(emit=lambda _: None))


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
        sample=2,
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


def played(project: Project, act: Act, kind: str, which: int) -> tuple[dict[str, Any], int]:
    """What is there after the run, or after the next one; how many requests changed something."""
    with stand_of(project) as stand:
        error: UnreachableError | None = None
        act.before(stand)
        with stand.failing(kind, which):
            if kind == LASTING:
                with impatient():
                    error = failed(act, stand)
            else:
                act.run(stand)
        count = stand.changing
        assert count > which, "it was not asked for so often"
        if error is not None:
            assert "does not answer" in error.message
            assert error.hints
        elif kind == LASTING:
            (last,) = stand.proxy.asked[-1:]
            assert "/leases/" in last[1], "what was not done was not told"
        if kind == LASTING:
            act.run(stand)
        assert stand.created_twice() == []
        if kind not in {LASTING, "away"}:  # its end may not be waited for
            assert stand.kube().list(LEASES.path(stand.namespace)) == []
        seen = stand.seen()
        parent = f"ConfigMap/{stand.owned.parent}"
        return {"ConfigMap/parent" if key == parent else key: seen[key] for key in seen}, count


def failed(act: Act, stand: Stand) -> UnreachableError | None:
    try:
        act.run(stand)
    except UnreachableError as error:
        return error
    return None


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ACTS)
def test_a_request_that_goes_wrong_is_made_good(
    faulty: Project, name: str, pytestconfig: pytest.Config
) -> None:
    act = ACTS[name]
    wanted, count = played(faulty, act, "", -1)
    assert set(wanted) == act.left
    assert count >= 3
    cases = [(kind, which) for kind in (*BRIEF, LASTING) for which in range(count)]
    if pytestconfig.getoption("--rounds") == 1:
        cases = random.Random(f"faults-{name}").sample(cases, act.sample)
    for kind, which in cases:
        where = f"{name}: {kind} at request {which + 1} of {count}"
        print(where)
        try:
            seen, _ = played(faulty, act, kind, which)
        except KubekitError as error:
            raise AssertionError(f"{where}: {error.message}, {error.details}") from error
        assert seen == wanted, where
