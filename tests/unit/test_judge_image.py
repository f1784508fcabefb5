"""Images that cannot be had: each entry of the catalogue, and what is near it and is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubekit.model import Object
from kubekit.rollout.finders import images
from kubekit.rollout.judge import judge
from kubekit.rollout.reading import containers_of
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, WAITING, Finding, Verdict
from kubekit.rollout.wants import KeysOf, NodesOf, OnHost, Want
from tests.unit.rollouts import NOW, container, event, pod, running, snapshot, step_by_step, waiting

IMAGE = container()["image"]
NEVER = waiting("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy')
UNKNOWN = waiting("ErrImagePull", "Error response from daemon: manifest unknown")
AWAY = waiting("ErrImagePull", "dial tcp: lookup registry-1.docker.io: no such host")


def node(*names: str, version: str = "v1.34.4") -> Object:
    images = [{"names": [name, f"{name.partition(':')[0]}@sha256:0"]} for name in names]
    return {"status": {"images": images, "nodeInfo": {"kubeletVersion": version}}}


def snap(state: Object, *nodes: Object, on_host: bool = False, **changes: Any) -> Snapshot:
    """A pod in this state, where all that is asked for is known; it has waited since NOW."""
    facts = {OnHost(image=IMAGE): on_host, NodesOf(): nodes}
    here = pod(state=state)
    (container,) = containers_of(here)
    seen = {("web-2-a", "app", container.waits_for): NOW}
    return snapshot(here, facts=facts, seen=seen, **changes)


def failed(shot: Snapshot, after: float = 0.0) -> Finding:
    verdict = judge(shot, NOW + after)
    assert verdict.state == FAILED, verdict
    assert verdict.finding is not None
    assert step_by_step(shot, NOW + after) == verdict.finding.id
    return verdict.finding


def is_waiting(shot: Snapshot, after: float = 0.0) -> Verdict:
    verdict = judge(shot, NOW + after)
    assert verdict.state == WAITING, verdict
    assert step_by_step(shot, NOW + after) is None
    return verdict


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (NEVER, "image-never-pulled"),
        (waiting("InvalidImageName", "couldn't parse image"), "image-invalid-name"),
        (UNKNOWN, "image-not-found"),
        (waiting("ErrImagePull", "pull access denied for web, denied"), "image-not-found"),
        (waiting("ImagePullBackOff", "Back-off: unauthorized"), "image-denied"),
    ],
)
def test_what_cannot_pass_is_told_at_once(state: Object, cause: str) -> None:
    assert failed(snap(state)).id == cause


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (AWAY, "image-registry-unreachable"),
        (waiting("ImagePullBackOff", "toomanyrequests: wait"), "image-registry-unreachable"),
        (waiting("RegistryUnavailable", "who knows"), "image-pull-failed"),
        (waiting("ImageInspectError", "who knows"), "image-pull-failed"),
    ],
)
def test_what_may_pass_gets_its_time(state: Object, cause: str) -> None:
    likely = is_waiting(snap(state), 44).finding
    assert likely is not None
    assert failed(snap(state), 46).id == likely.id == cause
    is_waiting(snap(state, patience=2.0), 46)


DENIED = waiting("ErrImagePull", 'Head "https://r.io/v2/web": no basic auth credentials')


def refused_pull(*named: str, there: tuple[str, ...] = (), lacked: float | None = None) -> Snapshot:
    """A pod that was not let in at NOW, and when it last lacked a pull secret."""
    here = pod(state=DENIED)
    here["spec"]["imagePullSecrets"] = [{"name": name} for name in named]
    events = [
        event("Failed", 'Failed to pull image "web:kk-1": no basic auth credentials'),
        # Neither is the end of a try: one begins, and one is put off.
        event("Pulling", "Pulling image", when=60),
        event("Failed", "Error: ImagePullBackOff", when=60),
    ]
    if lacked is not None:
        text = "Unable to retrieve some image pull secrets"
        events.append(event("FailedToRetrieveImagePullSecret", text, when=lacked))
    keys: dict[Want, object] = {
        KeysOf(kind="Secret", name=name): ("x",) if name in there else None for name in named
    }
    return snapshot(here, facts=keys, events=tuple(events))


def test_a_pull_that_is_refused_is_told_with_what_the_pod_logs_in_with() -> None:
    assert is_waiting(replace(refused_pull("pull"), facts={})).wants == {
        KeysOf(kind="Secret", name="pull")
    }
    without = failed(refused_pull())
    assert without.cause == f"the registry does not let the node pull `{IMAGE}`"
    assert without.fix == "create a pull secret and name it in `imagePullSecrets`"
    absent = failed(refused_pull("pull", lacked=0))
    assert "Secret `pull`, which `imagePullSecrets` names, is not there" in absent.cause
    wrong = failed(refused_pull("pull", there=("pull",)))
    assert wrong.cause.endswith("with the login in Secret `pull`")
    # Somebody who may not read Secrets is not told that there is none.
    assert failed(refused_pull("pull")).cause == wrong.cause


def test_a_pull_secret_that_has_come_since_the_last_try_is_waited_for() -> None:
    is_waiting(refused_pull("pull", there=("pull",), lacked=0))
    # The next try was made with it.
    assert failed(refused_pull("pull", there=("pull",), lacked=-2)).id == "image-denied"


def test_it_is_asked_what_is_there_before_an_image_is_called_absent() -> None:
    denied = waiting("ErrImagePull", "pull access denied for web, denied")
    for state in (NEVER, UNKNOWN, denied, AWAY):
        asked = is_waiting(snapshot(pod(state=state))).wants
        assert asked == {OnHost(image=IMAGE), NodesOf()}
    assert not is_waiting(snapshot(pod(state=waiting("ContainerCreating")))).wants


@pytest.mark.parametrize("state", [NEVER, UNKNOWN])
def test_an_image_that_only_this_machine_has(state: Object) -> None:
    finding = failed(snap(state, on_host=True))
    assert finding.id == "image-only-on-host"
    assert f"minikube image load --daemon {IMAGE}" in finding.fix
    assert failed(snap(state)).id != finding.id


def test_a_registry_out_of_reach_is_no_proof_that_it_lacks_the_image() -> None:
    shot = snap(AWAY, on_host=True)
    is_waiting(shot, 44)
    assert failed(shot, 46).id == "image-only-on-host"
    is_waiting(snap(AWAY, on_host=True, patience=2.0), 46)


@pytest.mark.parametrize(
    ("state", "cause", "after"),
    [
        (NEVER, "image-never-pulled", 0),
        (UNKNOWN, "image-not-found", 0),
        (AWAY, "image-registry-unreachable", 46),
    ],
)
def test_what_may_not_be_known_holds_nothing_up(state: Object, cause: str, after: float) -> None:
    unknown = snap(state)
    facts: dict[Want, object] = {OnHost(image=IMAGE): None, NodesOf(): None}
    assert failed(replace(unknown, facts=facts), after).id == cause


@pytest.mark.parametrize(
    ("there", "cause", "fix"),
    [
        (["web:kk-2", "other:1"], "`web:kk-2` is there", "did you mean `web:kk-2`?"),
        (["wep:kk-1"], "`wep:kk-1` is there", "did you mean `wep:kk-1`?"),
        (["postgres:16", "registry.k8s.io/web:kk-2"], "neither in the node", "check name and tag"),
        ([f"docker.io/library/{IMAGE}"], "`imagePullPolicy` is Always", "IfNotPresent"),
    ],
)
def test_what_is_there_in_place_of_an_image(there: list[str], cause: str, fix: str) -> None:
    finding = failed(snap(UNKNOWN, node(*there)))
    assert cause in finding.cause
    assert fix in finding.fix


def test_an_image_in_the_node_too_is_not_only_on_this_machine() -> None:
    assert failed(snap(UNKNOWN, node(IMAGE), on_host=True)).id == "image-not-found"


@pytest.mark.parametrize("built", ["web:kk-9", "wep:kk-1"])
def test_another_name_than_that_of_what_was_built(built: str) -> None:
    shot = snap(UNKNOWN, node("other:1"))
    shot = replace(shot, target=replace(shot.target, images={built: frozenset({"sha256:1"})}))
    finding = failed(shot)
    assert f"this run built `{built}`" in finding.cause
    assert "{{ image }}" in finding.fix


@pytest.mark.parametrize(
    ("version", "cause"),
    [("v1.35.0", "image-needs-credentials"), ("v1.34.9", "image-never-pulled")],
)
def test_an_image_in_the_node_that_the_pod_may_not_use(version: str, cause: str) -> None:
    assert failed(snap(NEVER, node(IMAGE, version=version))).id == cause
    assert failed(snap(NEVER, node("other:1", version=version))).id == "image-never-pulled"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no matching manifest for linux/arm64/v8 in the manifest list", "`linux/arm64/v8`"),
        ("no match for platform in manifest: not found", "the node's processor"),
    ],
)
def test_an_image_for_another_platform(said: str, told: str) -> None:
    finding = failed(snap(waiting("ErrImagePull", said)))
    assert finding.id == "image-wrong-platform"
    assert failed(snap(waiting("ErrImagePull", said), on_host=True)).id == finding.id
    assert told in finding.cause


def pulls(*more: Object) -> Snapshot:
    events = (event("Pulling", 'Pulling image "web:kk-1"', when=0), *more)
    return snapshot(pod(state=waiting("ContainerCreating")), events=events)


def test_a_long_pull_is_told_and_fails_nothing() -> None:
    assert is_waiting(pulls(), 4).finding is None
    short, long = (is_waiting(pulls(), seconds).finding for seconds in (6, 500))
    assert short is not None
    assert long is not None
    assert (short.id, long.id) == ("image-pulling", "image-pulling")
    assert long.cause.endswith("for more than 500 s")


@pytest.mark.parametrize("reason", ["Pulled", "Failed", "BackOff"])
def test_a_pull_that_has_ended_is_not_told(reason: str) -> None:
    assert is_waiting(pulls(event(reason, "x", when=0)), 60).finding is None
    started = snapshot(pod(state=running(1)), events=pulls().events)
    assert is_waiting(started, 6).finding is None


def test_a_try_and_its_back_off_are_told_alike() -> None:
    said = "dial tcp: i/o timeout"
    states = (
        waiting("ErrImagePull", said),
        waiting("ImagePullBackOff", f'Back-off pulling image "a:b": ErrImagePull: {said}'),
    )
    causes = {str(is_waiting(snap(state)).finding) for state in states}
    assert len(causes) == 1


@pytest.mark.parametrize(
    ("image", "known", "near"),
    [
        ("registry.example:5000/nothing:1", ["registry.example:5000/slow/tasks:1"], None),
        ("registry.example:5000/taks:1", ["registry.example:5000/tasks:1"], "tasks:1"),
    ],
)
def test_a_registry_they_share_makes_no_two_images_alike(
    image: str, known: list[str], near: str | None
) -> None:
    found = images.nearest(image, known)
    assert found == (near and f"registry.example:5000/{near}")
