"""`kubekit verify` on the real daemon: the reference backend, and images with one fault each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubekit.image.docker.engine import Engine
from kubekit.verify.owner import LABEL
from tests.cluster.conftest import Project
from tests.conftest import KUBEKIT, ROOT, Result, until
from tests.unit.images import layer

pytestmark = pytest.mark.cluster

SERVER = """\
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "healthy"}'
        self.send_response(200 if self.path in ("/", "/health") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8000"))
HTTPServer((host, port), Handler).serve_forever()
"""
ASK = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=2)"
DOCKERFILE = f"""\
FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY server.py /app/server.py
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s CMD ["python", "-c", "{ASK}"]
CMD ["python", "/app/server.py"]
"""
CMD = 'CMD ["python", "/app/server.py"]'
SECRET = "correct-horse-battery"


@pytest.fixture
def tiny(new_project: Callable[[], Project]) -> Project:
    project = new_project()
    project.write("app/Dockerfile", DOCKERFILE)
    project.write("app/server.py", SERVER)
    project.edit("manifests/app.yaml.j2", "/ready", "/health")
    project.write(".env", f"API_TOKEN={SECRET}\n")
    return project


@pytest.fixture
def left(engine: Engine) -> Callable[[], list[str]]:
    """What verify has left in the daemon: containers and volumes, as a test began and as it is."""
    filters = {"label": LABEL}

    def look() -> list[str]:
        containers = engine.ask(lambda api: api.containers(all=True, filters=filters))
        volumes = engine.ask(lambda api: api.volumes(filters=filters))
        return [item["Id"] for item in containers] + [
            volume["Name"] for volume in volumes["Volumes"] or ()
        ]

    before = set(look())
    return lambda: [one for one in look() if one not in before]


def verify(project: Project, *arguments: str) -> Result:
    return project.run("verify", "--build", "-o", "json", *arguments)


def checks(result: Result) -> dict[str, dict[str, Any]]:
    (output,) = result.of("output")
    return {one["id"]: one for one in output["data"]["checks"]}


def broken(result: Result) -> set[str]:
    return {id_ for id_, one in checks(result).items() if one["status"] == "failed"}


def test_the_reference_backend_passes_every_check(
    new_project: Callable[[], Project], left: Callable[[], list[str]], tmp_path: Path
) -> None:
    project = new_project()
    shutil.rmtree(project.folder / "app")
    ours = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache")
    shutil.copytree(ROOT / "backend", project.folder / "app", ignore=ours)
    project.edit("manifests/app.yaml.j2", "/ready", "/health/ready")
    project.write(".env", f"BETTER_AUTH_SECRET={'s3cr3t-' * 6}\nHOST=0.0.0.0\nWORKERS=1\n")
    project.write("app/.env", "NESTED=leaks\n")
    bill = tmp_path / "bom.json"
    result = verify(project, "--max-size", "200MB", "--sbom", str(bill))
    assert result.code == 0, result.out + result.err
    found = checks(result)
    skipped = {id_: one["text"] for id_, one in found.items() if one["status"] == "skipped"}
    assert skipped == {}
    assert "/app/data/" in found["sqlite-written"]["text"]
    (output,) = result.of("output")
    assert output["data"]["start_seconds"] > 0
    assert output["data"]["memory"] > 10_000_000
    components = {one["name"] for one in json.loads(bill.read_text())["components"]}
    assert {"fastapi", "uvicorn", "SQLAlchemy", "libc6"} <= components
    assert left() == []


def test_a_small_image_fails_nothing(tiny: Project) -> None:
    result = verify(tiny)
    assert (broken(result), result.code) == (set(), 0), result.out


BAD = {
    "a shell as process 1": (
        (CMD, "CMD python /app/server.py; true"),
        {"command-exec", "process-one", "stops"},
    ),
    "root": (("USER 10001:10001\n", ""), {"user-not-root", "run-as"}),
    "a token in ENV": (
        ("USER", f"ENV API_TOKEN={SECRET}\nUSER"),
        {"secrets-env", "secrets-history"},
    ),
    "a .env that is deleted again": (
        ("USER", "COPY .env /app/.env\nRUN rm /app/.env\nUSER"),
        {"no-env-files", "secrets-layers"},
    ),
    "a HEALTHCHECK of what is not there": (
        ("import urllib.request as r;", "import requests as r;"),
        {"healthcheck-healthy"},
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_an_image_with_one_fault_fails_the_checks_of_that(fault: str, tiny: Project) -> None:
    (old, new), expected = BAD[fault]
    tiny.edit("app/Dockerfile", old, new)
    tiny.write("app/.env", f"API_TOKEN={SECRET}\n")
    result = verify(tiny, "--grace", "2", "--skip", "read-only-root")
    assert result.code == 3
    assert broken(result) == expected
    (failed,) = result.of("failed")
    assert failed["id"] == "verify-failed"
    assert SECRET not in result.out + result.err


CODE = {
    "the loopback alone": (('"HOST", "0.0.0.0"', '"HOST", "127.0.0.1"'), {"listens-everywhere"}),
    "files beside the code": (
        ("signal.signal(", "open('/var/tmp/x', 'w')\nsignal.signal("),
        {"read-only-root"},
    ),
    "an end that is none": (("sys.exit(0)", "None"), {"stops"}),
    "a start that fails": (("import os,", "import missing_module, os,"), {"starts"}),
}


@pytest.mark.parametrize("fault", CODE)
def test_an_app_with_one_fault_fails_the_check_of_that(fault: str, tiny: Project) -> None:
    (old, new), expected = CODE[fault]
    tiny.edit("app/server.py", old, new)
    only = [f"--only={id_}" for id_ in ("starts", "stops", "listens-everywhere", "read-only-root")]
    result = verify(tiny, "--grace", "2", *only)
    assert (result.code, broken(result)) == (3, expected), result.out
    if fault == "a start that fails":
        assert "No module named 'missing_module'" in checks(result)["starts"]["details"][-1]


def test_an_image_for_another_machine_is_read_but_not_run(tiny: Project, engine: Engine) -> None:
    files, name = layer({"x": "a program"}), f"{tiny.name}:arm"
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(files).hexdigest()}"]}
    about = {"architecture": "arm64", "os": "linux", "config": {"Cmd": ["/x"]}, "rootfs": rootfs}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["a/layer.tar"]}]
    parts = {"config.json": json.dumps(about), "manifest.json": json.dumps(manifest)}
    data = layer({"a/layer.tar": files, **parts})
    engine.ask(lambda api: list(api.load_image(data)))
    try:
        found = checks(tiny.run("verify", name, "-o", "json"))
    finally:
        engine.remove(name)
    assert found["user-not-root"]["status"] == "failed"
    assert found["starts"]["status"] == "skipped"
    assert "arm64" in found["starts"]["text"]


def test_an_image_without_a_command_is_not_run(tiny: Project) -> None:
    tiny.edit("app/Dockerfile", CMD, "CMD []")
    result = verify(tiny)
    assert broken(result) == {"command-exec"}
    assert "neither" in checks(result)["starts"]["text"]


def test_a_python_that_cannot_be_run_is_named(tiny: Project) -> None:
    false = "RUN install -D /bin/false /opt/bin/python3\nENV PATH=/opt/bin:$PATH\nUSER"
    tiny.edit("app/Dockerfile", "USER", false)
    tiny.edit("kubekit.yaml", "180s", "3s")
    found = checks(verify(tiny, "--only", "starts"))["starts"]
    assert found["status"] == "failed"
    text = "no answer on port 8000 in 3 s: `/opt/bin/python3` in the container ended with 1"
    assert found["text"] == text


def test_what_is_not_there_is_said(tiny: Project) -> None:
    result = tiny.run("verify", "-o", "json")
    assert (result.code, result.of("failed")[0]["id"]) == (2, "image-not-built")
    result = tiny.run("verify", f"{tiny.name}:none", "-o", "json")
    assert (result.code, result.of("failed")[0]["id"]) == (2, "image-missing")
    result = tiny.run("verify", "--only", "stop", "-o", "json")
    assert (result.code, result.of("failed")[0]["id"]) == (2, "check-unknown")
    assert "Traceback" not in result.err


@pytest.mark.parametrize(("number", "leaves"), [(signal.SIGINT, False), (signal.SIGKILL, True)])
def test_what_an_ended_run_leaves(
    number: signal.Signals, leaves: bool, tiny: Project, left: Callable[[], list[str]]
) -> None:
    # An app that never answers is waited for: the run is in the middle of its work.
    tiny.edit("app/server.py", "HTTPServer((host", "signal.pause(); HTTPServer((host")
    command = [KUBEKIT, "verify", "--build", "--only", "starts"]
    run = subprocess.Popen(
        command, cwd=tiny.folder, env=tiny.env, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    until(left)
    os.kill(run.pid, number)
    _, err = run.communicate(timeout=120)
    assert b"Traceback" not in err
    assert bool(left()) is leaves
    if leaves:
        tiny.write("app/server.py", SERVER)
        assert verify(tiny, "--only", "starts").code == 0
        assert left() == []
    else:
        assert run.returncode == 130
