"""What `verify` asks a container from inside."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kubekit.verify import inside
from kubekit.verify.model import Known
from kubekit.verify.run import host_of
from tests.unit.images import subject

SITE = "opt/venv/lib/python3.13/site-packages"


class _Picky(BaseHTTPRequestHandler):
    """As an app that says by which name it was asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(" ".join(self.headers.get_all("Host") or []).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.mark.parametrize("host", ["localhost", ""])
def test_it_asks_by_the_name_that_probes_ask_by(host: str) -> None:
    with HTTPServer(("127.0.0.1", 0), _Picky) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_port
        try:
            told = host or f"127.0.0.1:{port}"
            assert inside.ask(port, "/health", host) == (200, told)
            assert inside.routes(port, [["/live"]], host) == [("/live", 200, told)]
            assert (inside.wait(port, "/", 60, host) or ())[:2] == (port, 200)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("installed", "framework", "host"),
    [
        ("django", "django", "localhost"),
        ("fastapi", "fastapi", ""),
        ("django", "fastapi", ""),  # a library of the app
        ("Django", None, "localhost"),
        ("fastapi", None, ""),
    ],
)
def test_only_django_is_asked_by_a_name_as_init_has_its_probes_ask(
    installed: str, framework: str | None, host: str
) -> None:
    metadata = f"Metadata-Version: 2.1\nName: {installed}\nVersion: 1.0\n"
    made = subject({f"{SITE}/x-1.0.dist-info/METADATA": metadata})
    assert host_of(made.image, Known(framework=framework)) == host
