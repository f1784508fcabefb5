"""`kubekit init --new`: a small service with tests, and all that kubekit needs beside it."""

from __future__ import annotations

from pathlib import Path

from kubekit.detect.backend import Backend, Health, Variable
from kubekit.errors import FilesError, UsageError, shown
from kubekit.init import template
from kubekit.init.files import decide, write
from kubekit.init.naming import check_name
from kubekit.init.plan import rendered
from kubekit.init.telling import Outlet, report

_PLATFORM = {
    "HOST": "0.0.0.0",  # noqa: S104 - in a container
    "PORT": "8000",
    "WORKERS": "1",
    "DRAIN_SECONDS": "3",
    "GRACEFUL_SECONDS": "5",
    "APP_VERSION": "unknown",
    "APP_IMAGE": "unknown",
}


def begin(name: str, out: Outlet, *, cwd: Path) -> None:
    """Make a new project in a folder of its name.

    Args:
        name: of the folder, the image and the namespace.
        out: where it is told.
        cwd: the folder that the new one lies in; absolute.

    Raises:
        UsageError: it is no name, or the folder is there and not empty.
    """
    start = out.clock.now()
    check_name(name)
    root = cwd / name
    _need_empty(root)
    changes = decide(root, project(name), force=False)
    write(changes, cancel=out.cancel)
    report(changes, out, start, hints=(f"run `cd {shown(root)}`, then `kubekit dev`",))


def project(name: str) -> dict[str, str]:
    """Every file of a new project by its path."""
    sources = {
        path.replace("gitignore", ".gitignore"): template.text_of(f"new/{path}")
        for path in template.names("new")
    }
    # Only replaced: to a template's eye `Callable[[int], None]` has a mark of its own.
    named = {path: text.replace("[[ name ]]", name) for path, text in sources.items()}
    return {**named, **rendered(backend(name))}


def backend(name: str) -> Backend:
    """What `detect` finds in a new project: `init` there then has nothing to change."""
    return Backend(
        name=name,
        packaging="pip-venv",
        requirements=("requirements.txt",),
        development=("httpx2", "pytest", "pytest-timeout"),
        framework="fastapi",
        server="module",
        app="app.main:app",
        source="src",
        packages=("app",),
        health=Health(plain="/health", live="/health/live", ready="/health/ready"),
        env=tuple(
            Variable(name=key, secret=False, default=value) for key, value in _PLATFORM.items()
        ),
        imports=("fastapi", "uvicorn"),
    )


def _need_empty(root: Path) -> None:
    try:
        empty = not root.exists() or not any(root.iterdir())
    except OSError as error:
        raise FilesError(
            f"`{shown(root)}` is no folder: {(error.strerror or '').lower()}"
        ) from None
    if not empty:
        raise UsageError(
            f"`{shown(root)}` has something in it",
            hints=("choose another name, or run `kubekit init` in it for what is there",),
        )
