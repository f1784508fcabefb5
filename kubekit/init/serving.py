"""How the container starts the app, and how it is asked whether it is healthy. Pure."""

from __future__ import annotations

from kubekit.detect.backend import Backend

GRACEFUL_SECONDS = 5
"""How long requests in flight may take after SIGTERM; the manifests leave time for it."""

_WORKER = " --worker-class uvicorn.workers.UvicornWorker"


def command(backend: Backend) -> list[str]:
    """What CMD runs: HOST, PORT and WORKERS are honoured, and the server is process 1."""
    if backend.server == "module":
        return ["python", "-m", backend.app.partition(":")[0].partition(".")[0]]
    host, port = "${HOST:-0.0.0.0}", f"${{PORT:-{backend.port}}}"
    if backend.server == "gunicorn":
        # Its heartbeat is a file that must not wait for a disk, nor lie in a read-only folder.
        options = f'--bind "{host}:{port}" --graceful-timeout {GRACEFUL_SECONDS}'
        options += " --worker-tmp-dir /dev/shm"
        is_async = backend.framework in ("fastapi", "starlette")
        options += _WORKER if is_async else " --threads 8"
    else:
        options = f'--host "{host}" --port "{port}"'
        options += f" --timeout-graceful-shutdown {GRACEFUL_SECONDS}"
        options += " --factory" if backend.factory else ""
    line = f'exec {backend.server} {_app(backend)} {options} --workers "${{WORKERS:-1}}"'
    return ["sh", "-c", line]


def _app(backend: Backend) -> str:
    """The application as the server's command line names it."""
    if backend.server == "gunicorn" and backend.factory:
        return f"'{backend.app.removesuffix('()')}()'"
    return backend.app.removesuffix("()")


def healthcheck(backend: Backend) -> list[str]:
    """What HEALTHCHECK runs: Python is there, curl is not.

    By address, for `localhost` may mean IPv6; past HTTP_PROXY; and sooner than Docker's timeout.
    """
    port = f"os.environ.get('PORT') or '{backend.port}'"
    path = backend.health.live or backend.health.plain or backend.health.ready
    if path is None:
        code = f"import os, socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        return ["python", "-c", code]
    url = f"'http://127.0.0.1:' + ({port}) + {path!r}"
    if backend.framework == "django":
        url = f"u.Request({url}, headers={{'Host': 'localhost'}})"
    opened = f"u.build_opener(u.ProxyHandler({{}})).open({url}, timeout=2)"
    return ["python", "-c", f"import os, urllib.request as u; {opened}"]
