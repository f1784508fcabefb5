"""Small backends for the tests of `kubekit.detect`: a mapping of files, written below a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kubekit.detect.backend import Backend, Looked
from kubekit.detect.look import look

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n"
HEALTH = '\n\n@app.get("/health")\ndef health():\n    return {"status": "healthy"}\n'
PINNED = "fastapi==0.165.0\nuvicorn==0.54.0\n"


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write the files; gives the folder."""
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def looked(root: Path, files: Mapping[str, str | bytes], **answers: str) -> Looked:
    """What a look finds."""
    return look(write(root, files), root=root, answers=answers)


def backend(root: Path, files: Mapping[str, str | bytes], **answers: str) -> Backend:
    """The backend that is found, without a question."""
    found = looked(root, files, **answers)
    assert found.backend is not None, found.questions
    return found.backend


def notes(found: Looked) -> dict[str, str]:
    """The texts of the notes, and where or why."""
    return {note.text: note.where for note in found.notes}


def uv_lock(name: str, *needs: str, kind: str = "editable", extra: str = "") -> str:
    """A uv.lock of a project that needs some packages, each of which has a wheel."""
    listed = ", ".join(f'{{ name = "{need}" }}' for need in needs)
    packages = "".join(
        f'\n[[package]]\nname = "{need}"\nversion = "1.0"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
        f'wheels = [{{ url = "https://x/{need}.whl", hash = "sha256:00", size = 1 }}]\n'
        for need in needs
    )
    return (
        'version = 1\nrevision = 3\nrequires-python = ">=3.12"\n'
        f'\n[[package]]\nname = "{name}"\nversion = "0.1.0"\nsource = {{ {kind} = "." }}\n'
        f"dependencies = [{listed}]\n{packages}{extra}"
    )
