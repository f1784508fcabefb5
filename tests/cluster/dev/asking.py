"""Fifty clients of an app at once: half on connections they keep, half on a new one each time.

Usage: asking.py HOST PORT. Runs on this machine and, as it stands here, in a pod: Python's standard
library only. Every second it prints how many requests were answered, and each that was not as it
happens, as JSON lines, until it is ended.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import sys
import threading
import time

CLIENTS = 50
PAUSE_SECONDS = 0.3
PATIENCE_SECONDS = 30.0
OK = 200
GREETED: set[str] = set()
"""What the app was set to say, of all that it has said."""

answered = [0] * CLIENTS


def tell(**what: object) -> None:
    """Print one line, whole."""
    sys.stdout.write(json.dumps({"at": round(time.time(), 3), **what}) + "\n")
    sys.stdout.flush()


def is_closed(sock: socket.socket | None) -> bool:
    """Whether the server has closed a connection on which nothing was asked since."""
    return sock is None or bool(select.select([sock], [], [], 0)[0])


def ask(client: http.client.HTTPConnection) -> None:
    """One request, on the connection that is there or a new one."""
    client.request("GET", "/")
    answer = client.getresponse()
    body = answer.read()
    if answer.status != OK:
        raise http.client.HTTPException(f"{answer.status} {body[:200]!r}")
    GREETED.add(json.loads(body)["greeting"])


def go_on(number: int, host: str, port: int) -> None:
    """Ask for ever; what was sent and not answered has failed."""
    keeps = number % 2 == 0
    client = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    time.sleep(PAUSE_SECONDS * number / CLIENTS)
    while True:
        if not keeps or is_closed(client.sock):
            client.close()
        kept = client.sock is not None
        began = time.monotonic()
        try:
            ask(client)
            answered[number] += 1
        except (OSError, http.client.HTTPException) as error:
            took = round(time.monotonic() - began, 3)
            tell(failed=f"{type(error).__name__}: {error}", kept=kept, seconds=took)
            with contextlib.suppress(OSError):
                client.close()
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    """Start all of them, and tell what they see."""
    for number in range(CLIENTS):
        told = (number, sys.argv[1], int(sys.argv[2]))
        threading.Thread(target=go_on, args=told, daemon=True).start()
    while True:
        time.sleep(1)
        tell(answered=sum(answered), each=min(answered), greeted=sorted(GREETED))


if __name__ == "__main__":
    main()
