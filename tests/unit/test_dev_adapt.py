"""What `dev` changes in the objects."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from kubekit.dev.adapt import FOLDER, adapt
from kubekit.errors import Place
from kubekit.model import (
    DevSettings,
    ImageConfig,
    Manifest,
    Manifests,
    Object,
    Settings,
    SyncRule,
)

IMAGE = "tasks:kk-0123456789ab"
ROOT = ImageConfig(cmd=("python", "-m", "app"))
USER = ImageConfig(entrypoint=("/opt/venv/bin/uvicorn",), cmd=("app.main:app",), user="10001:10001")


def settings(*dests: str) -> Settings:
    rules = tuple(SyncRule(src=Path("/p/src"), dest=dest) for dest in dests)
    return Settings(
        file=Path("/p/kubekit.yaml"),
        name="tasks",
        namespace="tasks",
        profile="minikube",
        dev=DevSettings(sync=rules),
    )


def workload(container: Object, kind: str = "Deployment", **spec: Any) -> Manifest:
    pod = {"containers": [{"name": "api", "image": IMAGE, **container}], **spec}
    data = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "tasks"},
        "spec": {"template": {"spec": pod}},
    }
    return Manifest(data=data, origin=Place(file=Path("/p/app.yaml")))


def adapted(manifest: Manifest, config: ImageConfig = ROOT, *dests: str) -> tuple[Object, Object]:
    """The pod's spec and its one container."""
    before = copy.deepcopy(manifest.data)
    found = adapt(
        Manifests(items=(manifest,)),
        settings(*(dests or ("/app/src",))),
        image=IMAGE,
        config=config,
    )
    assert manifest.data == before
    spec = found.manifests.items[-1].data["spec"]["template"]["spec"]
    return spec, spec["containers"][0]


def test_the_supervisor_runs_the_images_own_command() -> None:
    spec, container = adapted(workload({}))
    options = ["--synced", "/app/src", "--grace", "5", "--drain", "3"]
    supervisor = ["python", f"{FOLDER}/supervisor.py", *options]
    assert container["command"] == [*supervisor, "--", "python", "-m", "app"]
    assert "initContainers" not in spec
    assert {"name": "KUBEKIT_DEV", "value": "tasks-api"} in container["env"]


