"""The main job on the real Minikube: what each kind of change builds, writes and rolls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.conftest import Project

pytestmark = pytest.mark.cluster


def changes(result: object) -> dict[str, str]:
    """What was written: object -> action."""
    rows = result.of("object")  # type: ignore[attr-defined]
    return {row["ref"]: row["action"] for row in rows if row["action"] != "unchanged"}


def versions(project: Project) -> dict[str, str]:
    """Every object's resourceVersion: any write whatever would move it."""
    found = project.objects("deployments,replicasets,pods,services,secrets,configmaps")
    return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in found}


def test_first_run_then_nothing(project: Project) -> None:
    first = project.apply()
    assert changes(first)[f"Namespace/{project.name}"] == "created"
    assert changes(first)["Deployment/web"] == "created"
    assert project.answer() == "hello 1"

    before = versions(project)
    second = project.apply()
    assert changes(second) == {}
    assert second.of("build-step") == []
    assert [done["changed"] for done in second.of("stage-done")] == [False, False, False]
    assert second.of("ended")[0]["text"].startswith("nothing changed")
    assert versions(project) == before


def test_a_source_edit_builds_and_rolls(project: Project) -> None:
    project.apply()
    project.edit("app/server.py", 'VERSION = "1"', 'VERSION = "2"')
    result = project.apply()
    assert changes(result) == {"Deployment/web": "configured"}
    image = next(done for done in result.of("stage-done") if done["stage"] == "image")
    assert "server.py changed" in image["text"]
    assert project.answer() == "hello 2"


def test_a_manifest_edit_writes_only_that_object(project: Project) -> None:
    project.apply()
    project.edit("manifests/app.yaml.j2", "port: 80,", "port: 81,")
    result = project.apply()
    assert changes(result) == {"Service/web": "configured"}
    assert result.of("build-step") == []


def test_an_env_edit_rolls_and_the_old_secret_goes_once_unused(project: Project) -> None:
    one, kept = "  replicas: 1\n", "  replicas: 1\n  revisionHistoryLimit: 1\n"
    project.edit("manifests/app.yaml.j2", one, kept)
    project.apply()
    (old,) = project.objects("secrets")
    assert old["immutable"] is True

    project.write(".env", "GREETING=hola\n")
    assert "pruned" not in changes(project.apply()).values()
    assert project.answer() == "hola 1"
    assert len(project.objects("secrets")) == 2, "a rollback still needs the old one"

    for greeting in ("salut", "ciao"):
        project.write(".env", f"GREETING={greeting}\n")
        project.apply()
    project.apply()
    names = [item["metadata"]["name"] for item in project.objects("secrets")]
    assert old["metadata"]["name"] not in names


def test_what_is_no_longer_rendered_is_pruned(project: Project) -> None:
    extra = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: b}\n"
    project.write("manifests/extra.yaml", extra)
    project.apply()
    (project.folder / "manifests/extra.yaml").unlink()
    assert changes(project.apply()) == {"ConfigMap/extra": "pruned"}


def test_a_dry_run_makes_nothing(project: Project) -> None:
    result = project.apply("--dry-run")
    assert changes(result)["Deployment/web"] == "would be created"
    assert project.kubectl("get", "namespace", project.name, check=False) == ""

    project.apply()
    before = versions(project)
    project.edit("manifests/app.yaml.j2", "port: 80,", "port: 81,")
    assert changes(project.apply("--dry-run")) == {"Service/web": "would be configured"}
    assert versions(project) == before


def test_a_refusal_takes_the_new_namespace_back(project: Project) -> None:
    project.edit("manifests/app.yaml.j2", "replicas: 1", "replcas: 1")
    failed = project.fail()
    assert failed["exit_code"] == 5
    assert "there is no field `spec.replcas`" in failed["message"]
    assert failed["place"].startswith("manifests/app.yaml.j2:5")
    phase = project.kubectl(
        "get", "namespace", project.name, "-o", "jsonpath={.status.phase}", check=False
    )
    assert phase in ("", "Terminating")


def test_status_shows_the_inventory(project: Project) -> None:
    project.apply()
    result = project.run("status")
    assert "Deployment/web" in result.out
    assert "1 of 1 ready" in result.out
    data = project.run("status", "-o", "json").of("output")[0]["data"]
    assert {row["ref"] for row in data["objects"]} >= {"Deployment/web", "Service/web"}
    assert len(data["pods"]) == 1


