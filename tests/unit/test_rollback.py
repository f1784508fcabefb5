"""Which revision a rollback goes back to, and of which workloads: by when each became ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit import rollback
from kubekit.api.kube import ApiError
from kubekit.api.ownership import KINDS_ANNOTATION, OwnedSet
from kubekit.api.resources import KNOWN, Resource
from kubekit.errors import Place, RefusedError, UnreachableError, UsageError
from kubekit.events import Event, Warned
from kubekit.model import Applied, AppliedObject, Manifest, Object, Settings
from kubekit.rollback import Back, choose
from kubekit.rollout.kinds import REVISION
from kubekit.rollout.revisions import DEV_VOLUME, READY_ANNOTATION, remember, revisions
from kubekit.session import Run

FILE = Path("/p/kubekit.yaml")
KIND = KNOWN["apps/v1", "Deployment"]
OWNED = OwnedSet(project="x", namespace="x")


def deployment(name: str, kind: str = "Deployment") -> Object:
    metadata = {"name": name, "namespace": "x", "uid": name}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {}}


def replica_set(owner: str, number: int, ready_at: str = "", made_at: str = "T0") -> Object:
    ready = {READY_ANNOTATION: ready_at} if ready_at else {}
    return {
        "metadata": {
            "name": f"{owner}-{number}",
            "creationTimestamp": made_at,
            "annotations": {REVISION: str(number), **ready},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": f"i:{number}"}]}}},
    }


def controller_revision(owner: str, number: int, ready_at: str = "") -> Object:
    """The same as what a StatefulSet or a DaemonSet has: a patch that brings it back."""
    one = replica_set(owner, number, ready_at)
    del one["metadata"]["annotations"][REVISION]
    template = {**one.pop("spec")["template"], "$patch": "replace"}
    template["metadata"] = {"creationTimestamp": None, "labels": {"app": owner}}
    return {**one, "revision": number, "data": {"spec": {"template": template}}}


class Cluster:
    """An API that lists these ReplicaSets and notes what is asked to be changed.

    Attributes:
        refuses: a Deployment whose trial ends in a conflict.
        away: a Deployment that it does not answer the writing of.
    """

    context = "x"

    def __init__(self, *sets: Object, refuses: str = "", away: str = "") -> None:
        self.sets = list(sets)
        self.refuses = refuses
        self.away = away
        self.changed: list[str] = []

    def server_now(self) -> float:
        return 0.0

    def get(self, _path: str) -> Object:
        return {"metadata": {"annotations": {KINDS_ANNOTATION: "Deployment.apps"}}}

    def list(self, path: str) -> list[Object]:
        kept = "data" if path.endswith("controllerrevisions") else "spec"
        return [one for one in self.sets if kept in one]

    def request(self, _method: str, path: str, **_: object) -> None:
        self.changed.append(path.rpartition("/")[2])

    def apply(self, path: str, obj: Object, *, dry_run: bool = False, force: bool = False) -> Any:
        assert not force
        name = path.rpartition("/")[2]
        if dry_run and name == self.refuses:
            said = {"message": 'conflict with "kubectl-set"', "field": ".spec.template"}
            cause = {"reason": "FieldManagerConflict", **said}
            raise ApiError(status=409, reason="Conflict", message="no", causes=(cause,))
        if not dry_run and name == self.away:
            raise UnreachableError("does not answer")
        if not dry_run:
            self.changed.append(name)

        class Answer:
            data = obj
            date = 1.0

        return Answer


def chosen(
    monkeypatch: pytest.MonkeyPatch, *sets: Object, told: list[Event] | None = None
) -> dict[str, int]:
    """What goes back, and to which revision; nothing else is `told`."""
    said: list[Event] = []
    owners = dict.fromkeys(str(one["metadata"]["ownerReferences"][0]["uid"]) for one in sets)
    live = [(KIND, deployment(name)) for name in owners]
    monkeypatch.setattr(rollback, "members", lambda *_: live)
    kube: Any = Cluster(*sets)
    backs = choose(kube, OWNED, emit=said.append)
    if told is None:
        assert said == []
    else:
        told += said
    return {back.live["metadata"]["name"]: back.revision.number for back in backs}


def test_those_of_the_last_release_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    old = (replica_set("a", 1, "T1"), replica_set("b", 1, "T1"), replica_set("b", 2, "T2"))
    assert chosen(monkeypatch, *old, replica_set("a", 2, "T3")) == {"a": 1}
    assert chosen(monkeypatch, *old, replica_set("a", 2)) == {"a": 1}, "it was never ready"
    broken = (replica_set("a", 2), replica_set("a", 3))
    assert chosen(monkeypatch, *old, *broken) == {"a": 1}, "nor was the one before it"
    with pytest.raises(UsageError, match="no earlier revision"):
        chosen(monkeypatch, replica_set("a", 1, "T1"))


@pytest.mark.parametrize("ready_at", ["", "T2"], ids=["crashes", "runs"])
def test_what_came_with_the_release_stays_and_the_others_go_back(
    monkeypatch: pytest.MonkeyPatch, ready_at: str
) -> None:
    new = replica_set("worker", 1, ready_at)
    before, after = replica_set("web", 1, "T1"), replica_set("web", 2, ready_at)
    for sets in ((new, before, after), (before, after, new)):
        told: list[Event] = []
        assert chosen(monkeypatch, *sets, told=told) == {"web": 1}
        (warned,) = told
        assert isinstance(warned, Warned)
        assert warned.text.startswith("Deployment/worker stays as it is")
    with pytest.raises(UsageError, match="Deployment/worker has no earlier revision"):
        chosen(monkeypatch, new, replica_set("web", 1, "T1"))


@pytest.mark.parametrize("ready_at", ["", "T3"], ids=["never noted", "noted just now"])
def test_what_nothing_is_known_of_holds_no_other_back(
    monkeypatch: pytest.MonkeyPatch, ready_at: str
) -> None:
    """Nothing was noted of it before: by an older kubekit, or for want of a right."""
    web = replica_set("web", 1, "T1"), replica_set("web", 2, "T2")
    told: list[Event] = []
    assert chosen(monkeypatch, *web, replica_set("db", 1, ready_at), told=told) == {"web": 1}
    (warned,) = told
    assert isinstance(warned, Warned)
    assert warned.text.startswith("Deployment/db stays as it is")
    assert chosen(monkeypatch, *web, replica_set("old", 1, "T1")) == {"web": 1}, "it was not in it"


@pytest.mark.parametrize("ready_at", ["", "T4"], ids=["crashes", "runs"])
def test_a_release_that_only_brought_something_takes_nothing_else_back(
    monkeypatch: pytest.MonkeyPatch, ready_at: str
) -> None:
    web = replica_set("web", 1, "T1"), replica_set("web", 2, "T2")
    with pytest.raises(UsageError, match="Deployment/worker has no earlier revision"):
        chosen(monkeypatch, *web, replica_set("worker", 1, ready_at, made_at="T3"))


def of_dev(one: Object) -> Object:
    one["spec"]["template"]["spec"]["volumes"] = [{"name": "data"}, {"name": DEV_VOLUME}]
    return one


def test_a_revision_of_dev_is_nowhere_to_go_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran in it was synced, and nobody syncs any more."""
    first, present = replica_set("a", 1, "T1"), replica_set("a", 3, "T3")
    dev = of_dev(replica_set("a", 2, "T2"))  # an earlier kubekit took it for a good one
    assert chosen(monkeypatch, first, dev, present) == {"a": 1}
    assert chosen(monkeypatch, first, dev) == {"a": 1}, "what `dev --keep` has left goes back"
    with pytest.raises(UsageError, match="no earlier revision") as error:
        chosen(monkeypatch, dev, present)
    assert "of `kubekit dev`" in error.value.details[1]