@pytest.mark.parametrize(
    ("kind", "fields", "pod", "container", "seconds"),
    [
        ("Deployment", {}, {}, {}, "3"),
        ("Deployment", {}, {"terminationGracePeriodSeconds": 6}, {}, "2"),
        ("Deployment", {}, {"terminationGracePeriodSeconds": 0}, {}, None),
        ("Deployment", {}, {}, {"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}, None),
        ("Deployment", {"strategy": {"type": "Recreate"}}, {}, {}, None),
        ("StatefulSet", {}, {}, {}, None),
    ],
)
def test_a_pod_serves_on_for_a_moment_where_another_one_takes_its_place(
    kind: str, fields: Object, pod: Object, container: Object, seconds: str | None
) -> None:
    manifest = workload(container, kind, **pod)
    manifest.data["spec"].update(fields)
    _, found = adapted(manifest)
    options = found["command"][: found["command"].index("--")]
    assert (options[options.index("--drain") + 1] if "--drain" in options else None) == seconds


HTTP: Object = {"httpGet": {"port": 8000}}
TCP: Object = {"tcpSocket": {"port": 8000}}


@pytest.mark.parametrize(
    ("probes", "early"),
    [
        ({"readinessProbe": HTTP}, True),
        ({"readinessProbe": HTTP, "livenessProbe": HTTP, "startupProbe": HTTP}, True),
        ({}, False),
        ({"livenessProbe": HTTP}, False),
        ({"readinessProbe": TCP}, False),
        ({"readinessProbe": HTTP, "startupProbe": TCP}, False),
        ({"readinessProbe": {"exec": {"command": ["true"]}}}, False),
    ],
)
def test_a_program_listens_early_where_only_an_answer_makes_it_ready(
    probes: Object, early: bool
) -> None:
    _, found = adapted(workload(copy.deepcopy(probes)))
    assert ("--early" in found["command"][: found["command"].index("--")]) == early


@pytest.mark.parametrize(
    ("container", "command"),
    [
        ({"command": ["uvicorn", "a:b"]}, ["uvicorn", "a:b"]),
        ({"command": ["uvicorn"], "args": ["a:b"]}, ["uvicorn", "a:b"]),
        ({"args": ["c:d"]}, ["/opt/venv/bin/uvicorn", "c:d"]),
        ({}, ["/opt/venv/bin/uvicorn", "app.main:app"]),
    ],
)
def test_command_and_args_stand_in_for_the_images_as_in_kubernetes(
    container: Object, command: list[str]
) -> None:
    _, found = adapted(workload(container), USER)
    assert found["command"][found["command"].index("--") + 1 :] == command
    assert "args" not in found


@pytest.mark.parametrize(
    ("command", "python"),
    [
        (["/opt/venv/bin/uvicorn"], "/opt/venv/bin/python"),
        (["/usr/local/bin/uvicorn"], "python3"),
        (["/bin/sh", "-c", "exec uvicorn a:b"], "python3"),
        (["uvicorn"], "python3"),
        (["/usr/bin/python3.13", "-m", "uvicorn"], "/usr/bin/python3.13"),
        (["python", "main.py"], "python"),
    ],
)
def test_the_programs_own_python_runs_the_supervisor(command: list[str], python: str) -> None:
    _, found = adapted(workload({"command": command}))
    assert found["command"][0] == python


@pytest.mark.parametrize(
    ("container", "spec", "config"),
    [
        ({}, {}, USER),
        ({"securityContext": {"readOnlyRootFilesystem": True}}, {}, ROOT),
        ({"securityContext": {"runAsUser": 1000}}, {}, ROOT),
        ({}, {"securityContext": {"runAsUser": 1000}}, ROOT),
        ({}, {"securityContext": {"runAsNonRoot": True}}, ROOT),
    ],
)
def test_where_the_code_may_not_be_written_a_volume_lies_over_it(
    container: Object, spec: Object, config: ImageConfig
) -> None:
    pod, found = adapted(workload(container, **spec), config)
    (filling,) = pod["initContainers"]
    assert filling["image"] == IMAGE
    assert filling.get("securityContext") == container.get("securityContext")
    (laid,) = [one for one in found["volumeMounts"] if one["mountPath"] == "/app/src"]
    assert {"name": laid["name"], "emptyDir": {}} in pod["volumes"]
    (filled,) = [one for one in filling["volumeMounts"] if one["name"] == laid["name"]]
    assert filling["command"][-2:] == ["/app/src", filled["mountPath"]]


def test_root_again_may_write() -> None:
    context = {"securityContext": {"runAsUser": 0}}
    pod, _ = adapted(workload(context), USER)
    assert "initContainers" not in pod


def test_a_volume_that_lies_there_already_stays() -> None:
    mounts = [{"name": "code", "mountPath": "/app/src"}]
    pod, found = adapted(workload({"volumeMounts": mounts}), USER)
    assert "initContainers" not in pod
    assert [one["mountPath"] for one in found["volumeMounts"]] == ["/app/src", FOLDER]


def test_only_what_lasts_and_runs_the_image_is_changed() -> None:
    for manifest in (workload({"image": "redis:8"}), workload({}, kind="Job")):
        found = adapt(Manifests(items=(manifest,)), settings("/app/src"), image=IMAGE, config=ROOT)
        assert found.manifests.items == (manifest,)
        assert found.containers == ()


def test_without_a_rule_nothing_is_changed() -> None:
    manifest = workload({})
    found = adapt(Manifests(items=(manifest,)), settings(), image=IMAGE, config=ROOT)
    assert found.manifests.items == (manifest,)


def test_the_programs_come_in_a_config_map_named_by_its_content() -> None:
    found = adapt(
        Manifests(items=(workload({}),)), settings("/app/src"), image=IMAGE, config=ROOT
    ).manifests
    (config_map, _) = found.items
    assert config_map.kind == "ConfigMap"
    assert {"agent.py", "fill.py"} <= set(config_map.data["data"])
    assert sum(len(text) for text in config_map.data["data"].values()) < 1_000_000
    assert {"name": "kubekit-programs", "configMap": {"name": config_map.name}} in found.items[
        1
    ].data["spec"]["template"]["spec"]["volumes"]