def test_teardown_leaves_nothing(project: Project) -> None:
    project.apply()
    result = project.run("teardown", "--images", "-o", "json")
    assert result.code == 0, result.out
    assert project.kubectl("get", "namespace", project.name, check=False) == ""
    images = project.run("docker", "--", "images", "-q", project.name)
    assert images.out == ""
    again = project.run("teardown", "-o", "json")
    assert again.code == 0
    assert again.of("stage-done")[0]["changed"] is False


def test_teardown_keeps_volumes_unless_told(project: Project) -> None:
    claim = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
    project.write("manifests/disk.yaml", claim)
    project.apply()
    result = project.run("teardown", "-o", "json")
    assert "PersistentVolumeClaim/disk" in result.of("ended")[0]["hints"][0]
    assert [item["metadata"]["name"] for item in project.objects("pvc")] == ["disk"]
    assert project.run("teardown", "--data").code == 2, "nobody is there to be asked"
    assert project.run("teardown", "--data", "--yes").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_teardown_leaves_what_is_not_ours(project: Project) -> None:
    project.apply()
    project.kubectl("create", "configmap", "foreign", "--from-literal=a=b")
    assert project.run("teardown").code == 0
    names = {item["metadata"]["name"] for item in project.objects("configmaps")}
    assert names == {"foreign", "kube-root-ca.crt"}


def test_what_others_made_is_not_taken_over(project: Project) -> None:
    project.kubectl("create", "namespace", project.name)
    project.kubectl("create", "configmap", "mine", "--from-literal=a=b")
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\ndata: {a: b}\n"
    project.write("manifests/mine.yaml", manifest)
    failed = project.fail()
    assert (failed["id"], failed["exit_code"]) == ("not-ours", 5)
    assert "`ConfigMap/mine` is already there, and kubekit did not make it" in failed["message"]
    adopt = failed["hints"][1].split("`")[1].split()
    project.kubectl(*adopt[adopt.index("label") :])
    project.apply()
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, "-o", "name"), "kubectl made it"


def test_two_projects_in_one_namespace_keep_apart(new_project: Callable[..., Project]) -> None:
    one, two = new_project(), new_project()
    one.apply()
    failed = two.fail("-n", one.name)
    assert failed["id"] == "owned-by-another-project"
    assert f"`{one.name}`" in failed["message"]

    for path in ("manifests/app.yaml.j2",):
        two.write(path, (two.folder / path).read_text().replace("web", "other"))
    two.apply("-n", one.name)
    assert one.run("teardown").code == 0
    assert [item["metadata"]["name"] for item in one.objects("deployments")] == ["other"]
    assert two.run("teardown", "--all", "-n", one.name).code == 0
    assert one.kubectl("get", "namespace", one.name, check=False) == ""


def test_a_namespace_manifest_does_not_make_it_ours(project: Project) -> None:
    project.kubectl("create", "namespace", project.name)
    manifest = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {project.name}}}\n"
    project.write("manifests/namespace.yaml", manifest)
    project.apply()
    assert project.apply().of("ended")[0]["text"].startswith("nothing changed")
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, "-o", "name")


def test_copies_of_our_label_are_left_alone(project: Project) -> None:
    project.apply()
    (service,) = project.objects("services")
    label = "applyset.kubernetes.io/part-of"
    value = service["metadata"]["labels"][label]
    project.kubectl("create", "configmap", "copy", "--from-literal=a=b")
    project.kubectl("label", "configmap", "copy", f"{label}={value}")
    project.apply()
    assert project.run("teardown").code == 0
    assert "copy" in {item["metadata"]["name"] for item in project.objects("configmaps")}


def test_the_claims_of_a_stateful_set_are_data(project: Project) -> None:
    stateful = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: db, image: "{{ image }}", volumeMounts: [{name: disk, mountPath: /disk}]}
  volumeClaimTemplates:
    - metadata: {name: disk}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
    project.write("manifests/db.yaml.j2", stateful)
    project.apply()
    project.kubectl(
        "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/disk-db-0", "--timeout=180s"
    )
    assert "kept" in project.run("teardown", "-o", "json").of("ended")[0]["hints"][0]
    assert project.run("teardown", "--data", "--yes").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_services_without_ports_get_no_hint(project: Project) -> None:
    headless = """\
apiVersion: v1
kind: Service
metadata: {name: aaa}
spec: {clusterIP: None, selector: {app: web}}
"""
    project.write("manifests/aaa.yaml", headless)
    assert "service/web" in project.apply().of("ended")[0]["hints"][0]