def test_what_dev_has_made_ready_is_not_noted() -> None:
    live = deployment("a")
    item = AppliedObject(
        manifest=Manifest(data=live, origin=Place(file=FILE)), action="configured", live=live
    )
    kube: Any = Cluster(replica_set("a", 1, "T1"), of_dev(replica_set("a", 2)))
    remember(kube, Applied(objects=(item,), since=0.0), namespace="x")
    assert kube.changed == []


@pytest.mark.parametrize(
    ("present", "before", "action", "noted"),
    [
        ("", "T1", "configured", True),
        ("", "", "unchanged", True),
        ("T1", "T2", "configured", True),
        ("T2", "T1", "unchanged", False),
        ("T2", "T1", "configured", False),
    ],
    ids=["new", "seen late", "an old one again", "nothing to do", "another number of replicas"],
)
def test_only_what_became_ready_just_now_is_noted_to_be(
    present: str, before: str, action: str, noted: bool
) -> None:
    live = deployment("a")
    item = AppliedObject(
        manifest=Manifest(data=live, origin=Place(file=FILE)), action=action, live=live
    )
    kube: Any = Cluster(replica_set("a", 1, before), replica_set("a", 2, present))
    remember(kube, Applied(objects=(item,), since=0.0), namespace="x")
    assert kube.changed == (["a-2"] if noted else [])


