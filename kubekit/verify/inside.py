"""What `verify` runs in a container with its Python: asks the app, and looks at its processes.

A program of its own, handed to `python -c` with one JSON argument; it prints one JSON value. The
container may have no network, so that nothing outside could ask.
"""

from __future__ import annotations

import glob
import http.client
import json
import os
import sys
import time

_MOST = 400
_NOT_THERE = (0, 404, 405)


def ask(port: int, path: str, host: str, timeout: float = 5) -> tuple[int, str]:
    """The status and body of a route, by the name of `host` if given; status 0 for no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"Accept": "application/json", **({"Host": host} if host else {})}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(4000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__
    finally:
        connection.close()


def routes(port: int, kinds: list[list[str]], host: str) -> list[tuple[str, int, str]]:
    """What each route answers; of a kind, those up to the first that is there."""
    found = []
    for paths in kinds:
        for path in paths:
            status, body = ask(port, path, host)
            found.append((path, status, body))
            if status not in _NOT_THERE:
                break
    return found


def wait(port: int | None, path: str, seconds: float, host: str) -> tuple[int, int, float] | None:
    """Ask until somebody answers: the port, the status and the time; None if nobody did."""
    end = time.time() + seconds
    while True:
        for one in [port] if port else sorted({number for _, number in listening()}):
            status, _ = ask(one, path, host, 2)
            if status:
                return one, status, time.time()
        if time.time() >= end:
            return None
        time.sleep(0.05)


def listening() -> list[tuple[str, int]]:
    """The addresses and ports that somebody listens on."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name) as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":
                address, port = row[1].split(":")
                found.append((_address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    raw = b"".join(words)
    if len(words) == 1:
        return ".".join(str(byte) for byte in raw)
    if not any(raw):
        return "::"
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        return ".".join(str(byte) for byte in raw[12:])
    return ":".join(raw[at : at + 2].hex() for at in range(0, 16, 2))


def processes() -> list[tuple[int, int, list[str], int]]:
    """Each process but this one: its number, its parent's, its command and its user."""
    found = []
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(folder + "/cmdline", "rb") as file:
                command = file.read().decode("utf-8", "replace").split("\0")[:-1]
            with open(folder + "/status") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        except OSError:
            continue
        pid = int(folder.rsplit("/", 1)[1])
        if pid != os.getpid():
            user = int(status["Uid"].split()[0])
            found.append((pid, int(status["PPid"]), command[:8], user))
    return sorted(found)


def databases(paths: list[str], folders: list[str]) -> list[str]:
    """Which of the files, and of those in the folders, are SQLite databases."""
    inner = [
        os.path.join(top, name)
        for folder in folders
        for top, _, names in os.walk(folder)
        for name in names
    ]
    found = []
    for path in paths + inner[:_MOST]:
        try:
            with open(path, "rb") as file:
                if file.read(16) == b"SQLite format 3\0":
                    found.append(path)
        except OSError:
            continue
    return found


def mark(path: str) -> bool:
    """Leave a table in a database, as the app's own user."""
    import sqlite3

    connection = sqlite3.connect(path, timeout=10)
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kubekit_verify (mark INTEGER)")
        connection.execute("INSERT INTO kubekit_verify VALUES (1)")
    connection.close()
    return True


def marked(path: str) -> bool:
    """Whether the table is there."""
    import sqlite3

    connection = sqlite3.connect(path, timeout=10)
    try:
        return bool(connection.execute("SELECT count(*) FROM kubekit_verify").fetchone()[0])
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def main() -> None:
    """Call the function that is named."""
    name, arguments = json.loads(sys.argv[1])
    try:
        answer: object = globals()[name](*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
