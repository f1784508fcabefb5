"""Whose a field or an object is, and what of it kubekit takes, on the real cluster."""

from __future__ import annotations

import json
import subprocess

import pytest

from kubekit import workflow
from kubekit.config.load import load
from kubekit.errors import RefusedError
from kubekit.events import Event, ObjectChanged, Warned
from kubekit.session import Run
from tests.cluster.conftest import PROFILE, Project
from tests.cluster.plain import CONFIG, DEPLOYMENT, feed, job, live, without_image
from tests.conftest import KUBEKIT

pytestmark = pytest.mark.cluster


@pytest.fixture
def plain(project: Project) -> Project:
    return without_image(project)


def test_a_field_that_somebody_else_has_set_is_named_and_taken_only_on_request(
    plain: Project,
) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.apply()
    plain.kubectl("scale", "deployment/web", "--replicas=2")
    version = live(plain, "deployment/web")["metadata"]["generation"]

    plain.edit("manifests/config.yaml", "red", "blue")
    failed = plain.fail()
    assert (failed["id"], failed["exit_code"]) == ("api-conflict", 5)
    assert "`spec.replicas` is managed by `kubectl`" in failed["message"]
    assert "--take-ownership" in failed["hints"][0]
    assert failed["place"].startswith("manifests/web.yaml:5")
    assert live(plain, "configmap/settings")["data"] == {"colour": "red"}, "before the first write"
    assert live(plain, "deployment/web")["metadata"]["generation"] == version

    done = plain.apply("--take-ownership")
    assert any("`spec.replicas` is managed by" in it["text"] for it in done.of("warning"))
    assert live(plain, "deployment/web")["spec"]["replicas"] == 1
    assert {it["action"] for it in plain.apply().of("object")} == {"unchanged"}


def test_what_cannot_be_changed_in_place_is_made_anew_only_on_request(plain: Project) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.apply()
    uid = live(plain, "deployment/web")["metadata"]["uid"]
    plain.edit("manifests/web.yaml", "app: web", "app: other")

    failed = plain.fail()
    assert (failed["id"], failed["exit_code"]) == ("api-immutable", 5)
    assert "`spec.selector` cannot be changed" in failed["message"]
    assert "--recreate" in failed["hints"][0]
    assert "down" in failed["hints"][0]
    assert live(plain, "deployment/web")["metadata"]["uid"] == uid

    said = plain.apply("--recreate", "--dry-run")
    (would,) = [it for it in said.of("object") if it["ref"] == "Deployment/web"]
    assert would["action"] == "would be recreated"
    assert live(plain, "deployment/web")["metadata"]["uid"] == uid

    done = plain.apply("--recreate")
    (warning,) = done.of("warning")
    assert "down until its new pods are ready" in warning["text"]
    assert live(plain, "deployment/web")["metadata"]["uid"] != uid
    assert plain.objects("deployments")[0]["spec"]["selector"]["matchLabels"] == {"app": "other"}


CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
"""
STATEFUL = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 0
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: python:3.13-slim}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
"""


def test_what_holds_data_is_never_made_anew(plain: Project) -> None:
    plain.write("manifests/claim.yaml", CLAIM)
    plain.write("manifests/db.yaml", STATEFUL)
    plain.apply()
    before = [it["metadata"]["uid"] for it in plain.objects("pvc,statefulset")]
    plain.edit("manifests/claim.yaml", "ReadWriteOnce", "ReadWriteMany")
    plain.edit("manifests/db.yaml", "storage: 10Mi", "storage: 20Mi")
    failed = plain.fail("--recreate")
    assert failed["id"] == "api-immutable"
    said = "\n".join((failed["message"], *failed["details"]))
    assert "`spec.accessModes` cannot be changed" in said
    assert "`spec.volumeClaimTemplates` cannot be changed" in said
    assert "its data goes with it" in failed["hints"][0]
    assert [it["metadata"]["uid"] for it in plain.objects("pvc,statefulset")] == before


def test_a_namespace_that_is_being_deleted_is_waited_for(plain: Project) -> None:
    plain.apply()
    before = live(plain, f"namespace/{plain.name}")["metadata"]["uid"]
    plain.kubectl("delete", "namespace", plain.name, "--wait=false")
    done = plain.apply()
    assert any(it["ref"] == f"Namespace/{plain.name}" for it in done.of("object"))
    after = live(plain, f"namespace/{plain.name}")["metadata"]
    assert after["uid"] != before
    assert "deletionTimestamp" not in after
    assert live(plain, "configmap/settings")["data"] == {"colour": "red"}


