"""What is asked of a project for the table of requirements: of its files, image and containers."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kubekit.detect.look import look
from kubekit.image.docker.engine import Engine
from kubekit.image.files import dockerfile, dockerignore, walk
from kubekit.image.files.dockerfile import Dockerfile, Stage
from kubekit.model import Cancel, DockerEndpoint
from kubekit.verify.model import Report
from kubekit.verify.project import known_of
from kubekit.verify.run import verify
from tests.cluster.dockercli import Docker
from tests.cluster.projects.five import Five

_PATIENCE = 60.0
PLANTED = (
    *(".env", ".env.local", "src/.env", "app/.env", "src/app/.env.prod", ".git/HEAD", ".gitignore"),
    *("NOTES.md", "src/notes.md", "tests/test_x.py", "src/tests/test_y.py", "app/tests/t.py"),
    *(".venv/pyvenv.cfg", "__pycache__/a.pyc", "src/app/__pycache__/a.pyc", "app/b.pyc"),
    *(".pytest_cache/x", ".coverage", "htmlcov/i.html", ".vscode/s.json", ".idea/w.xml"),
    *("dist/x.whl", "build/x", "x.egg-info/PKG-INFO", ".DS_Store", ".ruff_cache/x", "docs/x.txt"),
)
"""What lies beside the sources on many machines, and must not get into an image."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a route answered."""

    status: int
    body: str

    @property
    def said(self) -> Any:
        """Its `status`."""
        return json.loads(self.body)["status"]


