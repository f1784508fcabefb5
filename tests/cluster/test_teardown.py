"""Teardown finds what an earlier run has left, whatever was lost since, and says what holds it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.conftest import Project
from tests.cluster.leftovers import created
from tests.cluster.plain import live
from tests.conftest import KUBEKIT, kubekit, until

pytestmark = pytest.mark.cluster


@pytest.fixture
def thing(project: Project) -> Iterator[str]:
    """A kind of its own for the cluster; its group."""
    group = f"{project.name}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    subprocess.run(
        ["kubectl", "--context", project.context, "apply", "-f", "-"],
        input=json.dumps(definition),
        env=project.env,
        text=True,
        check=True,
        capture_output=True,
    )
    project.kubectl("wait", "--for=condition=Established", f"crd/things.{group}")
    yield group
    project.kubectl("delete", "crd", f"things.{group}", "--wait=false")


def test_the_parent_is_lost_and_the_files_name_it_no_longer(project: Project, thing: str) -> None:
    text = f"apiVersion: {thing}/v1\nkind: Thing\nmetadata: {{name: one}}\n"
    project.write("manifests/thing.yaml", text)
    project.apply()
    project.kubectl("delete", "configmap", f"kubekit-{project.name}")
    (project.folder / "manifests/thing.yaml").unlink()
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_without_kubekit_yaml_and_under_another_name(project: Project, tmp_path: Path) -> None:
    project.apply()
    project.kubectl("delete", "configmap", f"kubekit-{project.name}")
    (project.folder / "kubekit.yaml").unlink()
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    unnamed = kubekit("teardown", "--all", "-o", "json", cwd=nowhere, env=project.env)
    assert unnamed.code == 2
    assert "no namespace was named" in unnamed.of("failed")[0]["message"]
    done = kubekit("teardown", "--all", "-n", project.name, cwd=nowhere, env=project.env)
    assert done.code == 0, done.err
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_a_renamed_project(project: Project) -> None:
    project.apply()
    project.write("kubekit.yaml", "name: renamed\nbuild: {context: app}\n")
    assert project.run("teardown", "--all", "-n", project.name).code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


@dataclass
class Hold:
    """A finalizer on `ConfigMap/held`, until it is closed."""

    project: Project
    closed: bool = False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            free = '[{"op": "remove", "path": "/metadata/finalizers"}]'
            self.project.kubectl("patch", "configmap", "held", "--type=json", "-p", free)


def test_what_holds_it_is_named_with_who_has_set_it(project: Project) -> None:
    project.write(
        "manifests/held.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held}\n"
    )
    project.apply()
    held = '{"metadata": {"finalizers": ["example.com/hold"]}}'
    project.kubectl("patch", "configmap", "held", "-p", held, "--field-manager=operator")
    told = False
    command = [KUBEKIT, "teardown", "-o", "json"]
    with subprocess.Popen(
        command, cwd=project.folder, env=project.env, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        # Whatever it says, the namespace must be able to go.
        with contextlib.closing(Hold(project)) as hold:
            for line in run.stdout:
                if "`example.com/hold` (set by `operator`)" in line:
                    told = True
                    hold.close()
    assert told
    assert run.returncode == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


OWNED_CLAIMS = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: db, image: python:3.13-slim, command: [sleep, infinity]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
"""


def test_claims_that_a_stateful_set_would_take_along_are_kept(project: Project) -> None:
    project.write("manifests/db.yaml", OWNED_CLAIMS)
    project.apply()
    project.kubectl("rollout", "status", "statefulset/db")

    def owners() -> dict[str, list[str]]:
        claims = project.objects("persistentvolumeclaims")
        return {
            claim["metadata"]["name"]: [
                one["kind"] for one in claim["metadata"].get("ownerReferences", ())
            ]
            for claim in claims
        }

    until(lambda: owners() == {f"data-db-{number}": ["StatefulSet"] for number in range(2)})
    # The claim of a pod that is no more is let go by nobody.
    project.kubectl("scale", "statefulset/db", "--replicas=1")
    project.kubectl("wait", "--for=delete", "pod/db-1", "--timeout=120s")
    done = project.run("teardown", "-o", "json")
    assert done.code == 0, done.out
    told = [one for one in done.of("object") if one["ref"] == "StatefulSet/db"]
    assert [one["action"] for one in told] == ["configured", "deleted"]
    assert project.objects("statefulsets") == []
    assert owners() == {"data-db-0": [], "data-db-1": []}, "they would go in a moment"
    for claim in project.objects("persistentvolumeclaims"):
        assert "deletionTimestamp" not in claim["metadata"]

    assert project.run("teardown", "--data", "--yes").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_an_object_of_an_operator_that_owns_a_claim_is_kept_with_it(
    project: Project, thing: str
) -> None:
    text = f"apiVersion: {thing}/v1\nkind: Thing\nmetadata: {{name: db}}\n"
    project.write("manifests/thing.yaml", text)
    project.apply()
    owner = {
        "apiVersion": f"{thing}/v1",
        "kind": "Thing",
        "name": "db",
        "uid": live(project, f"things.{thing}/db")["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "db-1", "ownerReferences": [owner]},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }
    created(project, claim, manager="operator")
    (project.folder / "manifests/thing.yaml").unlink()
    assert not [it for it in project.apply().of("object") if it["action"] == "pruned"]

    done = project.run("teardown", "-o", "json")
    assert done.code == 0, done.out
    said = "Thing/db stays: PersistentVolumeClaim/db-1 would be deleted with it"
    assert said in [it["text"] for it in done.of("warning")]
    assert project.objects("deployments") == []
    for left in (f"things.{thing}/db", "pvc/db-1"):
        assert "deletionTimestamp" not in live(project, left)["metadata"]

    assert project.run("teardown", "--data", "--yes").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""
