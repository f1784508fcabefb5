"""What is said to BuildKit over a session: entries, packets, calls, and flow control."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import FilesError
from kubekit.image.buildkit import filesync, packets, protobuf
from kubekit.image.buildkit.calls import Code, Metadata, RefusedError, Unframing, frame, unary
from kubekit.image.buildkit.filesync import Files, Transfer, order, wanted
from kubekit.image.buildkit.logins import Logins
from kubekit.image.buildkit.packets import Kind
from kubekit.image.buildkit.secrets import Secrets, lacking
from kubekit.image.buildkit.server import Server
from kubekit.image.buildkit.session import Session, shared_key
from kubekit.image.files import context, weigh
from kubekit.image.files.demands import check
from kubekit.image.files.dockerfile import parse
from kubekit.model import BuildPlan, BuildSecret, BuildSettings, Cancel


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app/sub").mkdir(parents=True)
    (root / "app/main.py").write_text("main")
    (root / "app/sub/deep.py").write_text("deep")
    (root / "app-x").write_text("x")
    (root / "link").symlink_to("app")
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    return root


def made(root: Path) -> BuildPlan:
    settings = BuildSettings(context=root, dockerfile=root / "Dockerfile")
    return context.plan(settings, name="tasks")


def metadata(name: str, *paths: str, **more: str) -> Metadata:
    return {"dir-name": [name], "followpaths": list(paths), **{k: [v] for k, v in more.items()}}


def flow(transfer: Transfer) -> bytes:
    return b"".join(iter(transfer.give, None))


def paths(transfer: Transfer) -> list[str]:
    messages = map(protobuf.decode, Unframing().add(flow(transfer)))
    entries = [entry for fields in messages for entry in protobuf.submessages(fields, 2)]
    return [protobuf.text(protobuf.decode(entry), 1) for entry in entries]


def asking(kind: Kind, id_: int = 0) -> bytes:
    return protobuf.encode(1, kind) + protobuf.encode(3, id_)


def test_a_whole_transfer(root: Path) -> None:
    files = Files(made(root))
    transfer = files(metadata("context"))
    told = paths(transfer)
    assert told == [
        "Dockerfile",
        "app",
        "app/main.py",
        "app/sub",
        "app/sub/deep.py",
        "app-x",
        "link",
    ]
    transfer.take(asking(Kind.REQ, told.index("app/main.py")))
    id_ = protobuf.encode(3, told.index("app/main.py"))
    data = protobuf.encode(1, Kind.DATA) + id_
    assert flow(transfer) == frame(data + protobuf.encode(4, b"main")) + frame(data)
    assert not transfer.ended()
    transfer.take(asking(Kind.FIN))
    assert flow(transfer) == packets.FINISHED
    assert transfer.ended()
    assert (files.sent.all, str(files.sent)) == (True, "sent 4 bytes of 1 file")


def test_what_is_asked_for_beforehand_is_not_all(root: Path) -> None:
    files = Files(made(root))
    transfer = files(metadata("context", ".dockerignore"))
    assert paths(transfer) == []
    transfer.take(asking(Kind.FIN))
    assert not files.sent.all


def test_the_dockerfile_has_a_tree_of_its_own(root: Path, tmp_path: Path) -> None:
    assert paths(Files(made(root))(metadata("dockerfile"))) == ["Dockerfile"]
    outside = tmp_path / "Other"
    outside.write_text("FROM scratch\nCOPY . /\n")
    plan = context.plan(BuildSettings(context=root, dockerfile=outside), name="tasks")
    assert paths(Files(plan)(metadata("dockerfile"))) == ["Other"]
    assert "app/main.py" in paths(Files(plan)(metadata("context")))
    assert context.ALIAS not in paths(Files(plan)(metadata("context")))


def test_no_other_tree_may_be_read(root: Path) -> None:
    with pytest.raises(RefusedError, match="no folder `/etc`"):
        Files(made(root))(metadata("/etc"))


def test_a_file_that_was_never_told(root: Path) -> None:
    transfer = Files(made(root))(metadata("context"))
    flow(transfer)
    transfer.take(asking(Kind.REQ, 99))
    with pytest.raises(RefusedError, match="no file 99"):
        flow(transfer)


def test_a_file_that_changed_never_ends(root: Path) -> None:
    transfer = Files(made(root))(metadata("context"))
    told = paths(transfer)
    (root / "app/main.py").write_text("mAin")
    transfer.take(asking(Kind.REQ, told.index("app/main.py")))
    with pytest.raises(FilesError, match="changed while it was sent"):
        transfer.give()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["app/sub"], {"app", "app/sub", "app/sub/deep.py"}),
        (["/app-x", "./app/main.py"], {"app-x", "app", "app/main.py"}),
        (["app/*.py"], {"app", "app/main.py", "app/sub", "app/sub/deep.py"}),
        (["nowhere"], set()),
        (["app", "nowhere/x"], {"app", "app/main.py", "app/sub", "app/sub/deep.py"}),
    ],
)
def test_only_what_the_build_reads_is_told(
    root: Path, asked: list[str], expected: set[str]
) -> None:
    there = {file.path: file for file in made(root).files}
    assert set(wanted(there, asked)) == expected


@pytest.mark.parametrize(
    "asked", [[], [""], ["."], ["*.txt"], ["link/main.py"], ["link"], ["../x"]]
)
def test_what_is_not_plain_gets_all(root: Path, asked: list[str]) -> None:
    there = {file.path: file for file in made(root).files}
    assert set(wanted(there, asked)) == set(there)


def test_names_that_no_header_can_hold_arrive_encoded(root: Path) -> None:
    (root / "ü c").write_text("x")
    headers = metadata("context", "%C3%BC+c", **{"followpaths-encoded": "1"})
    assert paths(Files(made(root))(headers)) == ["ü c"]
    (root / "\udcff").write_text("x")
    headers = metadata("context", "%FF", **{"followpaths-encoded": "1"})
    assert paths(Files(made(root))(headers)) == ["\ufffd"]  # as protobuf.text tells it


@given(st.lists(st.lists(st.sampled_from(["a", "b", "a-", "a0", "ü"]), min_size=1), min_size=2))
def test_the_order_is_that_of_a_walk(parts: list[list[str]]) -> None:
    by_parts = sorted(parts, key=lambda names: [os.fsencode(name) for name in names])
    assert sorted(("/".join(names) for names in parts), key=order) == [
        "/".join(names) for names in by_parts
    ]


@pytest.mark.parametrize(
    ("st_mode", "expected"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o755, 1 << 31 | 0o755),
        (stat.S_IFLNK | 0o777, 1 << 27 | 0o777),
        (stat.S_IFREG | 0o4755, 1 << 23 | 0o755),
        (stat.S_IFREG | 0o2755, 1 << 22 | 0o755),
        (stat.S_IFDIR | 0o1777, 1 << 31 | 1 << 20 | 0o777),
    ],
)
def test_modes_are_those_of_go(st_mode: int, expected: int) -> None:
    assert packets.mode(st_mode) == expected


def test_the_same_size_and_another_content_is_another_entry(root: Path) -> None:
    before = made(root)
    (root / "app/main.py").write_text("maim")
    after = made(root)
    first, second = (
        packets.entry(file, plan.hashes[file.path], file.path)
        for plan in (before, after)
        for file in plan.files
        if file.path == "app/main.py"
    )
    assert first != second
    assert len(first) == len(second)


def test_a_folder_keeps_its_key_and_another_has_another(root: Path, tmp_path: Path) -> None:
    key = shared_key(made(root))
    (root / "app/main.py").write_text("other")
    assert shared_key(made(root)) == key
    root.rename(tmp_path / "moved")
    assert shared_key(made(tmp_path / "moved")) != key


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_messages_are_found_however_they_are_cut(messages: list[bytes], size: int) -> None:
    data = b"".join(map(frame, messages))
    unframing = Unframing()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [found for piece in pieces for found in unframing.add(piece)] == messages


def test_a_compressed_message_is_refused() -> None:
    with pytest.raises(ValueError, match="compressed"):
        Unframing().add(struct.pack(">BI", 1, 0))


SECRET = "RUN --mount=type=secret,id=pip{} true"


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text("[global]\n")
    monkeypatch.setenv("KK_TOKEN", "tüken")
    given = {"pip": BuildSecret(file=tmp_path / "pip.conf"), "token": BuildSecret(env="KK_TOKEN")}
    secrets = Secrets(given)
    assert secrets(protobuf.encode(1, b"pip")) == protobuf.encode(1, b"[global]\n")
    assert list(secrets.texts()) == ["[global]", "tüken"]
    with pytest.raises(RefusedError) as caught:
        secrets(protobuf.encode(1, b"other"))
    assert caught.value.code is Code.NOT_FOUND
    monkeypatch.setenv("KK_TOKEN", "")
    for absent in (BuildSecret(env="KK_TOKEN"), BuildSecret(file=tmp_path / "gone")):
        with pytest.raises(FilesError) as refused:
            Secrets({"x": absent})
        assert (refused.value.id, bool(refused.value.hints)) == ("build-secret", True)


@pytest.mark.parametrize(
    ("options", "refused"),
    [(",required", True), (",required=true", True), (",required=false", False), ("", False)],
)
def test_a_secret_that_is_required(root: Path, options: str, refused: bool) -> None:
    parsed = parse(f"FROM scratch\n{SECRET.format(options)}\n")
    if refused:
        with pytest.raises(FilesError, match="requires the secret `pip`") as caught:
            check(parsed, made(root).settings)
        assert str(caught.value.place).endswith("Dockerfile:2")
    else:
        check(parsed, made(root).settings)
    assert len(lacking(parsed.instructions[-1], made(root))) == 1


def test_a_secret_that_is_copied_is_told(root: Path, tmp_path: Path) -> None:
    (root / "netrc").write_text("password x")
    (tmp_path / "outside").write_text("password x")
    files = {"inside": root / "netrc", "outside": tmp_path / "outside"}
    given = {id_: BuildSecret(file=file) for id_, file in files.items()}
    plan = context.plan(replace(made(root).settings, secrets=given), name="tasks")
    assert [warning.text for warning in weigh.secrets(plan)] == [
        f"the image gets the build secret `inside`: `{root / 'netrc'}` is copied"
    ]
    (root / ".dockerignore").write_text("netrc\n")
    assert weigh.secrets(context.plan(plan.settings, name="tasks")) == []


def test_what_no_build_can_be_given_is_wrong_in_the_files(root: Path) -> None:
    for line, id_ in (
        ("RUN --mount=type=ssh true", "build-ssh"),
        ("RUN --mount=type=secret,id=x,required true", "build-secret"),
    ):
        (root / "Dockerfile").write_text(f"FROM scratch AS a\n{line}\nFROM scratch\n")
        context.plan(made(root).settings, name="tasks")  # a stage that is not needed
        other = "ARG V=b\nFROM scratch AS b\nFROM ${V}\n"
        (root / "Dockerfile").write_text(f"{other}FROM scratch AS a\n{line}\nFROM ${{V}}\n")
        context.plan(made(root).settings, name="tasks")
        (root / "Dockerfile").write_text(f"FROM scratch\n{line}\n")
        with pytest.raises(FilesError) as caught:
            context.plan(made(root).settings, name="tasks")
        assert (caught.value.id, str(caught.value.place)[-2:]) == (id_, ":2")


def test_a_login_that_is_fetched_is_not_asked_of_the_helper_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    auths = {"https://index.docker.io/v1/": {"identitytoken": "it"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    logins = Logins(Cancel())
    logins.fetch("docker/dockerfile:1")
    (tmp_path / "config.json").unlink()
    token = protobuf.encode(2, b"it")
    assert logins(protobuf.encode(1, b"registry-1.docker.io")) == token
    assert logins(protobuf.encode(1, b"reg.example:5000")) != token


def test_logins_are_those_of_the_docker_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    auths = {
        "reg.example:5000": {"auth": "bWU6cGFzcw=="},
        "https://index.docker.io/v1/": {"identitytoken": "it"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    logins = Logins(Cancel())
    assert logins(protobuf.encode(1, b"reg.example:5000")) == (
        protobuf.encode(1, b"me") + protobuf.encode(2, b"pass")
    )
    assert logins(protobuf.encode(1, b"registry-1.docker.io")) == protobuf.encode(2, b"it")
    assert logins(protobuf.encode(1, b"other.example")) == b""
    (tmp_path / "config.json").write_text("no JSON")
    assert logins(protobuf.encode(1, b"reg.example:5000")) == b""


class Daemon:
    """The calling side of a session, with its flow control."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()

    def call(self, path: str, message: bytes, *more: tuple[str, str]) -> int:
        number = self.http.get_next_available_stream_id()
        basic = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
        self.http.send_headers(number, [*basic, *more])
        self.http.send_data(number, message)
        self.connection.sendall(self.http.data_to_send())
        return number

    def events(self, *, ends: int) -> Iterator[h2.events.Event]:
        """What comes, until so many calls have ended."""
        while ends:
            for event in self.http.receive_data(self.connection.recv(1 << 16)):
                yield event
                ends -= isinstance(event, h2.events.StreamEnded)
            self.connection.sendall(self.http.data_to_send())


