"""`make demo`: deploy the backend with kubekit, ask it something, and say how to go on."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

KUBEKIT = Path(sys.executable).with_name("kubekit")
NAMESPACE = "tasks"
SERVICE = "service/tasks"
WAIT_SECONDS = 20.0


def main() -> int:
    """Deploy, ask over HTTP, say what comes next; the exit code is kubekit's if it fails."""
    deployed = subprocess.run([KUBEKIT, "build-and-apply"], check=False)
    if deployed.returncode != 0:
        return deployed.returncode
    with forwarded(SERVICE) as url:
        show("GET", f"{url}/health")
        show("POST", f"{url}/api/tasks", {"title": "try kubekit"})
        show("GET", f"{url}/api/tasks")
    say_next()
    return 0


@contextlib.contextmanager
def forwarded(target: str) -> Iterator[str]:
    """The base URL of a port of this machine that leads to the Service, while the block runs."""
    context = os.environ["KUBEKIT_PROFILE"]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["kubectl", "--context", context, "-n", NAMESPACE, "port-forward", target]
    child = subprocess.Popen([*command, f"{port}:8000"], stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait()


def wait_for(port: int) -> None:
    """Until the port takes connections.

    Raises:
        TimeoutError: it does not within the time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("kubectl port-forward does not listen")


def show(method: str, url: str, body: object = None) -> None:
    """Ask the backend, and print what was asked and what it answered."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)  # noqa: S310
    print(f"\n{method} {url}", data.decode() if data else "")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        print(answer.status, answer.read().decode())


def say_next() -> None:
    """Three commands to go on with."""
    shown = shlex.join([str(KUBEKIT.relative_to(Path.cwd()))])
    print(f"""
The backend is live. In this shell: eval "$(python3 -m lab env)", then
  {shown} status             what is there
  {shown} build-and-apply    after an edit under backend/src: builds and rolls out just that
  {shown} teardown           takes it away again""")


if __name__ == "__main__":
    sys.exit(main())