@dataclass(kw_only=True)
class Facts:
    """One project, built once.

    Attributes:
        copy: a copy of its build context, where files may be changed.
        tag: of its image.
        args: build arguments, where this machine lacks the Python that is asked for.
        first: seconds of the build without any cache, once the base images are there.
    """

    five: Five
    endpoint: DockerEndpoint
    copy: Path
    tag: str
    args: Mapping[str, str] = field(default_factory=dict)
    first: float = 0.0
    log: str = ""

    # ---- its files

    @cached_property
    def dockerfile(self) -> Dockerfile:
        """Its Dockerfile, as kubekit reads it."""
        return dockerfile.read(self.five.context / "Dockerfile")

    @cached_property
    def bases(self) -> list[str]:
        """The images it starts from, without arguments."""
        return [image.reference for image in self.dockerfile.images(None, {})]

    def stage(self, name: str | None = None) -> Stage:
        """A stage by its name; the last one for None."""
        found = self.dockerfile.stage(name)
        assert found is not None, f"there is no stage {name}"
        return found

    def lines(self, keyword: str, stage: str | None = None) -> list[str]:
        """The instructions of a kind in a stage, with their flags."""
        return [
            " ".join([*(f"--{name}={value}" for name, value in one.flags), one.text])
            for one in self.stage(stage).body
            if one.keyword == keyword
        ]

    def sent(self) -> dict[str, int]:
        """The files that a build sends, those that were planted among them, and their bytes."""
        text = (self.copy / ".dockerignore").read_text()
        rules = dockerignore.parse(text, file=self.copy / ".dockerignore")
        files = {one.path: self.copy / one.path for one in walk.walk(self.copy, rules)}
        return {path: file.stat().st_size for path, file in files.items() if file.is_file()}

    # ---- its image

    @cached_property
    def docker(self) -> Docker:
        """A docker command with BuildKit, and the lab's daemon."""
        return Docker.of(self.endpoint)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of docker."""
        done = subprocess.run(
            [self.docker.program, *arguments],
            env=self.docker.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def build(self, *flags: str, tag: str | None = None) -> tuple[str, float]:
        """Build the copy: what BuildKit said, and the seconds."""
        args = [word for item in self.args.items() for word in ("--build-arg", "=".join(item))]
        start = time.monotonic()
        done = self.run(
            *("build", "--progress=plain", *args, *flags, "-t", tag or self.tag, str(self.copy))
        )
        return done.stdout + done.stderr, time.monotonic() - start

    @cached_property
    def image(self) -> Any:
        """What `docker image inspect` says."""
        return json.loads(self.run("image", "inspect", self.tag).stdout)[0]

    @property
    def config(self) -> Any:
        """What a container gets from its image."""
        return self.image["Config"]

    @property
    def variables(self) -> dict[str, str]:
        """The image's environment."""
        return dict(pair.split("=", 1) for pair in self.config["Env"])

    @cached_property
    def report(self) -> Report:
        """What `kubekit verify` finds."""
        file = self.copy.parent / f"{self.copy.name}.env"
        file.write_text((self.five.folder / ".env.example").read_text())
        file.chmod(0o600)
        known = known_of(
            env_file=file,
            folders=(self.five.folder, self.five.context),
            backend=look(self.five.context, root=self.five.folder).backend,
        )
        with contextlib.closing(Engine(self.endpoint)) as engine:
            return verify(
                engine,
                self.tag,
                known=known,
                key=f"requirements-{uuid.uuid4().hex[:8]}",
                emit=lambda _: None,
                cancel=Cancel(),
            )

    @cached_property
    def edited(self) -> tuple[str, float]:
        """Built again after an edit of its main module: what BuildKit said, and the seconds."""
        main = self.copy / self.five.main
        main.write_text(f"{main.read_text()}\n# {uuid.uuid4().hex}\n")
        tag = f"{self.tag.partition(':')[0]}:edited"
        said = self.build(tag=tag)
        self.run("image", "rm", "-f", tag)
        return said

    def inside(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command in a container of its own."""
        head, *rest = command
        return self.run("run", "--rm", "--entrypoint", head, self.tag, *rest, check=check)

    def imports(self, module: str) -> bool:
        """Whether Python finds it in the image."""
        return self.inside("python", "-c", f"import {module}", check=False).returncode == 0

    @contextlib.contextmanager
    def running(self, *flags: str, inner: int = 8000, **env: str) -> Iterator[Running]:
        """A container that answers on a port of the node."""
        pairs = {**self.five.example, **env}
        given = [word for item in pairs.items() for word in ("-e", "=".join(item))]
        published = ("-p", f"{inner}", *flags)
        container = self.run("run", "-d", *published, *given, self.tag).stdout.strip()
        try:
            address = self.run("port", container, f"{inner}/tcp").stdout.splitlines()[0]
            host = self.endpoint.host.partition("//")[2].partition(":")[0]
            yield Running(
                facts=self, id=container, url=f"http://{host}:{address.rpartition(':')[2]}"
            )
        finally:
            self.run("rm", "-f", "-v", container, check=False)


@dataclass(kw_only=True)
class Running:
    """A container of the image."""

    facts: Facts
    id: str
    url: str

    def ask(self, path: str, body: object = None) -> Answer:
        """What a route answers, once anybody does."""
        data = None if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(self.url + path, data=data, headers=head)
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return Answer(status=answer.status, body=answer.read().decode())
            except urllib.error.HTTPError as error:
                return Answer(status=error.code, body=error.read().decode())
            except OSError:
                state = self.inspect()["State"]
                assert state["Running"], self.log()
                assert time.monotonic() < end, self.log()
                time.sleep(0.05)

    def inspect(self) -> Any:
        """What docker says of it."""
        return json.loads(self.facts.run("inspect", self.id).stdout)[0]

    def log(self) -> str:
        """All it wrote."""
        done = self.facts.run("logs", self.id)
        return done.stdout + done.stderr

    def exec(self, *command: str) -> str:
        """What a command in it prints."""
        return self.facts.run("exec", self.id, *command).stdout.strip()

    def stop(self) -> tuple[int, float]:
        """Its exit code, and the seconds it took."""
        start = time.monotonic()
        self.facts.run("stop", "-t", "10", self.id)
        return int(self.inspect()["State"]["ExitCode"]), time.monotonic() - start


def made(
    five: Five,
    endpoint: DockerEndpoint,
    parent: Path,
    *,
    tag: str,
    args: Mapping[str, str],
    change: Callable[[Path], object] = lambda _: None,
) -> Facts:
    """Copy a project, change the copy, and build it with no cache."""
    copy = parent / five.letter
    ignore = shutil.ignore_patterns(".venv", "__pycache__", ".pytest_cache")
    shutil.copytree(five.context, copy, ignore=ignore)
    for path in PLANTED:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text("planted\n")
    change(copy)
    facts = Facts(five=five, endpoint=endpoint, copy=copy, tag=tag, args=args)
    facts.log, facts.first = facts.build("--no-cache")
    return facts
