"""A registry and a webhook in the node: it runs there by `python -c`.

What it knows, by the first part of the name: `private` wants credentials, `other` is built for
another kind of processor only, `slow` is a real small image that takes ten seconds to come,
`stuck` never comes, `busy` has had too many requests; anything else it has never heard of.
"""

import gzip
import hashlib
import http.server
import io
import json
import os
import platform
import ssl
import struct
import subprocess
import tarfile
import threading
import time

LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
# Programs that sleep for ever: pause() and ppoll(), in a loop.
CODE = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    "aarch64": (
        183,
        struct.pack(
            "<7I",
            *(0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800928, 0xD4000001, 0x17FFFFFA),
        ),
    ),
}
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
SECONDS = 10


def program() -> bytes:
    """The smallest file that runs on this machine."""
    machine, code = CODE[platform.machine()]
    size = 120 + len(code)
    head = struct.pack("<16sHHI", b"\x7fELF\x02\x01\x01", 2, machine, 1)
    head += struct.pack("<QQQIHHHHHH", 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 4096) + code


def layer() -> bytes:
    """The one layer: the program, and a file that does not compress."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (("pause", program()), ("ballast", os.urandom(200_000))):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(data), "digest": digest(data)}


ROOT = layer()
PACKED = gzip.compress(ROOT)
SETTINGS = json.dumps(
    {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(ROOT)]},
    }
).encode()
IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, SETTINGS),
        "layers": [described(LAYER, PACKED)],
    }
).encode()
OTHERS = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": LIST,
        "manifests": [
            described(MANIFEST, IMAGE) | {"platform": {"architecture": "s390x", "os": "linux"}}
        ],
    }
).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/v2/":
            self.answer(200, "application/json", b"{}")
        elif "/private/" in self.path:
            self.refuse(401, "UNAUTHORIZED", "authentication required")
        elif "/busy/" in self.path:
            self.refuse(429, "TOOMANYREQUESTS", "you have reached your pull rate limit")
        elif "/other/" in self.path and "/manifests/" in self.path:
            self.answer(200, LIST, OTHERS)
        elif "/stuck/" in self.path:
            time.sleep(60)
            self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        elif "/slow/" in self.path:
            self.slow()
        else:
            self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")

    do_HEAD = do_GET  # noqa: N815 - the library calls it so

    def slow(self) -> None:
        if "/manifests/" in self.path:
            self.answer(200, MANIFEST, IMAGE)
        elif digest(SETTINGS) in self.path:
            self.answer(200, CONFIG, SETTINGS)
        else:
            self.answer(200, LAYER, PACKED, seconds=SECONDS)

    def refuse(self, status: int, code: str, text: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
        self.answer(status, "application/json", body)

    def answer(self, status: int, kind: str, body: bytes, *, seconds: float = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest(body))
        self.end_headers()
        if self.command == "HEAD":
            return
        parts = 20 if seconds else 1
        step = -(-len(body) // parts)
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            time.sleep(seconds / parts)

    def log_message(self, *_: object) -> None:
        pass


class Webhook(Handler):
    """Denies every pod it is asked about."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        review["response"] = {
            "uid": review.pop("request")["uid"],
            "allowed": False,
            "status": {"message": "no pods here"},
        }
        self.answer(200, "application/json", json.dumps(review).encode())


def webhook() -> None:
    """Answer the API server, which asks by TLS."""
    key, certificate = "/state/key.pem", "/state/certificate.pem"
    subject = ("-subj", "/CN=webhook", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made = [*command, *subject, "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 5078), Webhook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    webhook()
    http.server.ThreadingHTTPServer(("127.0.0.1", 5077), Handler).serve_forever()
