"""A server that goes wrong in the way MODE names: it is copied into the image of the scenarios."""

import ctypes
import http.server
import os
import pathlib
import signal
import socket
import sys
import time
import traceback

MODE = os.environ["MODE"]
STARTED = time.monotonic()
READY = {"unready": 503, "locked": 401, "host": 400, "dead": 500, "hoard": 503}


def connect() -> None:
    raise RuntimeError("the schema `tasks` is at version 3, and this app needs 4")


def ends() -> None:
    print("nothing to do", flush=True)
    sys.exit(0)


def memory() -> None:
    print("reading all of it", flush=True)
    print(len(bytearray(512 * 1024 * 1024)))


def once() -> None:
    mark = pathlib.Path("/state/started")
    if not mark.exists():
        mark.touch()
        sys.exit("the database is not there yet")


def drain(seconds: float) -> None:
    def end(*_: object) -> None:
        time.sleep(seconds)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)


def terminated() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def errors() -> None:
    print("ERROR: the cache is cold", "KeyError: 'API_TOKEN'", "Connection refused", sep="\n")


def hoard() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path("/state/hoard").write_bytes(bytes(32 * 1024 * 1024))


START = {
    "raise": connect,
    "variable": lambda: print("token of", len(os.environ["API_TOKEN"])),
    "ends": ends,
    "memory": memory,
    "once": once,
    "nothing": lambda: time.sleep(3600),
    "slow-start": lambda: time.sleep(12),
    "drain": lambda: drain(20),
    "linger": lambda: drain(6),
    "database": lambda: socket.create_connection(("db", 8000), timeout=2).close(),
    "refused": lambda: socket.create_connection(("127.0.0.1", 5432), timeout=2),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "terminated": terminated,
    "errors": errors,
    "file": pathlib.Path(__file__).with_name("limits.json").read_text,
    "cache": lambda: pathlib.Path("/app/cache").mkdir(),
    "data": lambda: pathlib.Path("/state/data").mkdir(),
    "hoard": hoard,
    "patient-raise": lambda: (time.sleep(7), connect()),
}


def mistake() -> int:
    """A route that fails as a framework tells it: a traceback in the log, and a 500."""
    try:
        return len(sessions)
    except NameError:
        traceback.print_exc()
        return 500


def ready(age: float) -> int:
    """What the readiness probe gets from an app of this age, in seconds."""
    if MODE == "mistake":
        return mistake()
    if MODE == "late":
        return 200 if age > 15 else 503
    if MODE == "flaps":
        return 503 if 3 < age < 9 else 200
    if MODE == "slow":
        time.sleep(5)
    return READY.get(MODE, 200)


class Handler(http.server.BaseHTTPRequestHandler):
    stumbled = False

    def do_GET(self) -> None:
        status = {"/": 200, "/ready": 200}.get(self.path, 404)
        if status == 200:
            status = ready(time.monotonic() - STARTED)
        if self.path == "/alive" and MODE == "stumbles":
            status = 200 if Handler.stumbled else 500
            Handler.stumbled = True
        self.send_response(302 if MODE == "redirect" else status)
        if MODE == "redirect":
            self.send_header("Location", "http://login.invalid/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
START.get(MODE, lambda: None)()
host = "127.0.0.1" if MODE == "loopback" else "0.0.0.0"
port = 9000 if MODE == "port" else 8000
print(f"listening on http://{host}:{port}", flush=True)
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
