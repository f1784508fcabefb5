"""Manifests with anything in place of any of their parts: the API server is to say what is wrong.

What `dev` does with objects before the API server has seen them raises nothing but KubekitError.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st

from kubekit.checks import check_objects
from kubekit.dev.adapt import Adapted, adapt
from kubekit.dev.pods import Pods
from kubekit.errors import KubekitError, Place
from kubekit.manifests.render import render
from kubekit.model import ClusterTarget, ImageConfig, Manifest, Manifests, Object, Settings
from kubekit.workflow import _way_in
from tests.unit.test_dev_adapt import IMAGE, USER
from tests.unit.test_dev_adapt import settings as project

MISSING = object()
JUNK: list[Any] = [None, True, 0, -1, 10**400, 1.5, "", "x", [], ["a"], [None], [{}], [[1]], {}]
JUNK += [{"a": 1}, {"name": []}, MISSING]


def workload(kind: str) -> Object:
    """A valid one, with all that `adapt` reads or changes."""
    labels = {"app": "tasks"}
    probe = {"httpGet": {"path": "/", "port": "http"}}
    container = {
        "name": "api",
        "image": IMAGE,
        "command": ["python"],
        "args": ["-m", "app"],
        "env": [{"name": "A", "value": "b"}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"runAsUser": 1000},
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "startupProbe": probe,
        "resources": {"limits": {"memory": "1Gi"}},
    }
    spec = {
        "initContainers": [{"name": "migrate", "image": IMAGE, "restartPolicy": "Always"}],
        "containers": [container, {"name": "side", "image": "redis:8"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "securityContext": {"runAsNonRoot": True},
        "terminationGracePeriodSeconds": 9,
    }
    body: Object = {"metadata": {"labels": labels}, "spec": spec}
    if kind != "Pod":
        body = {"spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": body}}
    if kind == "Deployment":
        body["spec"]["strategy"] = {"type": "RollingUpdate"}
    if kind == "CronJob":
        body = {"spec": {"schedule": "@daily", "jobTemplate": body}}
    body["metadata"] = {**body.get("metadata", {}), "name": "tasks"}
    return {"apiVersion": "apps/v1", "kind": kind, **body}


def service() -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": {"app": "tasks"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "tasks"}, "spec": spec}


OBJECTS = [workload(kind) for kind in ("Deployment", "Pod", "Job", "CronJob", "StatefulSet")]
OBJECTS.append(service())


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part of it."""
    items: Any = ()
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in items:
        yield (*path, key)
        yield from nodes(below, (*path, key))


def replaced(obj: Object, path: tuple[Any, ...], junk: Any) -> Object:
    """The object with something else at the end of the path."""
    obj = copy.deepcopy(obj)
    at: Any = obj
    for key in path[:-1]:
        at = at[key]
    if junk is MISSING:
        del at[path[-1]]
    else:
        at[path[-1]] = copy.deepcopy(junk)
    return obj


def read(folder: Path, *objects: Object) -> tuple[Settings, Manifests]:
    """The objects as they are before an API server is asked."""
    file = folder / "app.yaml"
    file.write_text("\n---\n".join(json.dumps(one) for one in objects))
    settings = replace(project("/app/src"), manifests=(file,))
    rendered = render(settings, image=IMAGE, env=None)
    return settings, check_objects(rendered, settings, image=IMAGE)


def taken(settings: Settings, manifests: Manifests, config: ImageConfig = USER) -> list[Adapted]:
    """What `dev` does with them, without and with a debugger."""
    found = [
        adapt(manifests, settings, image=IMAGE, config=config, debugger=debugger)
        for debugger in (None, b"debugger")
    ]
    for one in found:
        Pods().expect(one.manifests, one.containers)
    return found


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda one: str(one["kind"]))
def test_anything_in_place_of_any_part_raises_no_defect(obj: Object) -> None:
    for path in nodes(obj):
        if path[0] in ("apiVersion", "kind", "metadata"):
            continue  # those that reading the files lets through are in the next test
        for junk in JUNK:
            item = Manifest(data=replaced(obj, path, junk), origin=Place(file=Path("app.yaml")))
            taken(project("/app/src"), Manifests(items=(item,)))


@checked(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_nor_do_several_of_them_as_they_come_from_files(
    tmp_path: Path, data: st.DataObject
) -> None:
    objects = [data.draw(st.sampled_from(OBJECTS)), service()]
    for _ in range(data.draw(st.integers(2, 4))):
        at = data.draw(st.sampled_from(range(len(objects))))
        paths = list(nodes(objects[at])) or [("x",)]
        path = data.draw(st.sampled_from(paths))
        junk = data.draw(st.sampled_from(JUNK))
        objects[at] = replaced(objects[at], path, junk if path != ("x",) else 1)
    try:
        settings, manifests = read(tmp_path, *objects)
    except KubekitError:
        return
    taken(settings, manifests)


@pytest.mark.parametrize(
    ("path", "junk"),
    [
        (("ports", 0), {"containerPrt": 8000, "name": "http"}),
        (("ports", 0, "containerPort"), "http"),
        (("name",), MISSING),
        (("volumeMounts",), "x"),
        (("securityContext",), True),
        (("command",), "python main.py"),
        (("env",), {"A": "b"}),
        (("args", 0), 5),
    ],
)
def test_what_has_another_shape_comes_to_the_api_server_as_it_was_written(
    path: tuple[Any, ...], junk: Any
) -> None:
    where = ("spec", "template", "spec", "containers", 0, *path)
    wrong = Manifest(
        data=replaced(workload("Deployment"), where, junk), origin=Place(file=Path("app.yaml"))
    )
    good = Manifest(data=workload("StatefulSet"), origin=Place(file=Path("app.yaml")))
    for found in taken(project("/app/src"), Manifests(items=(wrong, good))):
        assert wrong in found.manifests.items
        assert {one.ref for one in found.containers} == {"StatefulSet/tasks"}


def test_the_spec_of_others_kinds_may_be_anything(tmp_path: Path) -> None:
    odd = {"apiVersion": "a.example/v1", "kind": "Odd", "metadata": {"name": "x"}, "spec": "text"}
    settings, manifests = read(tmp_path, odd, service())
    taken(settings, manifests)
    (way,) = _way_in(settings, ClusterTarget(context="c", profile=None), manifests)
    assert "service/tasks 8000:80" in way