def refuse(_: bytes) -> bytes:
    raise RefusedError(Code.UNKNOWN, "`50% n\u00fctzt\n\udcff`")


@pytest.fixture
def daemon(root: Path) -> Iterator[Daemon]:
    here, there = socket.socketpair()
    (root / "large").write_bytes(os.urandom(300_000))
    files = Files(made(root))
    methods = {
        "/echo": unary(lambda question: question),
        "/refuse": unary(refuse),
        filesync.METHOD: files,
    }
    thread = threading.Thread(target=Server(here, methods).run)
    thread.start()
    there.settimeout(90)
    yield Daemon(there)
    there.close()
    thread.join()
    here.close()


def trailers(events: list[h2.events.Event]) -> list[dict[str, str]]:
    return [
        dict(event.headers or ())  # type: ignore[arg-type]
        for event in events
        if isinstance(event, h2.events.TrailersReceived)
    ]


def test_calls_are_answered_and_unknown_ones_refused(daemon: Daemon) -> None:
    daemon.call("/echo", frame(b"hello"))
    daemon.call("/unknown", b"")
    events = list(daemon.events(ends=2))
    data = [event.data for event in events if isinstance(event, h2.events.DataReceived)]
    assert data == [frame(b"hello")]
    assert sorted(item["grpc-status"] for item in trailers(events)) == ["0", "12"]


