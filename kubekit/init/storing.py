"""What a run of `init` tells of where a file of sqlite lies, and of what is to be mended there."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath

from kubekit.detect.backend import Backend, Stored
from kubekit.events import Emit, Noted
from kubekit.init.values import mode, stored

_WHY = "the only folder that can be written to, and a volume keeps it"
_VARIABLE = "SQLITE_PATH"


def tell_of_sqlite(backend: Backend, emit: Emit) -> None:
    """Where the file lies in a pod, and what it hides there."""
    if backend.database != "sqlite":
        return
    own, by = backend.stored, stored(backend)
    if own is None:
        if mode(backend) == "sqlite":
            emit(Noted(found=False, text="a file of sqlite has to lie in /app/data", where=_WHY))
    elif by is not None and by[0] == own.variable:
        text = f"the file of sqlite lies in /app/data: the image sets {by[0]}={by[1]}"
        emit(Noted(found=True, text=text, where=_place(backend, own)))
    elif (path := _path(backend, own)) is None:
        text = f"it is not known where the file of sqlite, `{own.written}`, lies in a pod"
        emit(Noted(found=True, text=f"{text}: only /app/data will do", where=_place(backend, own)))
    elif _fits(path):
        emit(Noted(found=False, text="the file of sqlite lies in /app/data", where=_WHY))
    else:
        text = f"the file of sqlite would lie at `{path}`, where nothing can be written"
        emit(Noted(found=True, text=text, where=_place(backend, own)))
    if "data" in backend.data:
        text = "what is in data/ is hidden in a pod"
        emit(Noted(found=False, text=text, where="the volume of sqlite lies over it"))


def to_mend(backend: Backend) -> tuple[str, ...]:
    """What to change so that the file lies in the volume: Django's own default does not."""
    own, by = backend.stored, stored(backend)
    if backend.database != "sqlite" or own is None or (by is not None and by[0] == own.variable):
        return ()
    path = _path(backend, own)
    if path is not None and _fits(path):
        return ()
    name = PurePosixPath(own.text or "").name or "db.sqlite3"
    read = f'os.environ.get("{_VARIABLE}", {own.written})'
    return (
        f"{_place(backend, own)}: `import os`, and let `NAME` be `{read}`",
        f"run `kubekit init` again: it sets {_VARIABLE}=/app/data/{name} in the image",
    )


def _path(backend: Backend, own: Stored) -> str | None:
    """Where the file lies in a pod by itself; None where there is no telling."""
    if own.text is None or (backend.installed and not own.text.startswith("/")):
        return None  # what is installed does not lie as it does here
    return posixpath.normpath(posixpath.join("/app", own.text))


def _fits(path: str) -> bool:
    return path.startswith("/app/data/")


def _place(backend: Backend, own: Stored) -> str:
    within = "" if backend.folder == "." else f"{backend.folder}/"
    return f"{within}{own.path}:{own.line}"
