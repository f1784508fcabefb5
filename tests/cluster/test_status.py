"""`kubekit status`: what somebody else has changed, with who and when; images and revisions."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import Project
from tests.cluster.plain import CONFIG, feed, without_image

pytestmark = pytest.mark.cluster


def test_drift_and_revisions(project: Project) -> None:
    project.apply()
    data = project.run("status", "-o", "json").of("output")[0]["data"]
    assert [row["drift"] for row in data["objects"]] == [[]] * len(data["objects"])

    project.kubectl("scale", "deploy/web", "--replicas=2")
    result = project.run("status")
    assert "drift: spec.replicas is 2, set by `kubectl`" in result.out

    # Kubernetes forgets who has scaled once the object itself is changed.
    project.kubectl("patch", "service", "web", "-p", '{"spec": {"sessionAffinity": "ClientIP"}}')
    project.kubectl("set", "env", "deploy/web", "EXTRA=1")
    project.kubectl("rollout", "status", "deploy/web")
    result = project.run("status")
    assert "earlier: revision 1, image" in result.out

    data = project.run("status", "-o", "json").of("output")[0]["data"]
    rows = {row["ref"]: row for row in data["objects"]}
    fields = {one["field"]: one for one in rows["Deployment/web"]["drift"]}
    extra = "spec.template.spec.containers[name=app].env[name=EXTRA].value"
    assert fields[extra]["by"] == "kubectl-set"
    assert fields[extra]["at"].startswith("20")
    service = {one["field"]: one["value"] for one in rows["Service/web"]["drift"]}
    assert service["spec.sessionAffinity"] == "ClientIP"
    present, first = rows["Deployment/web"]["revisions"]
    assert (present["present"], present["ready_at"]) == (True, None)
    assert (first["revision"], first["present"]) == (1, False)
    assert first["ready_at"]


def test_what_kubectl_has_applied_is_told_without_its_secrets(project: Project) -> None:
    """kubectl notes all that it sent, as text, in an annotation."""
    without_image(project).apply()
    feed(project, CONFIG.replace("colour: red", "colour: red, API_TOKEN: hunter2hunter2"))
    noted = "kubectl.kubernetes.io/last-applied-configuration"
    assert noted in project.kubectl("get", "configmap", "settings", "-o", "json")
    result = project.run("status")
    assert "drift: data.API_TOKEN set by `kubectl-client-side-apply`" in result.out
    for out in (
        result.out,
        project.run("status", "-o", "json").out,
        project.run("build-and-apply", "--dry-run").out,
        project.apply().out,
    ):
        assert "hunter2hunter2" not in out
        assert noted not in out
