"""Other ways to the cluster: as somebody with fewer rights, or through a network that fails.

Only kubekit goes that way; what a scenario does to the cluster goes straight there.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi

from tests.cluster.conftest import PROFILE, Project
from tests.cluster.faultproxy import FaultProxy
from tests.cluster.scenarios.actions import feed, namespace
from tests.cluster.scenarios.running import THROUGH, Running
from tests.cluster.scenarios.scenario import Meddling

PROXIES: dict[str, FaultProxy] = {}
"""The proxies of the scenarios that go on, by the name of the project."""

ACCOUNT = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: narrow}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ROLE}
subjects: [{kind: ServiceAccount, name: narrow, namespace: NAME}]
"""
# The server's own means to shed load: no request of this account is let through.
BUSY = """\
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: NAME, labels: {scenario: NAME}}
spec:
  type: Limited
  limited:
    nominalConcurrencyShares: 0
    lendablePercent: 0
    borrowingLimitPercent: 0
    limitResponse: {type: Reject}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: NAME, labels: {scenario: NAME}}
spec:
  priorityLevelConfiguration: {name: NAME}
  matchingPrecedence: 100
  rules:
    - subjects: [{kind: ServiceAccount, serviceAccount: {name: narrow, namespace: NAME}}]
      resourceRules:
        - {verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"]}
      nonResourceRules: [{verbs: ["*"], nonResourceURLs: ["*"]}]
"""


def as_account(project: Project, role: str) -> None:
    """As a ServiceAccount that has this ClusterRole in the namespace."""
    namespace(project, also=ACCOUNT.replace("ROLE", role))
    by_token(project, project.kubectl("create", "token", "narrow").strip())


def by_token(project: Project, token: str) -> None:
    config = kubeconfig(project)
    config["users"][0]["user"] = {"token": token}
    lead(project, config)


def other_authority(project: Project) -> None:
    """The kubeconfig trusts somebody else than the authority of this cluster."""
    config = kubeconfig(project)
    cluster = config["clusters"][0]["cluster"]
    cluster.pop("certificate-authority-data", None)
    cluster["certificate-authority"] = certifi.where()
    lead(project, config)


def busy_for_it(project: Project) -> None:
    """The API server has too many requests to take any of the project's."""
    as_account(project, "admin")
    feed(project, BUSY)
    time.sleep(2)  # the server takes note of it a moment later


def busy_for(seconds: float) -> Meddling:
    """It is so for a while."""

    def meddle(project: Project, _run: Running) -> None:
        feed(project, BUSY)
        time.sleep(seconds)
        project.kubectl("delete", "flowschema", project.name)

    return meddle


def through_proxy(project: Project) -> None:
    """By way of a proxy that can be cut."""
    server = urlsplit(kubeconfig(project)["clusters"][0]["cluster"]["server"])
    assert server.hostname is not None
    proxy = PROXIES[project.name] = FaultProxy(server.hostname, server.port or 443)
    straight = Path(project.env["KUBECONFIG"])
    copy = proxy.kubeconfig(straight, project.folder / "kubeconfig.json", PROFILE)
    project.env[THROUGH] = str(copy)


def through_nothing(project: Project) -> None:
    """By way of a proxy that has been cut."""
    through_proxy(project)
    PROXIES[project.name].cut()


def no_proxy(project: Project) -> None:
    PROXIES.pop(project.name).cut()


def cut(project: Project, run: Running) -> None:
    PROXIES[project.name].cut()


def restore(project: Project, run: Running) -> None:
    PROXIES[project.name].restore()


def sawed(project: Project, run: Running) -> None:
    """Every connection is broken once a second, until the run is over."""
    dropped: list[int] = []

    def saw() -> None:
        while run.process.poll() is None:
            dropped.append(PROXIES[project.name].drop())
            time.sleep(1)

    thread = threading.Thread(target=saw)
    thread.start()
    thread.join(60)
    assert sum(dropped) > 5, "nothing was cut"


def in_node(project: Project, command: str) -> None:
    """Run a command in the node."""
    subprocess.run(
        ["minikube", "ssh", "-p", PROFILE, "--", command],
        env=project.env,
        capture_output=True,
        check=True,
    )


def kubeconfig(project: Project) -> dict[str, Any]:
    """The project's kubeconfig, of its one context, files and all."""
    view = ("config", "view", "--raw", "--minify", "-o", "json")
    return dict(json.loads(project.kubectl(*view)))


def lead(project: Project, config: dict[str, Any]) -> None:
    """Let kubekit use this kubeconfig."""
    file = project.folder / "kubeconfig.json"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    project.env[THROUGH] = str(file)
