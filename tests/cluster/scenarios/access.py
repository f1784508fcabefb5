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

from tests.cluster.busyproxy import BusyProxy
from tests.cluster.conftest import PROFILE, Project
from tests.cluster.faultproxy import FaultProxy
from tests.cluster.scenarios.actions import namespace
from tests.cluster.scenarios.running import THROUGH, Running
from tests.cluster.scenarios.scenario import Meddling

BUSY: dict[str, BusyProxy] = {}
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


def through_busy_proxy(project: Project) -> None:
    """By way of a proxy that can refuse requests as a busy API server does."""
    proxy = BUSY[project.name] = BusyProxy(project.env["KUBECONFIG"], PROFILE)
    config = kubeconfig(project)
    cluster = config["clusters"][0]["cluster"]
    for name in ("certificate-authority", "certificate-authority-data"):
        cluster.pop(name, None)
    cluster["server"] = f"http://127.0.0.1:{proxy.port}"
    lead(project, config)


def through_busy_server(project: Project) -> None:
    """By way of one that refuses all."""
    through_busy_proxy(project)
    BUSY[project.name].busy.set()


def no_busy_proxy(project: Project) -> None:
    BUSY.pop(project.name).close()


def busy_for(seconds: float) -> Meddling:
    """Every request is refused, and every watch ended, for a while."""

    def meddle(project: Project, _run: Running) -> None:
        proxy = BUSY[project.name]
        proxy.busy.set()
        time.sleep(seconds)
        proxy.busy.clear()
        assert proxy.refused, "nothing was asked meanwhile"

    return meddle


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
