"""Ports of this machine, taken for the loopback."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.errors import UsageError
from kubekit.streams.ports import owner, refusal, take


@contextlib.contextmanager
def busy(host: str = "127.0.0.1") -> Iterator[int]:
    """A port on which this process listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        yield server.getsockname()[1]


def hosts() -> list[str]:
    """The names of the loopback that this machine has."""
    try:
        with busy("::1"):
            return ["127.0.0.1", "::1"]
    except OSError:
        return ["127.0.0.1"]


HOSTS = hosts()


@contextlib.contextmanager
def taken(port: int) -> Iterator[int]:
    """What `take` gives, given back."""
    doors, number = take(port)
    yield number
    for door in doors:
        door.close()


def test_a_free_port_is_taken_for_both_names_of_the_loopback() -> None:
    with busy() as port:
        pass
    with taken(port) as number:
        assert number == port
        for host in HOSTS:
            socket.create_connection((host, port)).close()


@pytest.mark.parametrize("host", [*HOSTS, "0.0.0.0"])
def test_a_port_somebody_has_on_either_is_not_free_and_the_next_one_is_taken(host: str) -> None:
    with busy(host) as port, taken(port) as number:
        assert port < number < port + 20


def test_who_has_a_port_is_told() -> None:
    with busy() as port:
        told = owner(port)
    assert told.endswith(f"(process {os.getpid()})")
    assert owner(port) == "another program"


@pytest.mark.parametrize(("folder", "told"), [("shop", " in `shop` ("), ("/", "` (")])
def test_who_has_a_port_is_told_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, told: str
) -> None:
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / folder)
    with busy() as port:
        assert owner(port).endswith(f"{told}process {os.getpid()})")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(UsageError, match="is no port to listen on"):
        take(port)


def test_a_port_that_this_user_may_not_have_is_told() -> None:
    error = refusal(80, PermissionError(errno.EACCES, "Permission denied"))
    assert error.message == "this user may not listen on port 80"
    assert "1024" in error.hints[0]


def test_where_all_are_busy_their_owners_are_told() -> None:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(busy())
        for number in range(port + 1, port + 20):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", number)))
        with pytest.raises(UsageError, match="are all busy") as caught:
            take(port)
    assert f"(process {os.getpid()})" in caught.value.details[0]
