"""What a run of `init` tells of where a file of sqlite lies, and of what is to be mended there."""

from __future__ import annotations

from pathlib import PurePosixPath

from kubekit.detect.backend import Backend, Stored
from kubekit.events import Emit, Noted
from kubekit.init.values import mode, stored

_WHY = "the only folder that can be written to, and a volume keeps it"
_VARIABLE = "SQLITE_PATH"


def tell_of_sqlite(backend: Backend, emit: Emit) -> None:
    """Where the file lies in a pod, and what it hides there."""
    own, by = backend.stored, stored(backend)
    if by is not None and own is not None and own.variable:
        text = f"the file of sqlite lies in /app/data: the image sets {by[0]}={by[1]}"
        emit(Noted(found=True, text=text, where=_place(backend, own)))
    elif own is not None and not _fits(own):
        text = f"the file of sqlite would lie at `{own.written}`, where nothing can be written"
        emit(Noted(found=True, text=text, where=_place(backend, own)))
    elif mode(backend) == "sqlite":
        emit(Noted(found=False, text="the file of sqlite lies in /app/data", where=_WHY))
    if mode(backend) != "stateless" and "data" in backend.data:
        text = "what is in data/ is hidden in a pod"
        emit(Noted(found=False, text=text, where="the volume of sqlite lies over it"))


def to_mend(backend: Backend) -> tuple[str, ...]:
    """What to change so that the file lies in the volume: Django's own default does not."""
    own = backend.stored
    if own is None or own.variable or _fits(own):
        return ()
    name = PurePosixPath(own.text or "").name or "db.sqlite3"
    read = f'os.environ.get("{_VARIABLE}", {own.written})'
    return (
        f"{_place(backend, own)}: `import os`, and let `NAME` be `{read}`",
        f"run `kubekit init` again: it sets {_VARIABLE}=/app/data/{name} in the image",
    )


def _fits(own: Stored) -> bool:
    """Whether the file lies in `data/` by itself; what is not known is left alone."""
    text = own.text
    return text is None or text.removeprefix("./").removeprefix("/app/").startswith("data/")


def _place(backend: Backend, own: Stored) -> str:
    within = "" if backend.folder == "." else f"{backend.folder}/"
    return f"{within}{own.path}:{own.line}"
