"""A project folder, a home and an environment of its own for one wrong thing a person can do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import KUBEKIT, Result, kubekit

PROFILE = "kubekit-lab"
SECRET = "s3cr3t-Never-Shown"
DOCKERFILE = "FROM python:3.13-slim\nUSER 10001\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: app, image: "{{ image }}"}]
"""
MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  namespace: "{{ namespace }}"
"""


@dataclass(kw_only=True)
class World:
    """Everything kubekit can see, all of it in one folder of the test.

    Attributes:
        folder: the project's, in which kubekit runs.
        home: the person's.
        name: of the project, which is its namespace, too.
        lab: the environment of the lab, empty where there is none.
        started: what runs in terminals, and must not outlive a test that fails.
    """

    folder: Path
    home: Path
    name: str
    env: dict[str, str]
    lab: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def make(cls, tmp: Path, name: str, lab: dict[str, str] | None = None) -> World:
        """An empty folder and an empty home; with `lab`, its Minikube is the person's own."""
        folder, home = tmp / "tasks", tmp / "home"
        folder.mkdir()
        home.mkdir()
        world = cls(folder=folder, home=home, name=f"bad-{name}", env={}, lab=lab or {})
        world.env = {
            # No folder with a `minikube` or `docker` in it.
            "PATH": str(home / "bin"),
            "HOME": str(home),
            "KUBECONFIG": str(world.kubeconfig),
            "MINIKUBE_HOME": str(world.minikube),
            "LANG": "C.UTF-8",
            **(lab or {}),
            "XDG_CACHE_HOME": str(home / ".cache"),
        }
        return world

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def minikube(self) -> Path:
        return self.home / ".minikube"

    def write(self, path: str, text: str | bytes, *, mode: int | None = None) -> None:
        """Write a file of the project."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        if mode is not None:
            file.chmod(mode)

    def project(self, more: str = "", *, manifest: str = MANIFEST) -> None:
        """Write a project that works: what a case changes is then what is wrong with it."""
        self.write("kubekit.yaml", f"name: {self.name}\n{more}")
        self.write("manifests/app.yaml.j2", manifest)

    def image(self, dockerfile: str | None = DOCKERFILE) -> None:
        """Write a project with an image to build."""
        self.project("build: {context: app}\n", manifest=DEPLOYMENT)
        self.write("app/main.py", "print('hello')\n")
        if dockerfile is not None:
            self.write("app/Dockerfile", dockerfile)

    def profile(self, name: str, config: dict[str, Any] | str) -> None:
        """Write the config of a Minikube profile."""
        file = self.minikube / "profiles" / name / "config.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(config if isinstance(config, str) else json.dumps(config))

    def context(
        self, name: str, *, server: str = "https://127.0.0.1:1", made: bool = False
    ) -> None:
        """Write a kubeconfig with this context; `made` marks it as Minikube's own."""
        cluster: dict[str, Any] = {"server": server}
        if made:
            info = {"provider": "minikube.sigs.k8s.io", "version": "v1.38.1"}
            cluster["extensions"] = [{"name": "cluster_info", "extension": info}]
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": name, "cluster": cluster}],
                    "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                    "users": [{"name": name, "user": {}}],
                    "current-context": name,
                }
            )
        )

    def own_copy_of_the_lab(self) -> dict[str, Any]:
        """Use copies of the lab's profile and kubeconfig, which may be spoilt; gives the config."""
        source = Path(self.lab["MINIKUBE_HOME"])
        shutil.copytree(source / "profiles" / PROFILE, self.minikube / "profiles" / PROFILE)
        for folder in ("certs", "machines"):
            shutil.copytree(source / folder, self.minikube / folder)
        shutil.copy(self.lab["KUBECONFIG"], self.kubeconfig)
        self.env |= {"MINIKUBE_HOME": str(self.minikube), "KUBECONFIG": str(self.kubeconfig)}
        file = self.minikube / "profiles" / PROFILE / "config.json"
        return dict(json.loads(file.read_text()))

    def run(self, *arguments: str, program: Path = KUBEKIT, **options: Any) -> Result:
        """Run kubekit here."""
        return kubekit(
            *arguments, cwd=self.folder, **{"env": self.env, "program": program, **options}
        )

    def run_without_privilege(self, *arguments: str) -> Result:
        """Run kubekit so that permissions of files count, also where the tests run as root."""
        if os.geteuid() != 0:
            return self.run(*arguments)
        held_back = "--bounding-set=-dac_override,-dac_read_search"
        return self.run(held_back, "--", str(KUBEKIT), *arguments, program=Path("/usr/bin/setpriv"))

    def end(self) -> None:
        """End what still runs."""
        for process in self.started:
            process.kill()
            process.wait()

    def files(self) -> dict[str, bytes]:
        """All files of the project with their content."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