SETTINGS = Settings(file=FILE, name="x", namespace="x", profile="x", manifests=())


def backs_of(names: str) -> list[Back]:
    sets = [replica_set(name, 1, "T1") for name in names]
    return [
        Back(
            resource=KIND,
            live=deployment(name),
            revision=revisions(sets, deployment(name))[0],
        )
        for name in names
    ]


def test_one_that_is_refused_leaves_the_others_as_they_are() -> None:
    kube: Any = Cluster(refuses="b")
    run = Run(emit=lambda _: None)
    with pytest.raises(RefusedError, match="is managed by `kubectl-set`") as caught:
        rollback._apply(SETTINGS, backs_of("ab"), kube, run)
    assert kube.changed == []
    assert "--take-ownership" in caught.value.hints[0]
    kube.refuses = ""
    rollback._apply(SETTINGS, backs_of("ab"), kube, run)
    assert kube.changed == ["a", "b"]


def test_one_that_ends_half_way_says_what_was_written() -> None:
    kube: Any = Cluster(away="b")
    with pytest.raises(UnreachableError) as caught:
        rollback._apply(SETTINGS, backs_of("abc"), kube, Run(emit=lambda _: None))
    assert kube.changed == ["a"]
    written, missing = caught.value.details
    assert written == "written before it: Deployment/a"
    assert missing.startswith("not written: Deployment/c;")


def test_fields_of_kubectl_apply_are_not_taken_over() -> None:
    """Its `replicas` would be gone with the next apply."""
    (back,) = backs_of("a")
    entry = {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {}}
    back.live["metadata"]["managedFields"] = [entry]
    kube: Any = Cluster()
    rollback._apply(SETTINGS, [back], kube, Run(emit=lambda _: None))
    assert kube.changed == ["a"]


def member(name: str, kind: str) -> tuple[Resource, Object]:
    return KNOWN["apps/v1", kind], deployment(name, kind)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_sets_go_back_by_their_controller_revisions(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube: Any = Cluster(
        *(replica_set("web", number, "T1") for number in (1, 2)),
        *(controller_revision("db", 9, "T1"), controller_revision("db", 10, "")),
    )
    monkeypatch.setattr(rollback, "read_kinds", lambda *_: frozenset({"Pod", f"{kind}.apps"}))
    asked: list[frozenset[str]] = []

    def members(_kube: object, _owned: object, kinds: frozenset[str]) -> list[Any]:
        asked.append(kinds)
        return [member("web", "Deployment"), member("db", kind)]

    monkeypatch.setattr(rollback, "members", members)
    (back,) = choose(kube, OWNED, emit=lambda _: None)
    assert asked == [{f"{kind}.apps"}], "who may not list the others need not"
    assert back.told == f"{kind}/db to revision 9, image i:9, ready at T1"
    sent = rollback._sent(back)
    assert (sent["apiVersion"], sent["kind"]) == ("apps/v1", kind)
    containers = [{"name": "app", "image": "i:9"}]
    metadata = {"labels": {"app": "db"}}
    assert sent["spec"]["template"] == {"metadata": metadata, "spec": {"containers": containers}}


def test_what_goes_back_is_told_with_when_it_was_ready() -> None:
    (back,) = backs_of("a")
    assert back.told == "Deployment/a to revision 1, image i:1, ready at T1"
