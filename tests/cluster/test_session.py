"""What BuildKit gets over a session is what lies in the folder, after every kind of change."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import socket
import stat
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kubekit.errors import BuildError, CancelledError, UnreachableError
from kubekit.events import BuildLog, ContextSent, Event
from kubekit.image import build
from kubekit.image.changes import Memory
from kubekit.image.cleanup import delete_all
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.model import BuildSecret, BuildSettings, BuiltImage, Cancel, DockerEndpoint
from tests.cluster.conftest import PROFILE
from tests.conftest import alive, open_files, until

pytestmark = pytest.mark.cluster

LOOK = """\
import hashlib, json, os, stat
found = {}
for folder, folders, files in os.walk(b"/ctx"):
    for name in folders + files:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            held = "link:" + os.fsdecode(os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            held = "folder"
        else:
            held = hashlib.sha256(open(path, "rb").read()).hexdigest()
        mode = 0o777 if stat.S_ISLNK(status.st_mode) else stat.S_IMODE(status.st_mode)
        owner = status.st_uid + status.st_gid
        found[os.fsdecode(path[5:])] = [held, mode, owner]
found = dict(sorted(found.items()))
print("found", len(found), hashlib.sha256(json.dumps(found).encode()).hexdigest())
if len(found) < 100:
    for item in found.items():
        print("item", json.dumps(item))
"""
DOCKERFILE = "FROM python:3.13-slim\nCOPY . /ctx/\nRUN python -I /ctx/look.py\n"


@dataclass(kw_only=True)
class Project:
    root: Path
    name: str
    engine: Engine
    cancel: Cancel = field(default_factory=Cancel)
    events: list[Event] = field(default_factory=list)
    secrets: Mapping[str, BuildSecret] = field(default_factory=dict)

    def build(self) -> BuiltImage:
        self.events.clear()
        settings = BuildSettings(
            context=self.root, dockerfile=self.root / "Dockerfile", secrets=self.secrets
        )
        return build.ensure(
            context.plan(settings, name=self.name),
            DockerStore(self.engine),
            name=self.name,
            memory=Memory(self.root.parent / f"{self.name}.json"),
            emit=self.events.append,
            cancel=self.cancel,
        )

    def sent(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, ContextSent)]

    def said(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, BuildLog)]

    def here(self) -> str:
        """What LOOK prints, of this side."""
        found: dict[str, list[object]] = {}
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = Path(folder, name)
                status = path.lstat()
                held = "folder"
                if stat.S_ISLNK(status.st_mode):
                    held = f"link:{path.readlink()}"
                elif stat.S_ISREG(status.st_mode):
                    held = hashlib.sha256(path.read_bytes()).hexdigest()
                mode = stat.S_IMODE(status.st_mode)
                found[str(path.relative_to(self.root))] = [held, mode, 0]
        digest = hashlib.sha256(json.dumps(dict(sorted(found.items()))).encode()).hexdigest()
        return f"found {len(found)} {digest}"

    def matches(self) -> None:
        """Build, and compare."""
        assert self.build().built
        assert self.here() in self.said(), self.said()


def sockets() -> set[str]:
    """Those that this process has open, each by a name that no other has."""
    return {one for one in open_files() if one.startswith("socket:")}


@pytest.fixture
def project(engine: Engine, tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "look.py").write_text(LOOK)
    # Never the same twice, or a step would come from the cache of an earlier run.
    (root / "mark").write_text(str(uuid.uuid4()))
    (root / "app/main.py").write_text(f"{uuid.uuid4()}\n")
    (root / "app/other.py").write_text("other\n")
    project = Project(root=root, name=f"t-{uuid.uuid4().hex[:8]}", engine=engine)
    yield project
    delete_all(DockerStore(engine), project.name)


def test_each_change_arrives_and_nothing_else_is_sent(project: Project) -> None:
    app = project.root / "app"
    project.matches()
    assert project.sent()[0].endswith("of 6 files")  # with the Dockerfile twice

    (app / "main.py").write_text(f"{uuid.uuid4()}\n")  # of the same size
    project.matches()
    assert project.sent() == ["sent 37 bytes of 1 file"]

    (app / "main.py").chmod(0o755)
    project.matches()
    (app / "main.py").rename(app / "moved.py")
    project.matches()
    (app / "other.py").unlink()
    project.matches()
    assert project.sent() == ["sent 0 bytes of 0 files"]

    (app / "moved.py").unlink()
    (app / "moved.py").mkdir()
    (app / "moved.py/inside").write_text("a file became a folder")
    project.matches()
    (app / "moved.py/inside").unlink()
    (app / "moved.py").rmdir()
    (app / "moved.py").symlink_to("../look.py")
    project.matches()
    (app / "moved.py").unlink()
    (app / "moved.py").symlink_to("../else.py")
    project.matches()
    (app / "moved.py").unlink()
    (app / "moved.py").write_text("a link became a file")
    project.matches()
    assert project.sent() == ["sent 20 bytes of 1 file"]


def test_every_kind_of_file(project: Project) -> None:
    root = project.root
    (root / "empty").touch()
    (root / "binary").write_bytes(bytes(range(256)) * 5000)
    (root / "with space").write_text("1")
    (root / "with\nnewline").write_text("2")
    (root / "ünï-☃").write_text("3")
    Path(os.fsdecode(os.fsencode(root) + b"/latin-\xe9")).write_text("4")
    (root / "a").mkdir()
    (root / "a/b").write_text("sorted after a-b, though / is after -")
    (root / "a-b").write_text("5")
    (root / "dangling").symlink_to("nowhere/ü")
    (root / "absolute").symlink_to("/etc/hostname")
    (root / "to-folder").symlink_to("app")
    (root / "no-folder-is-empty").mkdir()
    for name, mode in (("setuid", 0o4755), ("setgid", 0o2711), ("sticky", 0o1777), ("none", 0o600)):
        (root / name).write_text(name)
        (root / name).chmod(mode)
    (root / "a").chmod(0o3770)
    project.matches()


def test_a_source_whose_name_needs_care(project: Project) -> None:
    (project.root / "ünï c").mkdir()
    (project.root / "ünï c/x").write_text("x")
    (project.root / "real").mkdir()
    (project.root / "real/deep").write_text("deep")
    (project.root / "link").symlink_to("real")
    (project.root / "Dockerfile").write_text(
        'FROM python:3.13-slim\nCOPY ["ünï c", "/u/"]\nCOPY link/deep app/m*.py /srv/\n'
        f"RUN cat /u/x /srv/deep; ls /srv # {uuid.uuid4()}\n"
    )
    assert project.build().built
    assert project.said() == ["xdeepdeep", "main.py"]


def test_a_dockerfile_elsewhere_and_one_that_is_left_out(project: Project, tmp_path: Path) -> None:
    (project.root / ".dockerignore").write_text("Dockerfile\n")
    outside = tmp_path / "Other"
    outside.write_text(f"FROM python:3.13-slim\nCOPY . /ctx/\nRUN ls -A /ctx # {uuid.uuid4()}\n")
    expected = [".dockerignore", "app", "look.py", "mark"]
    (project.root / "Dockerfile").write_text(outside.read_text())
    for dockerfile in (project.root / "Dockerfile", outside):
        settings = BuildSettings(context=project.root, dockerfile=dockerfile)
        plan = context.plan(settings, name=project.name)
        events: list[Event] = []
        memory = Memory(tmp_path / "memory.json")
        store = DockerStore(project.engine)
        build.ensure(
            plan, store, name=project.name, memory=memory, emit=events.append, cancel=Cancel()
        )
        said = [event.line for event in events if isinstance(event, BuildLog)]
        assert said in (expected, []), said  # the second time from the cache


def test_many_files_and_a_large_one(project: Project) -> None:
    for number in range(3000):
        file = project.root / f"many/{number % 50}/{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number))
    (project.root / "large").write_bytes(os.urandom(1 << 20) * 30)
    project.matches()
    assert project.sent() == ["sent 31.5 MB of 3007 files"]
    (project.root / "many/7/7").write_text("x")
    project.matches()
    assert project.sent() == ["sent 1 bytes of 1 file"]


def test_two_at_once_and_many_in_a_row_leave_nothing(
    project: Project, threads: list[threading.Thread]
) -> None:
    project.matches()
    before = sockets()

    def one(number: int) -> bool:
        text = f"FROM python:3.13-slim\nCOPY app /ctx/\n# {uuid.uuid4()}\n"
        (project.root / f"Dockerfile.{number}").write_text(text)
        settings = BuildSettings(
            context=project.root, dockerfile=project.root / f"Dockerfile.{number}"
        )
        return build.ensure(
            context.plan(settings, name=project.name),
            DockerStore(project.engine),
            name=project.name,
            memory=Memory(project.root.parent / f"{number}.json"),
            emit=project.events.append,
            cancel=Cancel(),
        ).built

    with ThreadPoolExecutor(max_workers=2) as pool:
        assert all(pool.map(one, range(30)))
    assert threads
    until(lambda: not alive(threads))
    until(lambda: len(sockets() - before) <= 2)  # idle connections


TOKEN = f"kk-{uuid.uuid4()}"
"""Never in any text that anyone can see."""


def test_secrets_reach_the_step_and_nobody_else(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine a\npassword {TOKEN}\n")
    monkeypatch.setenv("KK_TOKEN", TOKEN)
    project.secrets = {"netrc": BuildSecret(file=netrc), "token": BuildSecret(env="KK_TOKEN")}
    (project.root / "Dockerfile").write_text(
        "FROM python:3.13-slim\n"
        "RUN --mount=type=secret,id=netrc --mount=type=secret,id=token,required=true \\\n"
        f"  cat /run/secrets/*; wc -c /run/secrets/*; test ! -e /fail # {uuid.uuid4()}\n"
    )
    first = project.build()
    assert "59 /run/secrets/netrc" in "\n".join(project.said())

    # With another value the same image is meant.
    netrc.write_text("rotated")
    again = project.build()
    assert (again.built, again.ids) == (False, first.ids)

    netrc.write_text(f"{TOKEN}")
    text = (project.root / "Dockerfile").read_text()
    (project.root / "Dockerfile").write_text(text.replace("! -e", "-e"))
    with pytest.raises(BuildError) as caught:
        project.build()
    said = [repr(project.events), repr(caught.value.details), str(caught.value.hints)]
    memory = (project.root.parent / f"{project.name}.json").read_text()
    assert all(TOKEN not in text for text in [*said, caught.value.message, memory])


def test_a_step_that_went_without_its_secret(project: Project) -> None:
    (project.root / "Dockerfile").write_text(
        "FROM python:3.13-slim\nRUN --mount=type=secret,id=pip cat /run/secrets/pip\n"
    )
    with pytest.raises(BuildError) as caught:
        project.build()
    assert caught.value.hints[-1].startswith("it ran without the secret `pip`: write into kubekit")


class Registry(http.server.ThreadingHTTPServer):
    """A registry that knows nobody and has nothing, but keeps the logins it is shown."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Doorman)
        self.logins: list[str | None] = []


class Doorman(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        login = self.headers.get("Authorization")
        self.server.logins.append(login)
        self.send_response(401 if login is None else 404)
        self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(cluster: dict[str, str], endpoint: DockerEndpoint) -> Iterator[Registry]:
    """One that the node reaches under the same address, which is one it asks without TLS."""
    with Registry() as server:
        threading.Thread(target=server.serve_forever).start()
        port = server.server_address[1]
        key = Path(cluster["MINIKUBE_HOME"], f"machines/{PROFILE}/id_rsa")
        address = urlsplit(endpoint.host).hostname
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        command = ["ssh", "-i", str(key), *(part for one in options for part in ("-o", one))]
        command += ["-R", f"127.0.0.1:{port}:127.0.0.1:{port}", f"docker@{address}"]
        tunnel = subprocess.Popen(
            [*command, "echo up; read"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert tunnel.stdout is not None
        assert tunnel.stdout.readline() == b"up\n"
        yield server
        tunnel.communicate()
        server.shutdown()


def test_a_syntax_image_is_asked_for_with_the_users_login(
    project: Project, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{registry.server_address[1]}"
    auths = {address: {"auth": base64.b64encode(f"me:{TOKEN}".encode()).decode()}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    text = f"# syntax={address}/x/frontend:1\nFROM python:3.13-slim\n"
    (project.root / "Dockerfile").write_text(text)
    with pytest.raises(BuildError, match="not found") as caught:
        project.build()
    assert caught.value.id == "syntax-image"
    assert registry.logins == [None, f"Basic {auths[address]['auth']}"]


class Capturing(Engine):
    """An Engine whose sessions a test can break."""

    connections: list[socket.socket]

    def hijack(self, path: str, headers: Sequence[tuple[str, str]], /) -> socket.socket:
        self.connections = [super().hijack(path, headers)]
        return self.connections[0]


@pytest.mark.parametrize("how", ["cancelled", "lost"])
def test_an_end_in_the_middle_of_a_transfer(project: Project, how: str) -> None:
    (project.root / "large").write_bytes(os.urandom(1 << 20) * 200)
    engine = project.engine = Capturing(project.engine.endpoint)

    def end() -> None:
        if how == "cancelled":
            project.cancel.set()
        else:
            socket.socket.shutdown(engine.connections[0], socket.SHUT_RDWR)

    real = context.content

    def content(*args: object) -> Iterator[bytes]:
        for block in real(*args):  # type: ignore[arg-type]
            yield block
            if args[0].path == "large" and not timer.ident:  # type: ignore[attr-defined]
                timer.start()

    timer = threading.Thread(target=end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "content", content)
        with pytest.raises(CancelledError if how == "cancelled" else UnreachableError) as caught:
            project.build()
    assert how == "cancelled" or "closed the connection" in caught.value.message
    project.cancel = Cancel()
    (project.root / "large").unlink()
    project.matches()
    engine.close()
