"""The lab's further profiles do what other tests take for granted on them."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.paths import FURTHER

DOCKERFILE = """\
FROM python:3.13-slim
RUN pip install --no-cache-dir idna==3.10
CMD ["python", "-c", "import idna; print('idna', idna.__version__)"]
"""
EVERYWHERE = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: python:3.13-slim
          imagePullPolicy: Never
          env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
          command: [sh, -c, "cd $(mktemp -d); echo $NODE >node; exec python3 -m http.server 8000"]
          readinessProbe: {httpGet: {port: 8000, path: /node}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec:
  selector: {app: app}
  ports: [{port: 80, targetPort: 8000}]
"""
ASK = """
import urllib.request
def ask():
    url = "http://app/node"
    return urllib.request.urlopen(url, timeout=5).read().decode().strip()
print(*sorted({ask() for _ in range(40)}))
"""
containerd = pytest.mark.parametrize("further", ["containerd"], indirect=True)
two_nodes = pytest.mark.parametrize("further", ["two-node"], indirect=True)


@containerd
def test_containerd_builds_offline_and_runs_what_it_built(own: Lab, tmp_path: Path) -> None:
    image = f"kubekit.local/{own.namespace}:1"
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    # Its exit code says nothing; that the image is there, only the node does.
    own.run("minikube", "image", "build", "-p", own.profile, "-t", image, str(tmp_path))
    assert image in own.images(own.profile)
    own.kubectl("run", "app", f"--image={image}", "--image-pull-policy=Never", "--restart=Never")
    done = "--for=jsonpath={.status.phase}=Succeeded"
    own.kubectl("wait", "pod/app", done, "--timeout=60s")
    assert own.kubectl("logs", "app") == "idna 3.10\n"


@two_nodes
def test_pods_of_two_nodes_reach_each_other_by_a_service(own: Lab) -> None:
    own.kubectl("apply", "-f", "-", given=EVERYWHERE)
    own.kubectl("rollout", "status", "daemonset/app", "--timeout=60s")
    pods = json.loads(own.kubectl("get", "pods", "-o", "json"))["items"]
    nodes = {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in pods}
    assert set(nodes) == {own.profile, f"{own.profile}-m02"}
    for node, pod in nodes.items():
        # The rules of kube-proxy may be a moment behind what the API says.
        time.sleep(1)
        assert set(own.kubectl("exec", pod, "--", "python3", "-c", ASK).split()) == set(nodes)
        assert "registry.k8s.io/pause:3.10.1" in own.images(node)


@two_nodes
def test_the_context_of_the_caller_stays_chosen(own: Lab) -> None:
    # None may be chosen: Minikube forgets the one that it deletes.
    chosen = own.run("kubectl", "config", "view", "-o", "jsonpath={.current-context}")
    assert chosen not in FURTHER.values()


@dataclass(kw_only=True)
class Lab:
    """A shell on a further profile, and a namespace there."""

    env: dict[str, str]
    namespace: str

    @property
    def profile(self) -> str:
        """Its name, and its context's and first node's."""
        return self.env["KUBEKIT_PROFILE"]

    def images(self, node: str) -> set[str]:
        """The names of the images that the kubelet of a node has."""
        inside = ("--", "sudo", "crictl", "images", "-o", "json")
        listed = json.loads(self.run("minikube", "ssh", "-p", self.profile, "-n", node, *inside))
        return {name for image in listed["images"] for name in image["repoTags"]}

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """What kubectl prints, in the namespace."""
        return self.run(
            "kubectl", "--context", self.profile, "-n", self.namespace, *arguments, given=given
        )

    def run(self, *command: str, given: str = "") -> str:
        """What a command prints that must end well."""
        done = subprocess.run(
            command,
            env=self.env,
            input=given,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def own(further: dict[str, str]) -> Iterator[Lab]:
    """The profile, with a namespace of this test's own."""
    lab = Lab(env=further, namespace=f"t-{uuid.uuid4().hex[:8]}")
    lab.kubectl("create", "namespace", lab.namespace)
    yield lab
    lab.kubectl("delete", "namespace", lab.namespace, "--wait=false")
