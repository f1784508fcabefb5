"""What the plan and the summary of quantum-router ask for: A and B."""

from __future__ import annotations

import json
import os
import re
import time

from tests.cluster.projects.facts import Facts
from tests.cluster.projects.rows import Row, own, says, verified
from tests.conftest import kubekit

_C = "int answer(void) { return 42; }\n"
_CALL = "import ctypes; print(ctypes.CDLL('/tmp/a.so').answer())"
_QUICK = 3.0
"""Seconds to the first answer, as asked for; of three starts, for a busy machine only adds."""


@own("A1", "`FROM python:3.11-slim as builder`", settled="X1: `AS` in capitals, BuildKit warns")
def a1(facts: Facts) -> str:
    origin = facts.stage("builder").origin
    assert origin.text.lower() == "python:3.11-slim as builder"
    return f"line {origin.line}: `FROM {origin.text}`"


@own("A2", "two stages, seen in the build")
def a2(facts: Facts) -> str:
    seen = set(re.findall(r"\[(builder|runtime) +\d+/\d+\]", facts.log))
    assert seen == {"builder", "runtime"}
    return f"{len(facts.dockerfile.stages)} stages; BuildKit shows both"


@own(
    "A3",
    "the builder has a compiler; an extension in C is built from its sources",
    settled="X17: the base brings `Python.h`, as the official one does",
)
def a3(facts: Facts) -> str:
    says(" ".join(facts.lines("RUN", "builder")), "gcc", "g++", "libffi-dev")
    facts.build("--target", "builder", tag="f-builder-of-a:test")
    script = (
        f"printf '{_C}' > /tmp/a.c && gcc -shared -o /tmp/a.so /tmp/a.c && python -c \"{_CALL}\""
    )
    inside = ("run", "--rm", "--network=host", "f-builder-of-a:test")
    try:
        assert facts.run(*inside, "sh", "-c", script).stdout.strip() == "42"
        # Without a compiler it would be installed all the same, without its extension.
        package = "--no-binary=markupsafe --no-deps --target=/tmp/t markupsafe==3.0.2"
        imported = "PYTHONPATH=/tmp/t python -c 'import markupsafe._speedups'"
        facts.run(*inside, "sh", "-c", f"pip install -q {package} && {imported}")
        return "a library in C is built and called, and an extension from its sources"
    finally:
        facts.run("image", "rm", "-f", "f-builder-of-a:test")


@own("A4", "requirements.txt installed into `python -m venv /opt/venv`")
def a4(facts: Facts) -> str:
    says(" ".join(facts.lines("COPY", "builder")), "requirements.txt")
    says(" ".join(facts.lines("RUN", "builder")), "python -m venv", "/opt/venv")
    prefix = facts.inside("python", "-c", "import sys; print(sys.prefix)").stdout.strip()
    assert prefix == "/opt/venv"
    return "`sys.prefix` is `/opt/venv`"


@own("A5", "the same base again, only `/opt/venv` copied from the builder")
def a5(facts: Facts) -> str:
    assert facts.bases == ["python:3.11-slim"]
    copied = [line for line in facts.lines("COPY") if line.startswith("--from")]
    assert copied == ["--from=builder /opt/venv /opt/venv"]
    sizes = facts.run("history", "--no-trunc", "--human=false", "--format={{.Size}}", facts.tag)
    base = len(
        json.loads(facts.run("image", "inspect", *facts.bases).stdout)[0]["RootFS"]["Layers"]
    )
    own_layers = [int(size) for size in sizes.stdout.split()][:-base]
    large = [size for size in own_layers if size > 1_000_000]
    assert len(large) == 1, own_layers
    return f"one large layer of {large[0] / 1e6:.0f} MB"


@own("A7", "src/, app/ and data/ copied if they exist")
def a7(facts: Facts) -> str:
    own_files = [line.split()[-1] for line in facts.lines("COPY") if "--from" not in line]
    there = [name for name in ("src", "app", "data") if (facts.five.context / name).is_dir()]
    assert sorted(own_files) == sorted(f"/app/{name}" for name in there)
    return f"{', '.join(sorted(there))} are there and copied"


@own("A8", "appuser, uid 1000, a home", settled="X2: numeric USER; X15: the code is root's")
def a8(facts: Facts) -> str:
    who = facts.inside("sh", "-c", "id -u; id -un; echo ~; stat -c %u /app/app").stdout.split()
    assert who == ["1000", "appuser", "/home/appuser", "0"]
    assert facts.config["User"].partition(":")[0] == "1000"
    return f"{facts.report['user-numeric'].text}; {who[1]} of {who[2]}; /app/app is root's"


