"""A registry with moods, in the node: it runs there by `python -c`.

The first part of a name is its mood: `limit` has had too many requests, `broken` always fails,
`flaky` fails twice, `slow` takes half a minute, `silent` says nothing for as long, `drops` hangs up
once in the middle of a layer. A name that was healed (`POST /heal/NAME`) is fine from then on. The
next port wants a login for all.
"""

import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import platform
import sys
import tarfile
import threading
import time

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
LOGIN = "Basic " + base64.b64encode(b"tester:a-password-of-the-tests").decode()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def packed() -> bytes:
    """The one layer: a file that does not compress."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("ballast")
        info.size = 300_000
        tar.addfile(info, io.BytesIO(os.urandom(info.size)))
    return buffer.getvalue()


def described(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(data), "digest": digest(data)}


class Image:
    """An image nobody has yet, so that its layer must be pulled."""

    def __init__(self) -> None:
        root = packed()
        self.layer = gzip.compress(root)
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        rootfs = {"type": "layers", "diff_ids": [digest(root)]}
        data = {"architecture": machine, "os": "linux", "config": {}, "rootfs": rootfs}
        self.config = json.dumps(data).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, self.config),
            "layers": [described(LAYER, self.layer)],
        }
        self.manifest = json.dumps(manifest).encode()


LOCK = threading.Lock()
IMAGES: dict[str, Image] = {}
ASKED: dict[tuple[str, str], int] = {}
HEALED: set[str] = set()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        HEALED.add(self.path.removeprefix("/heal/"))
        self.answer(200, "text/plain", b"")

    def do_GET(self) -> None:
        if self.path == "/v2/":
            self.answer(200, "application/json", b"{}")
            return
        name, kind, one = self.path.removeprefix("/v2/").rsplit("/", 2)
        with LOCK:
            image = IMAGES.setdefault(name, Image())
            count = ASKED[name, one] = ASKED.get((name, one), 0) + 1
        mood = "fine" if name in HEALED else name.partition("-")[0]
        if mood == "silent":
            time.sleep(30)
        if mood == "limit":
            self.refuse(429, "TOOMANYREQUESTS", "you have reached your pull rate limit")
        elif mood == "broken" or (mood == "flaky" and one == "1" and count <= 2):
            self.refuse(500, "UNKNOWN", "the disk of the registry is full")
        else:
            self.give(image, kind, mood, count)

    do_HEAD = do_GET  # noqa: N815 - the library calls it so

    def give(self, image: Image, kind: str, mood: str, count: int) -> None:
        if kind == "manifests":
            self.answer(200, MANIFEST, image.manifest)
        elif digest(image.config) in self.path:
            self.answer(200, CONFIG, image.config)
        else:
            hang_up = mood == "drops" and count == 1
            seconds = 30 if mood == "slow" else 0
            self.answer(200, LAYER, image.layer, seconds=seconds, hang_up=hang_up)

    def refuse(
        self, status: int, code: str, text: str, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
        self.answer(status, "application/json", body, headers=headers)

    def answer(
        self,
        status: int,
        kind: str,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        seconds: float = 0,
        hang_up: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest(body))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        parts = 60 if seconds else 4
        step = -(-len(body) // parts)
        for start in range(0, len(body), step):
            if hang_up and start:
                return
            self.wfile.write(body[start : start + step])
            time.sleep(seconds / parts)

    def log_message(self, *_: object) -> None:
        pass


class Guarded(Handler):
    """Wants a login, and says so first."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == LOGIN:
            super().do_GET()
        else:
            challenge = {"WWW-Authenticate": 'Basic realm="moody"'}
            self.refuse(401, "UNAUTHORIZED", "authentication required", challenge)

    do_HEAD = do_GET  # noqa: N815 - the library calls it so


def serve(port: int, handler: type[Handler]) -> None:
    http.server.ThreadingHTTPServer(("0.0.0.0", port), handler).serve_forever()


if __name__ == "__main__":
    first = int(sys.argv[1])
    threading.Thread(target=serve, args=(first + 1, Guarded), daemon=True).start()
    serve(first, Handler)
