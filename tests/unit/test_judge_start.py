"""Containers that cannot be made or started: each entry, and what is near it and is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubekit.model import Object
from kubekit.rollout.judge import judge
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, WAITING, Finding, Verdict
from kubekit.rollout.wants import KeysOf, LogOf
from tests.unit.rollouts import (
    NOW,
    at,
    container,
    event,
    pod,
    running,
    snapshot,
    step_by_step,
    waiting,
)

RUNC = (
    'failed to start container "9b": Error response from daemon: failed to create shim task: OCI '
    "runtime create failed: runc create failed: unable to start container process: "
)
CONTAINERD = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
    "create failed: unable to start container process: error during container init: "
)
LOGS: dict[Any, Any] = {
    LogOf(pod="web-2-a", container="app", attempt=number): "" for number in range(5)
}


def finding_of(snap: Snapshot, after: float = 0.0) -> Finding:
    verdict = judge(snap, NOW + after)
    assert verdict.state == FAILED, verdict
    assert verdict.finding is not None
    assert step_by_step(snap, NOW + after) == verdict.finding.id
    return verdict.finding


def failed(snap: Snapshot, after: float = 0.0) -> str:
    return finding_of(snap, after).id


def is_waiting(snap: Snapshot, after: float = 0.0) -> Verdict:
    verdict = judge(snap, NOW + after)
    assert verdict.state == WAITING, verdict
    assert step_by_step(snap, NOW + after) is None
    return verdict


@pytest.mark.parametrize(
    ("state", "cause", "after"),
    [
        (
            waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image will run as root",
            ),
            "runs-as-root",
            0,
        ),
        (waiting("CreateContainerConfigError", "something else"), "container-config", 11),
        (
            waiting("RunContainerError", 'exec: "nope": executable file not found in $PATH'),
            "command-not-found",
            0,
        ),
    ],
)
def test_a_container_that_waits(state: Object, cause: str, after: float) -> None:
    seen = {("web-2-a", "app", state["state"]["waiting"]["reason"]): NOW}
    assert failed(snapshot(pod(state=state), seen=seen), after) == cause


def test_a_missing_secret_is_looked_for_first() -> None:
    state = waiting("CreateContainerConfigError", 'secret "keys" not found')
    wanted = KeysOf(kind="Secret", name="keys")
    snap = snapshot(pod(state=state), seen={("web-2-a", "app", "CreateContainerConfigError"): NOW})
    assert is_waiting(snap, 5).wants == {wanted}
    gone = snapshot(pod(state=state), seen=snap.seen, configs={wanted: None})
    likely = is_waiting(gone, 11).finding
    assert likely is not None, "somebody else may be making it, but one is told"
    assert failed(gone, 13) == likely.id == "secret-missing"
    arrived = snapshot(pod(state=state), seen=snap.seen, configs={wanted: ("A",)})
    is_waiting(arrived, 5)


def test_a_missing_key_names_the_keys_there_are() -> None:
    state = waiting("CreateContainerConfigError", "couldn't find key B in Secret web/keys")
    wanted = KeysOf(kind="Secret", name="keys")
    verdict = judge(snapshot(pod(state=state), configs={wanted: ("A", "C")}), NOW)
    assert verdict.finding is not None
    assert verdict.finding.id == "secret-key-missing"
    assert "`B` (it has: A, C)" in verdict.finding.cause


def test_a_secret_that_a_volume_misses() -> None:
    mount = event(
        "FailedMount", 'MountVolume.SetUp failed for volume "x" : secret "keys" not found'
    )
    configs = {KeysOf(kind="Secret", name="keys"): None}
    snap = snapshot(pod(state=waiting("ContainerCreating")), events=(mount,), configs=configs)
    assert failed(snap, 14) == "secret-missing"


def template(**fields: object) -> Object:
    return {"metadata": {}, "spec": {"containers": [container(**fields)]}}


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        (
            {"envFrom": [{"configMapRef": {"name": "keys"}}, {"secretRef": {"name": "keys"}}]},
            'secret "keys" not found',
            ("envFrom", 1, "secretRef", "name"),
        ),
        (
            {
                "env": [
                    {"name": "A", "value": "keys"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "K"}}},
                ]
            },
            "couldn't find key K in Secret web/keys",
            ("env", 1, "valueFrom", "secretKeyRef", "key"),
        ),
        ({"env": [{"name": "A", "value": "b"}]}, 'secret "keys" not found', ()),
    ],
)
def test_the_place_is_where_the_missing_one_is_named(
    fields: Object, message: str, path: tuple[str | int, ...]
) -> None:
    snap = snapshot(
        pod(state=waiting("CreateContainerConfigError", message)),
        configs={KeysOf(kind="Secret", name="keys"): None},
    )
    snap = replace(snap, target=replace(snap.target, template=template(**fields)))
    finding = judge(snap, NOW).finding
    assert finding is not None
    assert finding.field == ("spec", "template", "spec", "containers", 0, *path)


def not_started(message: str, reason: str = "ContainerCannotRun", code: int = 127) -> Object:
    """In the back-off after the runtime could not start it."""
    state = waiting("CrashLoopBackOff", "back-off 10s", restartCount=1)
    ended = {"exitCode": code, "reason": reason, "message": message, "finishedAt": at(2)}
    return state | {"lastState": {"terminated": ended}}


@pytest.mark.parametrize("begin", [RUNC, CONTAINERD])
@pytest.mark.parametrize(
    ("end", "told"),
    [
        ('exec: "gunicorn": executable file not found in $PATH: unknown', "`gunicorn` is not in"),
        ('exec: "/app/x": stat /app/x: no such file or directory: unknown', "`/app/x` is not in"),
        ('exec: "/etc/passwd": permission denied: unknown', "`/etc/passwd` is not executable"),
        ('exec: "/root/x": stat /root/x: permission denied: unknown', "`/root/x` is not exec"),
        ('exec: "/tmp": is a directory: unknown', "`/tmp` is no program"),
        ("exec /app/x: no such file or directory: unknown", "`/app/x`, or the interpreter"),
        ("executable file `x` not found in $PATH: No such file or directory", "`x` is not in"),
    ],
)
def test_a_command_that_cannot_be_run_decides_at_once(begin: str, end: str, told: str) -> None:
    for state in (
        waiting("RunContainerError", begin + end),
        waiting("CreateContainerError", begin + end),
        not_started(begin + end),
        not_started(begin + end, "StartError", 128),
    ):
        finding = finding_of(snapshot(pod(state=state), facts=LOGS))
        assert finding.id == "command-not-found"
        assert told in finding.cause


def test_a_program_for_another_processor_may_be_told_by_the_runtime() -> None:
    for text in ('exec: "/app/x": exec format error', "exec /app/x: exec format error"):
        finding = finding_of(snapshot(pod(state=not_started(RUNC + text)), facts=LOGS))
        assert finding.id == "wrong-architecture"
        assert "`/app/x`" in finding.cause


@pytest.mark.parametrize(
    "state",
    [
        not_started("", "StartError", 128),
        not_started("failed to mount", "StartError", 128),
        waiting("CreateContainerError", "Cannot mkdir: /etc/passwd is not a directory"),
        waiting("PostStartHookError", "what it said"),
    ],
)
def test_a_start_that_fails_for_a_reason_nobody_knows_gets_some_seconds(state: Object) -> None:
    seen = {("web-2-a", "app", state["state"]["waiting"]["reason"]): NOW}
    snap = snapshot(pod(state=state), facts=LOGS, seen=seen)
    likely = is_waiting(snap, 9).finding
    assert likely is not None
    assert failed(snap, 11) == likely.id == "container-start"
    is_waiting(replace(snap, patience=2.0), 11)


def test_a_container_that_runs_after_all_has_no_start_error() -> None:
    state = not_started(RUNC + 'exec: "x": permission denied') | running(3)
    is_waiting(snapshot(pod(state=state), facts=LOGS), 100)


def test_an_init_container_that_cannot_start_is_called_so() -> None:
    shown = pod()
    shown["spec"]["initContainers"] = [{"name": "migrate", "image": "web:kk-1"}]
    said = RUNC + 'exec: "alembic": executable file not found in $PATH'
    status = {"name": "migrate", "restartCount": 0, **waiting("RunContainerError", said)}
    shown["status"]["initContainerStatuses"] = [status]
    assert finding_of(snapshot(shown)).cause.startswith("init container `migrate`")


def test_what_the_node_has_not_read_yet_fails_nothing() -> None:
    said = "failed to sync secret cache: timed out waiting for the condition"
    state = waiting("CreateContainerConfigError", said)
    seen = {("web-2-a", "app", "CreateContainerConfigError"): NOW}
    verdict = is_waiting(snapshot(pod(state=state), seen=seen), 500)
    assert verdict.finding is not None
    assert verdict.finding.id == "config-not-synced"


@pytest.mark.parametrize(
    ("kind", "source", "said"),
    [
        ("Secret", {"secret": {"secretName": "keys"}}, "secret"),
        ("ConfigMap", {"configMap": {"name": "keys"}}, "config"),
        ("Secret", {"projected": {"sources": [{"secret": {"name": "keys"}}]}}, "secret"),
    ],
)
def test_a_key_that_a_volume_misses(kind: str, source: Object, said: str) -> None:
    text = f'SetUp failed for volume "data" : references non-existent {said} key: TOKEN'
    snap = snapshot(
        pod(state=waiting("ContainerCreating")),
        events=(event("FailedMount", text),),
        configs={KeysOf(kind=kind, name="keys"): ("A",)},
    )
    shape: Object = {
        "metadata": {},
        "spec": {"containers": [container()], "volumes": [{"name": "data", **source}]},
    }
    snap = replace(snap, target=replace(snap.target, template=shape))
    finding = finding_of(snap, 3)
    assert finding.id == f"{kind.lower()}-key-missing"
    assert "`keys` has no key `TOKEN` (it has: A)" in finding.cause
    there = replace(snap, facts={KeysOf(kind=kind, name="keys"): ("TOKEN",)})
    is_waiting(there, 100)


def hooked(count: int, **changes: Any) -> Snapshot:
    hook = {"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "exit 3"]}}}}
    state = waiting("CrashLoopBackOff", "back-off 10s", restartCount=count - 1)
    ended = {"exitCode": 137, "reason": "Error", "startedAt": at(0), "finishedAt": at(2)}
    state |= {"lastState": {"terminated": ended}} | changes.pop("state", {})
    killing = event("Killing", "FailedPostStartHook", count=count)
    failing = event("FailedPostStartHook", "PostStartHook failed", count=count)
    shown = pod(state=state, container=hook)
    return snapshot(shown, events=(killing, failing), facts=LOGS, **changes)


def test_a_hook_that_fails_again_and_again() -> None:
    finding = finding_of(hooked(2), 3)
    assert finding.id == "post-start-hook"
    assert "(2 times): `sh -c 'exit 3'`" in finding.cause
    likely = is_waiting(hooked(1), 100).finding
    assert likely is not None
    assert likely.id == "post-start-hook"
    is_waiting(hooked(2, patience=2.0), 100)
    tried = hooked(2, state=running(6))
    assert finding_of(tried, 7).id == "post-start-hook"
    is_waiting(replace(tried, target=replace(tried.target, since=NOW + 5)), 7)
    up = hooked(3, state=running(3, ready=True))
    assert is_waiting(up, 100).finding is None


def without_network(*more: Object, **changes: Any) -> Snapshot:
    said = "Failed to create pod sandbox: plugin type=bridge failed"
    shown = pod(state=waiting("ContainerCreating"), **changes)
    return snapshot(shown, events=(event("FailedCreatePodSandBox", said, count=4), *more))


def test_a_pod_without_a_network_gets_a_minute() -> None:
    likely = is_waiting(without_network(), 50).finding
    assert likely is not None
    assert failed(without_network(), 62) == likely.id == "sandbox-failed"


def test_a_network_that_came_after_all_is_no_matter() -> None:
    ready = [{"type": "PodReadyToStartContainers", "status": "True"}]
    assert is_waiting(without_network(conditions=ready), 100).finding is None
    pulled = event("Pulled", "pulled", when=9)
    assert is_waiting(without_network(pulled), 100).finding is None
