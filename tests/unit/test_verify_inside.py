"""What `verify` asks a container from inside."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from kubekit.verify import inside


class _Picky(BaseHTTPRequestHandler):
    """As Django with ALLOWED_HOSTS = ["localhost"]."""

    def do_GET(self) -> None:
        self.send_response(200 if self.headers.get_all("Host") == ["localhost"] else 400)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


def test_it_asks_by_the_name_that_a_list_of_hosts_has_for_the_probes() -> None:
    with HTTPServer(("127.0.0.1", 0), _Picky) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert inside.ask(server.server_port, "/health") == (200, "")
        finally:
            server.shutdown()
            thread.join()