@own("A12", "smaller than one stage; below 1.5 GB with qiskit")
def a12(facts: Facts) -> str:
    facts.build("--target", "builder", tag="f-builder-of-a:test")
    single = json.loads(facts.run("image", "inspect", "f-builder-of-a:test").stdout)[0]["Size"]
    facts.run("image", "rm", "-f", "f-builder-of-a:test")
    size = facts.image["Size"]
    assert facts.imports("qiskit")
    assert size < single
    assert size < 1_500_000_000
    return f"{size / 1e6:.0f} MB; its builder alone {single / 1e6:.0f} MB"


@own("A13", "`docker build -t quantum-router-backend:test ./backend`")
def a13(facts: Facts) -> str:
    assert facts.tag == "quantum-router-backend:test"
    return f"{facts.image['Id'][7:19]}, built without a cache in {facts.first:.0f} s"


@own("A14", "`-p 8001:8000`, healthy after 2-3 s, a clean log")
def a14(facts: Facts) -> str:
    taken = []
    for _ in range(3):
        begin = time.monotonic()
        with facts.running("--name", "f-qr-test", "-p", "8001:8000") as running:
            running.url = running.url.rpartition(":")[0] + ":8001"
            answer = running.ask("/health")
            taken.append(time.monotonic() - begin)
            assert (answer.status, answer.said) == (200, "healthy")
            log = running.log()
            assert "Traceback" not in log
            assert "ERROR" not in log
    told = ", ".join(f"{seconds:.1f}" for seconds in taken)
    assert min(taken) <= _QUICK, told
    return f"first answer after {told} s: {answer.body}"


@own("A15", "not root; stop and rm leave nothing")
def a15(facts: Facts) -> str:
    with facts.running("--name", "f-qr-test") as running:
        running.ask("/health")
        name = running.exec("whoami")
        assert name == "appuser"
        code, seconds = running.stop()
        assert code == 0
    assert facts.run("ps", "-aq", "-f", "name=f-qr-test").stdout == ""
    return f"{name}; stopped with {code} in {seconds:.1f} s; nothing is left"


A: tuple[Row, ...] = (
    *(a1, a2, a3, a4, a5),
    verified("A6", "PATH begins with /opt/venv/bin", "env-path"),
    *(a7, a8),
    verified(
        "A9", "EXPOSE 8000; uvicorn serves app.main:app", "port-exposed", "command-exec", "health"
    ),
    verified("A10", "requirements.txt is not in the image", "no-requirements"),
    verified("A11", "no curl, no compiler", "no-downloaders", "no-compilers"),
    *(a12, a13, a14, a15),
)


@own("B1", "no gcc, g++, libffi-dev, curl; uid 1000")
def b1(facts: Facts) -> str:
    for check in ("no-compilers", "no-downloaders"):
        assert facts.report[check].status == "passed", facts.report[check]
    assert facts.inside("dpkg", "-s", "libffi-dev", check=False).returncode != 0
    assert facts.inside("id", "-u").stdout.strip() == "1000"
    return "none of them is there; uid 1000"


@own("B2", "908 MB as reported, to be beaten (A's image: with qiskit)", of="a")
def b2(facts: Facts) -> str:
    size = facts.image["Size"]
    assert facts.imports("qiskit")
    assert size < 908_000_000
    return f"{size / 1e6:.0f} MB with qiskit"


@own("B3", "a newer pydantic must not break the start")
def b3(facts: Facts) -> str:
    lines = (facts.five.context / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line[:1].isalpha()]
    assert all("==" in line for line in pins)
    strict = (
        "-W",
        "error::DeprecationWarning",
        "-c",
        "import app.main, pydantic; print(pydantic.VERSION)",
    )
    version = facts.inside("python", *strict).stdout.strip()
    return f"{len(pins)} packages pinned; pydantic {version}, imported with warnings as errors"


@own("B5", "a Docker that does not run is named, and what to do")
def b5(facts: Facts) -> str:
    folder = facts.copy.parent / "b5"
    folder.mkdir(exist_ok=True)
    where = f"build: {{context: {facts.five.context}}}\ncontext: none\nallow_contexts: [none]\n"
    (folder / "kubekit.yaml").write_text(f"name: b5\nmanifests: [a.yaml]\n{where}")
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    env = {key: value for key, value in os.environ.items() if key != "KUBEKIT_PROFILE"}
    env |= {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = kubekit("push", "1", "--registry", "localhost:1", "-o", "json", cwd=folder, env=env)
    (failed,) = done.of("failed")
    assert (failed["id"], done.code) == ("docker-unreachable", 8), done.out + done.err
    return f"exit {done.code}: {failed['message']}"


_NOT_OURS = "X20: not ours to run; the project's own tests here are those of `tests/projects`"

B: tuple[Row, ...] = (
    *(b1, b2, b3),
    Row(id="B4", asked="48 tests of the project pass", check="", settled=_NOT_OURS),
    b5,
    Row(id="B6", asked="ready for compose and CI", check="", settled="X20: not ours to run"),
)
