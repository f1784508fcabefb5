"""What an apply would do, what it did when it ended in the middle, and that nothing is nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.cluster.conftest import Project
from tests.cluster.plain import DEPLOYMENT, feed, job, live, without_image
from tests.cluster.scenarios import access
from tests.cluster.scenarios.running import THROUGH
from tests.conftest import until

pytestmark = pytest.mark.cluster

OLD, NEW = "the-old-password-1", "the-new-password-2"
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{password: {OLD}, user: somebody}}
"""
QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {count/configmaps: "%s"}}
"""
EMPTY = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


@pytest.fixture
def plain(project: Project) -> Project:
    return without_image(project)


def test_a_rehearsal_shows_each_field_that_would_change_and_no_secret(plain: Project) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.write("manifests/login.yaml", SECRET)
    plain.write("manifests/gone.yaml", EMPTY % "gone")
    plain.apply()
    before = plain.kubectl("get", "all,configmap,secret", "-o", "json")

    plain.edit("manifests/web.yaml", "replicas: 1", "replicas: 2")
    plain.edit(
        "manifests/web.yaml", "name: app\n", "name: app\n          env: [{name: A, value: b}]\n"
    )
    plain.edit("manifests/config.yaml", "colour: red", "size: large")
    plain.edit("manifests/login.yaml", OLD, NEW)
    (plain.folder / "manifests/gone.yaml").unlink()
    said = plain.apply("--dry-run")
    would = {it["ref"]: (it["action"], it["changes"]) for it in said.of("object")}
    assert would.pop("ConfigMap/gone") == ("would be pruned", [])
    assert would == {
        "Deployment/web": (
            "would be configured",
            [
                "spec.replicas: 1 -> 2",
                'spec.template.spec.containers[app].env: added [{"name": "A", "value": "b"}]',
            ],
        ),
        "ConfigMap/settings": (
            "would be configured",
            ['data.colour: removed "red"', 'data.size: added "large"'],
        ),
        "Secret/login": ("would be configured", ["data.password: changed"]),
    }
    text = plain.run("build-and-apply", "--dry-run")
    assert "spec.replicas: 1 -> 2" in text.err
    assert "data.password: changed" in text.err
    for shown in (said.out, said.err, text.out, text.err):
        assert OLD not in shown
        assert NEW not in shown
    after = plain.kubectl("get", "all,configmap,secret", "-o", "json")
    assert spec_of(after) == spec_of(before)


def spec_of(listed: str) -> list[object]:
    """Objects without what their controllers say of them meanwhile."""
    items = json.loads(listed)["items"]
    return [
        {key: value for key, value in item.items() if key not in ("metadata", "status")}
        for item in items
        if item["kind"] != "Pod"
    ]


def test_an_apply_that_ends_in_the_middle_says_what_was_written_and_heals(plain: Project) -> None:
    plain.apply()
    count = len(plain.objects("configmaps"))
    feed(plain, QUOTA % (count + 1))
    until(lambda: live(plain, "quota/few").get("status", {}).get("used"))
    for name in ("a", "b", "c"):
        plain.write(f"manifests/{name}.yaml", EMPTY % name)

    # Each alone would fit, which is all that a trial can tell.
    failed = plain.fail()
    assert (failed["id"], failed["exit_code"]) == ("quota", 5)
    assert failed["place"].startswith("manifests/b.yaml")
    assert failed["details"] == [
        "written before it: ConfigMap/a",
        "not written: ConfigMap/c; the next run goes on with them",
    ]
    plain.kubectl("delete", "quota", "few")
    done = plain.apply()
    created = {it["ref"] for it in done.of("object") if it["action"] == "created"}
    assert created == {"ConfigMap/b", "ConfigMap/c"}


def test_a_run_with_nothing_to_do_changes_nothing(plain: Project) -> None:
    plain.write("manifests/web.yaml", DEPLOYMENT)
    plain.write("manifests/login.yaml", SECRET)
    plain.write("manifests/job.yaml", job("print(1)", before=True))
    plain.apply()
    changes_nothing(plain)


def test_nor_does_one_with_an_image_and_an_env_file(project: Project) -> None:
    project.apply()
    changes_nothing(project)


def changes_nothing(project: Project) -> None:
    access.through_busy_proxy(project)
    through = replace(project, env={**project.env, "KUBECONFIG": project.env[THROUGH]})
    try:
        done = through.apply()
        asked = list(access.BUSY[project.name].asked)
    finally:
        access.no_busy_proxy(project)
    assert {it["action"] for it in done.of("object")} == {"unchanged"}
    changing = [it for it in asked if it[0] != "GET" and "dryRun=All" not in it[1]]
    assert changing == []
    assert [it for it in asked if it[0] == "PATCH"], "the trials went another way"


def test_what_is_somebody_elses_by_now_is_not_pruned(plain: Project) -> None:
    for name in ("helm", "owned", "ours"):
        plain.write(f"manifests/{name}.yaml", EMPTY % name)
    plain.apply()
    label = "app.kubernetes.io/managed-by=Helm"
    plain.kubectl("label", "configmap", "helm", label, "--overwrite")
    plain.kubectl("create", "configmap", "elsewhere")
    owner = live(plain, "configmap/elsewhere")["metadata"]
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["name"],
        "uid": owner["uid"],
    }
    patch = json.dumps({"metadata": {"ownerReferences": [reference]}})
    plain.kubectl("patch", "configmap", "owned", "--type=merge", "-p", patch)
    for name in ("helm", "owned", "ours"):
        (plain.folder / f"manifests/{name}.yaml").unlink()
    done = plain.apply()
    assert [it["ref"] for it in done.of("object") if it["action"] == "pruned"] == ["ConfigMap/ours"]
    assert live(plain, "configmap/helm")
    assert live(plain, "configmap/owned")
    assert plain.apply().of("ended")[0]["text"].startswith("nothing changed")

    gone = plain.run("teardown", "-o", "json")
    assert gone.code == 0, gone.out
    stays = [it["text"] for it in gone.of("warning") if " stays: " in it["text"]]
    assert stays == [
        "ConfigMap/helm stays: `Helm` manages it by now, as its label says",
        "ConfigMap/owned stays: `ConfigMap/elsewhere` owns it by now",
    ]
    left = {it["metadata"]["name"] for it in plain.objects("configmaps")}
    # The namespace is kubekit's, but not all that is in it.
    assert left == {"helm", "owned", "elsewhere", "kube-root-ca.crt"}
    assert "deletionTimestamp" not in live(plain, f"namespace/{plain.name}")["metadata"]
