"""Values of `.env` stay in the Secret: random ones, looked for in everything kubekit leaves."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.conftest import Project
from tests.conftest import Result

pytestmark = pytest.mark.cluster

MANIFEST = "manifests/app.yaml.j2"
CRASH = """\
import os
password = os.environ["PASSWORD"]
raise RuntimeError(f"cannot log in with {os.environ['API_KEY']}, nor with", password)
"""


@dataclass(kw_only=True)
class Leaks:
    """Everything said, and every process argument seen, and what must be in none of it."""

    needles: list[str]
    texts: dict[str, str] = field(default_factory=dict)
    arguments: set[str] = field(default_factory=set)

    def hear(self, project: Project, *arguments: str) -> Result:
        """Run kubekit and keep what it says."""
        result = project.run(*arguments)
        name = f"{len(self.texts)}: kubekit {' '.join(arguments)}"
        self.texts[name] = result.out + result.err
        return result

    def find(self) -> list[str]:
        """Where a value was found; each of the texts by name."""
        everything = {**self.texts, "process arguments": "\n".join(self.arguments)}
        return [
            f"{name}: {line}"
            for name, text in everything.items()
            for line in text.splitlines()
            if any(needle in line for needle in self.needles)
        ]

    @contextlib.contextmanager
    def watching_processes(self) -> Iterator[None]:
        """Look at the arguments of all processes of this machine, many times a second."""
        over = threading.Event()

        def watch() -> None:
            looks: dict[str, int] = {}
            while not over.wait(0.02):
                there = [file.name for file in Path("/proc").iterdir() if file.name.isdigit()]
                looks = {pid: looks.get(pid, 0) + 1 for pid in there}
                for pid, count in looks.items():
                    # Which program it is changes in its first moments; all at once take a core.
                    if count > 10 and count % 25:
                        continue
                    with contextlib.suppress(OSError):
                        said = Path(f"/proc/{pid}/cmdline").read_bytes()
                        self.arguments.add(said.replace(b"\0", b" ").decode("latin1"))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.fixture
def leaks(project: Project) -> Leaks:
    """A project with secrets, one of them with characters that mean something elsewhere."""
    plain, first, second = (secrets.token_hex(12) for _ in range(3))
    whole = f"{first}@{second}:%/=+"
    project.write(".env", f"GREETING=welcome\nAPI_KEY={plain}\nPASSWORD={whole}\n")
    encoded = (base64.b64encode(value.encode()).decode() for value in (plain, whole))
    return Leaks(needles=[plain, first, second, *encoded])


def test_no_value_leaves_the_secret(project: Project, leaks: Leaks) -> None:
    with leaks.watching_processes():
        assert leaks.hear(project, "build-and-apply", "-v").code == 0
        assert leaks.hear(project, "build-and-apply", "-o", "json").code == 0
        for command in ("render", "status"):
            assert leaks.hear(project, command).code == 0
            assert leaks.hear(project, command, "-o", "json", "-v").code == 0
        assert leaks.hear(project, "config", "show").code == 0
        assert leaks.hear(project, "build-and-apply", "--dry-run", "-v").code == 0

        server = (project.folder / "app/server.py").read_text()
        project.write("app/server.py", CRASH)
        for output in ("json", "text"):
            crash = leaks.hear(project, "build-and-apply", "-v", "-o", output)
            assert crash.code == 6
            assert "cannot log in with ***, nor with" in crash.out + crash.err
        project.write("app/server.py", server)
        wrong_files(project, leaks)

    assert any("kubekit build-and-apply" in line for line in leaks.arguments)
    leaks.texts |= {"cluster": in_cluster(project), "daemon": in_daemon(project)}
    cache = Path(project.env["XDG_CACHE_HOME"])
    leaks.texts["cache"] = "\n".join(
        file.read_text(errors="replace") for file in cache.rglob("*") if file.is_file()
    )
    assert leaks.find() == []


def wrong_files(project: Project, leaks: Leaks) -> None:
    """Mistakes on a line that holds a value, each told by somebody else."""
    good = (project.folder / MANIFEST).read_text()
    for wrong, code in (
        ("  replicas: {{ env.API_KEY + 1 }}\n", 3),  # Jinja2
        ('  replicas: "{{ env.API_KEY }} {{ nothing }}"\n', 3),
        ("  replicas: {{ env.API_KEY }}: {{ env.PASSWORD }}: [\n", 3),  # YAML
        ("  replicas: *{{ env.API_KEY }}\n", 3),
        ('  {{ env.API_KEY }}: "{{ env.PASSWORD }}"\n', 5),  # the API server
        ('  replicas: "{{ env.API_KEY }}"\n', 5),
        ('  strategy: {type: "{{ env.PASSWORD }}"}\n', 5),
    ):
        project.write(MANIFEST, good.replace("  replicas: 1\n", wrong))
        for output in ("text", "json"):
            assert leaks.hear(project, "build-and-apply", "-o", output).code == code, wrong
    project.write(MANIFEST, good)


def in_cluster(project: Project) -> str:
    """Every object of the namespace with all its fields, but for the data of Secrets."""
    kinds = project.kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    assert {"secrets", "events", "deployments.apps"} <= set(kinds)
    kinds.remove("secrets")
    others = project.kubectl("get", ",".join(kinds), "-o", "yaml", "--show-managed-fields")
    assert "kind: Deployment" in others
    assert "kind: Event" in others
    mine = json.loads(project.kubectl("get", "secrets", "-o", "json", "--show-managed-fields"))
    return others + "\n".join(str({**item, "data": None}) for item in mine["items"])


def in_daemon(project: Project) -> str:
    """All that the daemon knows of the project's images."""
    ids = out(project.run("docker", "--", "images", "-q", project.name)).split()
    assert len(ids) == 2
    return "\n".join(
        out(project.run("docker", "--", *arguments, image))
        for image in ids
        for arguments in (("history", "--no-trunc"), ("image", "inspect"))
    )


