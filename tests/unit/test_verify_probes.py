"""Which routes `verify` asks: those of the manifests' probes, and of what `init` was told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubekit.config.load import load
from kubekit.init.plan import rendered
from kubekit.model import Settings
from kubekit.verify.project import backend_of, known_of, probed_of
from tests.docs import ROOT
from tests.unit.backends import PLAIN
from tests.unit.detected import APP, PINNED, backend, write

POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec:
  containers:
    - {{name: beside, image: other, livenessProbe: {{httpGet: {{path: /other, port: 1}}}}}}
    - name: web
      image: web
      ports: [{{name: http, containerPort: 8000}}, {{name: metrics, containerPort: 9000}}]
      {probes}
"""


BOTH = """\
livenessProbe: {{httpGet: {{path: {}, port: http}}}}
      readinessProbe: {{httpGet: {{path: {}, port: 8000}}}}
"""


@pytest.mark.parametrize(
    ("probes", "paths"),
    [
        (BOTH.format("/alive", "/up"), {"live": "/alive", "ready": "/up"}),
        (BOTH.format("/ok", "/ok"), {"plain": "/ok"}),
        ("readinessProbe: {httpGet: {port: http}}", {"ready": "/"}),
        ("readinessProbe: {httpGet: {path: /up, port: metrics}}", {}),
        ("readinessProbe: {httpGet: {path: /up, port: [http]}}", {}),
        ("readinessProbe: {tcpSocket: {port: http}}", {}),
        ("readinessProbe: {httpGet: }{", {}),
    ],
)
def test_the_routes_of_probes(web: Settings, probes: str, paths: dict[str, str]) -> None:
    (web.root / "manifests/web.yaml").write_text(POD.format(probes=probes))
    assert probed_of(web) == paths


def test_a_container_without_ports_is_asked_on_any(web: Settings) -> None:
    pod = yaml.safe_load(POD.format(probes="livenessProbe: {httpGet: {path: /up, port: 80}}"))
    del pod["spec"]["containers"][1]["ports"]
    (web.root / "manifests/web.yaml").write_text(yaml.safe_dump(pod))
    assert probed_of(web) == {"live": "/up"}


def test_what_init_was_told_is_asked_though_no_source_has_it(tmp_path: Path) -> None:
    source = {"requirements.txt": PINNED, "app/__init__.py": "", "app/main.py": APP}
    found = backend(tmp_path, source, health="/here")
    assert found.health.plain == "/here"
    write(tmp_path, rendered(found, told="--health /here"))
    settings = load(flags={}, environ={}, cwd=tmp_path, active_profile=lambda: None)
    told = backend_of(settings)
    assert told is not None
    assert told.health == found.health
    assert probed_of(settings) == {"plain": "/here"}
    # What is applied counts, whatever the source has beside it.
    told = backend(tmp_path, {}, health=str(PLAIN.plain))
    known = known_of(env_file=None, folders=(), backend=told, probes=probed_of(settings))
    assert known.paths == {"plain": "/here"}


def test_this_repository_without_a_file_of_its_environment() -> None:
    settings = load(flags={}, environ={}, cwd=ROOT, active_profile=lambda: None, check=False)
    paths = {"live": "/health/live", "ready": "/health/ready"}
    assert probed_of(replace(settings, env_file=None)) == paths
