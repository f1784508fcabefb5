"""What runs before the rest, and the kinds that stand beside a backend, on the real cluster."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import Project
from tests.cluster.plain import DEPLOYMENT, job, live, without_image

pytestmark = pytest.mark.cluster


@pytest.fixture
def plain(project: Project) -> Project:
    return without_image(project)


def test_a_migration_ends_before_the_app_is_applied(plain: Project) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.write("manifests/job.yaml", job("import time; time.sleep(3)", before=True))
    done = plain.apply()
    assert [it["stage"] for it in done.of("stage-done")] == ["apply", "before", "apply", "rollout"]
    refs = [it["ref"] for it in done.of("object") if it["action"] == "created"]
    assert refs.index("Job/migrate") < refs.index("Deployment/web")
    (completed,) = [
        it["lastTransitionTime"]
        for it in live(plain, "job/migrate")["status"]["conditions"]
        if it["type"] == "Complete"
    ]
    assert live(plain, "deployment/web")["metadata"]["creationTimestamp"] >= completed
    again = plain.apply()
    assert {it["action"] for it in again.of("object")} == {"unchanged"}


def test_what_comes_after_a_migration_that_fails_is_not_written(plain: Project) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.apply()
    generation = live(plain, "deployment/web")["metadata"]["generation"]
    plain.edit("manifests/web.yaml", "1e6", "1e7")
    plain.write("manifests/old.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n")
    plain.write("manifests/job.yaml", job("raise SystemExit('no such table')", before=True))
    failed = plain.fail()
    assert failed["exit_code"] == 6
    assert any("no such table" in line for line in failed["details"])
    (left,) = [line for line in failed["details"] if line.startswith("not written")]
    assert "Deployment/web" in left
    assert live(plain, "deployment/web")["metadata"]["generation"] == generation
    (plain.folder / "manifests/old.yaml").unlink()
    assert plain.fail()["exit_code"] == 6
    assert live(plain, "configmap/old"), "nothing is pruned when an apply has failed"

    plain.write("manifests/job.yaml", job("print('done')", before=True))
    plain.apply()
    assert live(plain, "deployment/web")["metadata"]["generation"] == generation + 1
    assert not plain.kubectl("get", "configmap", "old", "--ignore-not-found")


BYSTANDERS = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 3
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 90}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec:
  replicas: 0
  selector: {app: old}
  template:
    metadata: {labels: {app: old}}
    spec:
      containers: [{name: old, image: python:3.13-slim, imagePullPolicy: Never}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: sweep}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: sweep, image: python:3.13-slim, imagePullPolicy: Never}]
"""


def test_what_stands_beside_a_backend_is_applied_kept_and_pruned(plain: Project) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.write("manifests/beside.yaml", BYSTANDERS)
    plain.write("manifests/job.yaml", job("print(1)"))
    plain.apply()
    # The autoscaler asks for two, which kubekit's manifest must not undo.
    plain.kubectl("wait", "deployment/web", "--for=jsonpath={.spec.replicas}=2", "--timeout=120s")
    again = plain.apply()
    assert {it["action"] for it in again.of("object")} == {"unchanged"}, again.out
    assert live(plain, "deployment/web")["spec"]["replicas"] == 2

    plain.edit("manifests/web.yaml", "1e6", "1e7")
    plain.apply()
    assert live(plain, "deployment/web")["spec"]["replicas"] == 2

    (plain.folder / "manifests/beside.yaml").unlink()
    done = plain.apply()
    pruned = {it["ref"] for it in done.of("object") if it["action"] == "pruned"}
    assert pruned == {
        "NetworkPolicy/web",
        "PodDisruptionBudget/web",
        "HorizontalPodAutoscaler/web",
        "Ingress/web",
        "ReplicationController/old",
        "CronJob/sweep",
    }
    assert live(plain, "pvc/data")
    # Nobody decides on the number any more but the manifest.
    done = plain.apply()
    assert any("kubekit takes over" in it["text"] for it in done.of("warning")), done.out
    assert live(plain, "deployment/web")["spec"]["replicas"] == 1
