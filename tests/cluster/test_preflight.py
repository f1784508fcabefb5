"""What the API server says of pods that nobody has made yet, on the real cluster."""

from __future__ import annotations

import base64
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubekit.api.kube import Kube
from kubekit.api.preflight import Refusal, nodes, refusal
from kubekit.errors import CancelledError
from kubekit.model import Cancel, Object
from tests.cluster.conftest import PROFILE
from tests.cluster.scratch import Scratch, scratch

pytestmark = pytest.mark.cluster

IMAGE = "python:3.13-slim"
LARGE = {"requests": {"cpu": "800m"}, "limits": {"memory": "600Mi"}}
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
DENIAL = """
import http.server, json, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        uid = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]["uid"]
        said = {"uid": uid, "allowed": False, "status": {"code": CODE, "message": "not today"}}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def deployment(spec: Object | None = None, **container: Any) -> Object:
    app = {"name": "app", "image": IMAGE, "imagePullPolicy": "Never", **container}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [app], **(spec or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture
def space(cluster: dict[str, str]) -> Iterator[Scratch]:
    with scratch() as made:
        yield made


def ask(space: Scratch, workload: Object, *coming: str) -> Refusal | None:
    return refusal(space.kube, space.name, workload, coming=coming)


def refused(space: Scratch, workload: Object, *coming: str) -> Refusal:
    """The refusal, once the API server has learnt of what was made a moment ago."""
    return space.until(lambda: ask(space, workload, *coming))


def pods(space: Scratch) -> list[Object]:
    return space.kube.list(f"/api/v1/namespaces/{space.name}/pods")


def test_a_new_namespace_is_waited_for_and_nothing_is_made(space: Scratch) -> None:
    assert ask(space, deployment()) is None
    assert pods(space) == []


def test_every_kind_of_workload_is_asked_about(space: Scratch) -> None:
    app = {"name": "app", "image": IMAGE, "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    claims = [{"metadata": {"name": "data"}, "spec": {}}]
    database = {"volumeClaimTemplates": claims, "template": {"spec": {"containers": [app]}}}
    plain = {"containers": [{"name": "app", "image": IMAGE}], "restartPolicy": "Never"}
    batch = {"template": {"spec": {**plain, "serviceAccountName": "nosuch"}}}
    nightly = {"jobTemplate": {"spec": batch}}
    named = {"metadata": {"name": "x" * 80}}
    assert ask(space, {"kind": "StatefulSet", **named, "spec": database}) is None
    assert ask(space, {"kind": "Pod", **named, "spec": plain}) is None
    for kind, spec in {"Job": batch, "CronJob": nightly, "Pod": batch["template"]["spec"]}.items():
        found = ask(space, {"kind": kind, **named, "spec": spec})
        assert found is not None, kind
        assert 'serviceaccount "nosuch" not found' in found.message
    assert ask(space, {"kind": "Service", **named, "spec": {"ports": []}}) is None


def test_what_this_run_brings_is_not_missing(space: Scratch) -> None:
    account = deployment({"serviceAccountName": "mine"})
    ranked = deployment({"priorityClassName": "mine"})
    assert ask(space, account, "ServiceAccount/mine", "Secret/x") is None
    assert ask(space, ranked, "PriorityClass/mine") is None
    missing = ask(space, account, "ServiceAccount/other")
    assert missing is not None
    assert missing.certain
    assert "error looking up service account" in missing.message
    unranked = ask(space, ranked)
    assert unranked is not None
    assert "no PriorityClass with name mine" in unranked.message


def test_limits(space: Scratch) -> None:
    space.make(
        "v1", "LimitRange", "range", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}}]}
    )
    large = deployment(resources={"limits": {"cpu": "2"}})
    found = refused(space, large)
    assert found.certain
    assert "maximum cpu usage per Container is 1, but limit is 2" in found.message
    assert not refused(space, large, "LimitRange/range").certain


def test_a_quota_that_the_pod_alone_exceeds_is_certain_also_beside_old_pods(space: Scratch) -> None:
    quota(space)
    space.pod("web", {"containers": [{"name": "app", "image": IMAGE, "resources": LARGE}]})
    found = refused(space, deployment(resources={**LARGE, "requests": {"cpu": "1100m"}}))
    assert "requested: requests.cpu=1100m" in found.message
    assert found.certain


def test_a_quota_must_be_met_with_requests(space: Scratch) -> None:
    quota(space)
    found = refused(space, deployment())
    assert "must specify requests.cpu for: app" in found.message
    assert found.certain


def quota(space: Scratch) -> None:
    space.make("v1", "ResourceQuota", "quota", spec={"hard": {"requests.cpu": "1"}})
    path = f"/api/v1/namespaces/{space.name}/resourcequotas/quota"
    space.until(lambda: space.kube.get(path)["status"].get("used"))  # type: ignore[index]


def test_a_quota_used_by_others_is_certain_and_by_pods_that_go_it_is_not(space: Scratch) -> None:
    quota(space)
    app = {"name": "app", "image": IMAGE, "command": ["sleep", "600"], "resources": LARGE}
    space.pod("foreign", {"containers": [app]})
    large = deployment(resources=LARGE)
    found = refused(space, large)
    assert "exceeded quota: quota" in found.message
    assert found.certain
    assert not refused(space, large, "Pod/foreign").certain
    assert not refused(space, large, "ResourceQuota/quota").certain
    space.kube.request("DELETE", f"/api/v1/namespaces/{space.name}/pods/foreign")
    space.until(lambda: not pods(space))
    space.make("apps/v1", "Deployment", "web", spec=large["spec"])
    space.until(lambda: pods(space))
    assert not refused(space, large).certain, "the old pod makes room for the new one"
    other = {**large, "metadata": {"name": "other"}}
    assert refused(space, other).certain
    assert not refused(space, other, "Deployment/web").certain


def test_pod_security(cluster: dict[str, str]) -> None:
    with scratch({"pod-security.kubernetes.io/enforce": "restricted"}) as strict:
        found = refused(strict, deployment())
        assert found.certain
        assert 'violates PodSecurity "restricted:latest"' in found.message
        assert not refused(strict, deployment(), f"Namespace/{strict.name}").certain


@contextlib.contextmanager
def hook(space: Scratch, **client: str) -> Iterator[None]:
    """A webhook that is asked about the pods of this namespace only."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    server = {"namespace": space.name, "name": "hook"}
    here = {"matchLabels": {"kubernetes.io/metadata.name": space.name}}
    webhook = {
        "name": "hook.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 3,
        "clientConfig": {"service": server, **client},
        "rules": [{**rule, "operations": ["CREATE"]}],
        "namespaceSelector": here,
    }
    body = {"metadata": {"name": space.name}, "webhooks": [webhook]}
    path = f"{REGISTRATION}/validatingwebhookconfigurations"
    space.kube.request("POST", path, body=body)
    try:
        yield
    finally:
        space.kube.request("DELETE", f"{path}/{space.name}")