def test_a_transfer_waits_for_the_window_and_others_do_not(daemon: Daemon, root: Path) -> None:
    number = daemon.call(filesync.METHOD, b"", ("dir-name", "context"))
    told = sorted((file.path for file in made(root).files), key=order)
    request = frame(asking(Kind.REQ, told.index("large")))
    daemon.http.send_data(number, request)
    daemon.connection.sendall(daemon.http.data_to_send())
    received = 0
    while received < 65_535:  # what HTTP/2 lets through unasked
        for event in daemon.http.receive_data(daemon.connection.recv(1 << 16)):
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data or b"")
    assert received == 65_535
    daemon.http.increment_flow_control_window(100)  # of the connection, not of the transfer
    daemon.call("/echo", frame(b"still here"))
    events = list(daemon.events(ends=1))
    data = [event.data for event in events if isinstance(event, h2.events.DataReceived)]
    assert data == [frame(b"still here")]
    daemon.http.increment_flow_control_window(1 << 20)
    daemon.http.increment_flow_control_window(1 << 20, number)
    daemon.http.send_data(number, frame(asking(Kind.FIN)))
    daemon.connection.sendall(daemon.http.data_to_send())
    for event in daemon.events(ends=1):
        if isinstance(event, h2.events.DataReceived):
            received += len(event.data or b"")
    assert received > 300_000


