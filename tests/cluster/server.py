"""The smallest backend: standard library only, so that an image of it builds in no time."""

import http.server
import os
import signal
import sys

VERSION = "1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {"/": f"{os.environ.get('GREETING')} {VERSION}", "/ready": "yes", "/slow": "yes"}
        body = known.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write((body or "no").encode())

    def log_message(self, *_: object) -> None:
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8000"))
print(f"listening on http://{host}:{port}", flush=True)
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