def test_a_webhook_that_cannot_be_called_may_be_there_later(space: Scratch) -> None:
    with hook(space):
        found = refused(space, deployment())
    assert 'failed calling webhook "hook.example.com"' in found.message
    assert not found.certain


@pytest.mark.parametrize("code", [403, 500])
def test_a_webhook_that_denies(space: Scratch, tmp_path: Path, code: int) -> None:
    name = f"hook.{space.name}.svc"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-keyout", "tls.key", "-out", "tls.crt"]
    made += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    files = {
        file: base64.b64encode((tmp_path / file).read_bytes()).decode()
        for file in ("tls.key", "tls.crt")
    }
    space.make("v1", "Secret", "tls", data=files)
    app = {"name": "app", "image": IMAGE, "imagePullPolicy": "Never"}
    app["command"] = ["python", "-c", DENIAL.replace("CODE", str(code))]  # type: ignore[assignment]
    app["volumeMounts"] = [{"name": "tls", "mountPath": "/tls"}]  # type: ignore[assignment]
    volume = {"name": "tls", "secret": {"secretName": "tls"}}
    space.pod("hook", {"containers": [app], "volumes": [volume]}, {"app": "hook"})
    ports = [{"port": 443, "targetPort": 8443}]
    space.make("v1", "Service", "hook", spec={"selector": {"app": "hook"}, "ports": ports})
    with hook(space, caBundle=files["tls.crt"]):
        found = space.until(lambda: denial(space))
    assert 'admission webhook "hook.example.com" denied the request: not today' in found.message
    assert not found.certain, "a pod that a controller makes may be another thing to it"


def denial(space: Scratch) -> Refusal | None:
    """A refusal that is not the webhook's own start."""
    found = ask(space, deployment())
    return found if found and "failed calling" not in found.message else None


def test_who_may_not_make_pods_learns_nothing(
    space: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = deployment({"serviceAccountName": "nosuch"})
    assert ask(space, missing) is not None
    kube = space.as_account(tmp_path, monkeypatch)
    assert refusal(kube, space.name, missing) is None
    assert nodes(kube) is None
    space.allow("pods", "create")
    assert space.until(lambda: refusal(kube, space.name, missing)) is not None


def test_without_a_namespace_nothing_is_known(space: Scratch) -> None:
    missing = deployment({"serviceAccountName": "nosuch"})
    assert refusal(space.kube, f"{space.name}-not", missing) is None


def test_an_interrupted_run_does_not_wait_for_the_account(space: Scratch) -> None:
    path = f"/api/v1/namespaces/{space.name}/serviceaccounts/default"
    space.until(lambda: space.kube.get(path))
    cancel = Cancel()
    kube = Kube(context=PROFILE, cancel=cancel)
    cancel.set()
    with pytest.raises(CancelledError):
        refusal(kube, space.name, deployment())


def test_the_nodes_of_the_cluster(space: Scratch) -> None:
    found = nodes(space.kube)
    assert found is not None
    assert [node["metadata"]["name"] for node in found] == [PROFILE]