@pytest.mark.parametrize("given_up", ["after all", "after what is no message"])
def test_a_call_that_is_given_up_at_once_ends_no_other(daemon: Daemon, given_up: str) -> None:
    http = daemon.http
    number = http.get_next_available_stream_id()
    basic = [(":method", "POST"), (":scheme", "http"), (":path", "/echo"), (":authority", "x")]
    http.send_headers(number, basic)
    if given_up == "after what is no message":
        http.send_data(number, b"\1\0\0\0\1x")
    http.reset_stream(number)
    daemon.call("/echo", frame(b"still here"))
    events = list(daemon.events(ends=1))
    data = [event.data for event in events if isinstance(event, h2.events.DataReceived)]
    assert data == [frame(b"still here")]


def test_a_daemon_that_says_goodbye_is_no_error() -> None:
    here, there = socket.socketpair()
    with here, there:
        daemon = Daemon(there)
        basic = [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "x")]
        daemon.http.send_headers(1, basic)
        daemon.http.close_connection()
        there.sendall(daemon.http.data_to_send())
        Server(here, {"/x": unary(lambda question: question)}).run()


def test_a_refusal_is_told_whatever_is_in_it(daemon: Daemon) -> None:
    daemon.call("/refuse", frame(b""))
    (told,) = trailers(list(daemon.events(ends=1)))
    assert told["grpc-message"] == "`50%25 n%C3%BCtzt%0A%FF`"


def test_a_session_hangs_up_however_its_serving_ends(root: Path) -> None:
    here, there = socket.socketpair()
    with there, Session(lambda _path, _headers: here, made(root), {}):
        there.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        there.settimeout(90)
        with contextlib.suppress(ConnectionResetError):
            while there.recv(1 << 16):
                pass


def test_what_is_no_http2_ends_the_connection() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        with pytest.raises(OSError, match="speaks no HTTP/2"):
            Server(here, {}).run()
