"""What others have in the namespace is byte for byte the same after everything kubekit does there.

Three cycles of apply, prune and teardown in `make test`, fifty with `--rounds 2` or more.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.conftest import Project
from tests.cluster.leftovers import NATIVE, created, everything, steady

pytestmark = pytest.mark.cluster

EXTRA = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {turn: '%d'}\n"


def bystanders(project: Project) -> None:
    """Objects of kubectl, of Helm and of an operator, some with our labels' values copied."""
    plain: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    project.kubectl("create", "configmap", "by-kubectl", "--from-literal=a=b")
    helm = {
        "name": "by-helm",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": "other",
            "meta.helm.sh/release-namespace": project.name,
        },
    }
    created(project, {**plain, "metadata": helm}, manager="helm")
    copied = {
        "app.kubernetes.io/managed-by": "kubekit",
        "app.kubernetes.io/part-of": project.name,
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
        "metadata": {"name": "by-operator"},
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


def test_nobody_elses_object_is_touched(project: Project, pytestconfig: pytest.Config) -> None:
    cycles = 3 if pytestconfig.getoption("--rounds") == 1 else 50
    project.kubectl("create", "namespace", project.name)
    bystanders(project)
    others = set(everything(project)) - NATIVE
    assert len(others) >= 8
    before = seen(project, others)
    extra = project.folder / "manifests/extra.yaml"
    for cycle in range(cycles):
        extra.write_text(EXTRA % cycle)
        project.apply()
        assert "ConfigMap/extra" in everything(project)
        extra.unlink()
        pruned = project.apply()
        assert ("ConfigMap/extra", "pruned") in {
            (event["ref"], event["action"]) for event in pruned.of("object")
        }
        assert project.run("teardown").code == 0
        assert seen(project, others) == before, f"after cycle {cycle}"
        assert set(everything(project)) - NATIVE == others, f"after cycle {cycle}"
