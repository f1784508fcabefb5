"""What the ports of a pod say, in the words of other nodes, and API servers that say nothing."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.api.forward import _Scan, listening, service_answers
from kubekit.api.kube import Kube
from kubekit.model import Cancel
from tests.conftest import alive, until

CONTAINERD = (
    "error forwarding port {port} to pod 1f2e, uid : failed to execute portforward in network "
    'namespace "/var/run/netns/cni-1": failed to connect to localhost:{port} inside namespace '
    '"1f2e", IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused IPv6 dial tcp6: '
    "address localhost: no suitable address found "
)


def scan(**texts: str) -> _Scan:
    """Ports 1 (the witness), 80 and 8000, greeted, and then these texts on their error channels."""
    asked = (1, 80, 8000)
    made = _Scan(asked, time.monotonic())
    for channel in range(6):
        made.take(bytes([channel]) + asked[channel // 2].to_bytes(2, "little"))
    for name, text in texts.items():
        port = int(name.removeprefix("p"))
        made.take(bytes([2 * asked.index(port) + 1]) + text.format(port=port).encode())
    return made


def test_a_refusal_in_the_words_of_containerd() -> None:
    found = scan(p1=CONTAINERD, p80=CONTAINERD)
    assert found.open_ports() == {8000}
    assert not found.settled(), "8000 may be refused in a moment"


def test_all_refused_is_settled_at_once() -> None:
    found = scan(p1=CONTAINERD, p80=CONTAINERD, p8000=CONTAINERD)
    assert found.settled()
    assert found.open_ports() == frozenset()


def test_a_refusal_may_come_in_pieces() -> None:
    found = scan(p1=CONTAINERD, p80=CONTAINERD[:-80])
    found.take(bytes([3]) + CONTAINERD[-80:].encode())
    assert found.open_ports() == {8000}


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"p80": CONTAINERD},
        {"p1": CONTAINERD, "p80": "unable to do port forwarding: socat not found"},
        {"p1": "unable to do port forwarding: nsenter not found"},
    ],
    ids=["silence", "no witness", "another error", "an error of the witness"],
)
def test_nothing_is_known_without_the_witness_or_with_another_error(texts: dict[str, str]) -> None:
    assert scan(**texts).open_ports() is None


def test_a_connection_that_the_app_resets_was_one() -> None:
    reset = "exit status 1: socat[7] E read(5, 0x5, 8192): Connection reset by peer"
    assert scan(p1=CONTAINERD, p80=reset).open_ports() == {80, 8000}


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kube]:
    """An API server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "a", "cluster": {"server": f"http://{host}:{port}"}}],
            "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield Kube(context="a", cancel=Cancel())


def test_a_silent_api_server_is_given_up(silent: Kube, threads: list[threading.Thread]) -> None:
    assert listening(silent, "n", "pod", (80,), seconds=0.5) is None
    assert service_answers(silent, "n", "s", 80, seconds=0.5) == "no answer within 0.5 s"
    until(lambda: not alive(threads))


def test_an_api_server_that_is_gone_says_nothing_of_pods(silent: Kube) -> None:
    silent.configuration.host = "http://127.0.0.1:1"
    assert listening(silent, "n", "pod", (80,)) is None
    assert service_answers(silent, "n", "s", 80) is None