REFUSED = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: both}
spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {app: web}}}
"""


@pytest.mark.parametrize("used", [False, True], ids=["empty", "another's"])
def test_of_a_refused_run_the_namespace_goes_unless_somebody_uses_it(
    plain: Project, used: bool
) -> None:
    plain.write("manifests/budget.yaml", REFUSED)
    told: list[Event] = []

    def emit(event: Event) -> None:
        told.append(event)
        made = ObjectChanged(ref=f"Namespace/{plain.name}", action="created")
        if used and event == made:
            plain.kubectl("create", "configmap", "of-another")

    flags = {"profile": PROFILE}
    given = load(flags=flags, environ={}, cwd=plain.folder, active_profile=lambda: None)
    with pytest.raises(RefusedError, match="minAvailable"):
        workflow.build_and_apply(given, Run(emit=emit))
    gone = ObjectChanged(ref=f"Namespace/{plain.name}", action="deleted") in told
    assert gone != used
    if used:
        assert live(plain, "configmap/of-another")
        assert "deletionTimestamp" not in live(plain, f"namespace/{plain.name}")["metadata"]
        why = "ConfigMap/of-another may be another's"
        assert any(isinstance(event, Warned) and why in event.text for event in told)
    else:
        plain.kubectl("wait", "--for=delete", f"namespace/{plain.name}", "--timeout=90s")


def test_an_object_that_is_being_deleted_is_waited_for(plain: Project) -> None:
    plain.apply()
    held = '{"metadata": {"finalizers": ["example.com/held"]}}'
    plain.kubectl("patch", "configmap", "settings", "--type=merge", "-p", held)
    plain.kubectl("delete", "configmap", "settings", "--wait=false")
    command = [KUBEKIT, "build-and-apply", "-o", "json"]
    run = subprocess.Popen(
        command, cwd=plain.folder, env=plain.env, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    said = next(line for line in run.stdout if "example.com/held" in line)
    assert "set by `kubectl-patch`" in said
    free = '{"metadata": {"finalizers": null}}'
    plain.kubectl("patch", "configmap", "settings", "--type=merge", "-p", free)
    rest = run.communicate()[0]
    assert run.returncode == 0, rest
    assert '"created"' in rest
    assert live(plain, "configmap/settings")["data"] == {"colour": "red"}


def test_fields_of_kubectl_apply_go_once_the_object_is_handed_over(plain: Project) -> None:
    plain.kubectl("create", "namespace", plain.name)
    feed(plain, CONFIG.replace("colour: red", "colour: red, size: large"))
    failed = plain.fail()
    assert failed["id"] == "not-ours"
    command = failed["hints"][1].split("`")[1].split()
    subprocess.run(command, env=plain.env, check=True, capture_output=True)

    plain.edit("manifests/config.yaml", "red", "blue")
    (would,) = plain.apply("--dry-run").of("object")
    assert 'data.colour: "red" -> "blue"' in would["changes"]
    assert "data.size: removed" in would["changes"]
    assert live(plain, "configmap/settings")["data"]["size"] == "large"
    done = plain.apply()
    (changed,) = [it for it in done.of("object") if it["ref"] == "ConfigMap/settings"]
    assert "kubectl apply" in changed["detail"]
    there = live(plain, "configmap/settings")
    assert there["data"] == {"colour": "blue"}
    assert "last-applied" not in json.dumps(there)
    assert {it["action"] for it in plain.apply().of("object")} == {"unchanged"}


def test_a_job_that_has_ended_is_made_anew_and_one_that_runs_is_not(plain: Project) -> None:
    plain.write("manifests/job.yaml", job("print(1)"))
    plain.apply()
    first = live(plain, "job/migrate")["metadata"]["uid"]
    assert {it["action"] for it in plain.apply().of("object")} == {"unchanged"}

    plain.write("manifests/job.yaml", job("raise SystemExit(2)"))
    failed = plain.fail()
    assert failed["exit_code"] == 6
    second = live(plain, "job/migrate")["metadata"]["uid"]
    assert second != first

    assert plain.fail()["exit_code"] == 6
    third = live(plain, "job/migrate")["metadata"]["uid"]
    assert third != second, "a Job that failed is run again"


def test_a_job_that_runs_is_not_cut_off_without_a_word(plain: Project) -> None:
    plain.write("manifests/job.yaml", job("import time; time.sleep(20)"))
    plain.fail("--timeout", "5s")
    plain.write("manifests/job.yaml", job("import time; time.sleep(1e6)"))
    slow = plain.run("build-and-apply", "-o", "json", "--timeout", "5s")
    assert any("`Job/migrate` to end" in it["text"] for it in slow.of("progress"))
    (changed,) = [it for it in slow.of("object") if it["ref"] == "Job/migrate"]
    assert changed["action"] == "recreated"
    assert "nothing of it runs" in changed["detail"]

    plain.write("manifests/job.yaml", job("print(2)").replace("3.13-slim", "none-such"))
    (warning,) = plain.run("build-and-apply", "-o", "json", "--recreate").of("warning")
    assert "cut off" in warning["text"]

    plain.write("manifests/job.yaml", job("print(3)"))
    done = plain.apply()
    (changed,) = [it for it in done.of("object") if it["ref"] == "Job/migrate"]
    assert "nothing of it runs" in changed["detail"] or "had failed" in changed["detail"]


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports: [{port: 80}]
"""


def test_a_service_gets_another_address_only_on_request(plain: Project) -> None:
    plain.write("manifests/service.yaml", SERVICE)
    plain.apply()
    address = live(plain, "service/web")["spec"]["clusterIP"]
    plain.write("manifests/service.yaml", SERVICE + "  clusterIP: None\n")
    failed = plain.fail()
    assert "`spec.clusterIPs[0]` cannot be changed" in failed["message"]
    assert "--recreate" in failed["hints"][0]
    assert live(plain, "service/web")["spec"]["clusterIP"] == address
    plain.apply("--recreate")
    assert live(plain, "service/web")["spec"]["clusterIP"] == "None"