def out(result: Result) -> str:
    assert result.code == 0, result.err
    return result.out


def test_build_arguments_with_secret_names_are_masked(project: Project) -> None:
    value = secrets.token_hex(12)
    leaks = Leaks(needles=[value])
    project.write(
        "kubekit.yaml",
        f"name: {project.name}\nbuild: {{context: app, args: {{API_TOKEN: {value}, PART: abc}}}}\n",
    )
    docker = (project.folder / "app/Dockerfile").read_text()
    use = 'ARG API_TOKEN PART\nRUN echo "with $API_TOKEN and $PART" && ls $API_TOKEN; exit {code}\n'
    for code, expected in ((1, 4), (0, 0)):
        lines = docker.replace("USER ", use.replace("{code}", str(code)) + "USER ")
        project.write("app/Dockerfile", lines)
        for flags in (("-v",), ("-v", "-o", "json")):
            result = leaks.hear(project, "build-and-apply", *flags)
            assert result.code == expected
    assert leaks.find() == []
    assert "with *** and abc" in next(iter(leaks.texts.values()))


def test_the_value_of_before_is_in_no_plan(project: Project, leaks: Leaks) -> None:
    """In the open, by a template, where only a Secret that is still there knows the old one."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: open}\n"
    text += 'data: {url: "db://u:{{ env.API_KEY }}@h", own: "{{ env.API_KEY }}"}\n'
    project.write("manifests/open.yaml.j2", text)
    project.apply()
    for greeting in ("another", "one more"):
        new = secrets.token_hex(12)
        leaks.needles.append(new)
        project.write(".env", f"GREETING={greeting}\nAPI_KEY={new}\nPASSWORD={new}\n")
        assert leaks.hear(project, "build-and-apply", "--dry-run").code == 0
        done = leaks.hear(project, "build-and-apply", "-o", "json", "-v")
        assert done.code == 0
    project.kubectl("set", "env", "deploy/web", f"OTHER={new}")
    assert "set by `kubectl-set`" in leaks.hear(project, "status").out
    leaks.hear(project, "status", "-o", "json")
    assert leaks.find() == []
