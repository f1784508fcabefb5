"""What others have in the namespace is byte for byte the same after everything kubekit does there.

Three cycles of apply, prune and teardown in `make test`; with `--rounds 3`, as in `make soak`, five
parts of ten, but for those that have passed since anything was changed.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from kubekit.api.ownership import MANAGED_BY_LABEL, MEMBER_LABEL, PART_OF_LABEL, OwnedSet
from tests.cluster import chaotic
from tests.cluster.chaotic import Cycles
from tests.cluster.conftest import Project
from tests.cluster.leftovers import NATIVE, created, everything, steady

pytestmark = pytest.mark.cluster

SAMPLE, WHOLE = 3, 10
PARTS = 5
EXTRA = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {turn: '%d'}\n"


def bystanders(project: Project) -> None:
    """Objects of kubectl, of Helm and of an operator, some with copies of all our labels."""
    plain: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    project.kubectl("create", "configmap", "by-kubectl", "--from-literal=a=b")
    helm = {
        "name": "by-helm",
        "labels": {MANAGED_BY_LABEL: "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": "other",
            "meta.helm.sh/release-namespace": project.name,
        },
    }
    created(project, {**plain, "metadata": helm}, manager="helm")
    copied = {
        MANAGED_BY_LABEL: "kubekit",
        PART_OF_LABEL: project.name,
        MEMBER_LABEL: OwnedSet(project=project.name, namespace=project.name).id,
        "app": "web",
    }
    created(project, {**plain, "metadata": {"name": "copied", "labels": copied}}, manager="copy")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "by-operator"},
        "spec": {"selector": {"app": "elsewhere"}, "ports": [{"port": 80}]},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "by-operator"},
        "data": {"token": "c2VjcmV0"},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "by-operator"}}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "by-operator", "labels": copied},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-of-this-name",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "by-operator"},
        "spec": {"holderIdentity": "operator"},
    }
    created(project, service, secret, account, claim, lease, manager="operator")


def seen(project: Project, mine: set[str]) -> str:
    """These objects as text, all but their resourceVersion."""
    found = everything(project)
    return json.dumps({name: dict(steady(found[name])) for name in sorted(mine)}, sort_keys=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("--rounds") > 1
    once = [pytest.mark.flaky(reruns=0), pytest.mark.timeout(3600)] if whole else []
    parts = range(1, PARTS + 1) if whole else [0]
    metafunc.parametrize("seed", [pytest.param(part, marks=once, id=str(part)) for part in parts])


def test_nobody_elses_object_is_touched(project: Project, seed: int) -> None:
    if seed and chaotic.has_passed(Cycles, seed):
        pytest.skip("passed, and nothing has changed since")
    project.kubectl("create", "namespace", project.name)
    bystanders(project)
    others = set(everything(project)) - NATIVE
    assert len(others) >= 8
    before = seen(project, others)
    shown = Cycles(seed=seed, others=len(others))
    with chaotic.keeping(shown) if seed else contextlib.nullcontext():
        for cycle in range(WHOLE if seed else SAMPLE):
            one_cycle(project, cycle)
            assert seen(project, others) == before, f"after cycle {cycle}"
            assert set(everything(project)) - NATIVE == others, f"after cycle {cycle}"
            shown.count += 1


def one_cycle(project: Project, number: int) -> None:
    """Apply, prune and teardown; each third time with all data."""
    extra = project.folder / "manifests/extra.yaml"
    extra.write_text(EXTRA % number)
    project.apply()
    assert "ConfigMap/extra" in everything(project)
    extra.unlink()
    pruned = project.apply()
    assert ("ConfigMap/extra", "pruned") in {
        (event["ref"], event["action"]) for event in pruned.of("object")
    }
    data = ("--data", "--yes") if number % SAMPLE == 1 else ()
    assert project.run("teardown", *data).code == 0
