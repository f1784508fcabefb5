"""Base images that only some projects start from: made, and brought to a Docker, when asked for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab import engine, imagetar, parts, paths, process, pythonbase, session
from lab.imagetar import Image
from lab.parts import Part, Store

if TYPE_CHECKING:
    from collections.abc import Mapping

UV_VERSION = "0.5.4"
UV = f"ghcr.io/astral-sh/uv:{UV_VERSION}"
BOOKWORM = "python:3.12-slim-bookworm"


def load(leading: Mapping[str, str]) -> frozenset[str]:
    """Bring them into the Docker that DOCKER_HOST leads to; gives the names that it has then.

    Those are all but `BOOKWORM` on a machine without a Python 3.12.

    Raises:
        LabError: one could not be made, or not loaded.
    """
    places = paths.places()
    store = Store(places.parts, places.logs)
    wanted = _parts()
    with session.work(places, sys.stderr) as progress:
        parts.ensure(wanted.values(), store, progress)
        images = [_image(name, store.path(part)) for name, part in wanted.items()]
        # Digests of what is large take a while, and are kept beside it: once, under the lock.
        missing = [image for image in images if not _is_there(image, leading)]
        if missing:
            with progress.step(f"load {', '.join(image.names[0] for image in missing)}"):
                engine.load(missing, engine.environment(leading))
    return frozenset(wanted)


def _parts() -> dict[str, Part]:
    found = {UV: Part("uv", _make_uv, recipe=(UV_VERSION,))}
    if bookworm := pythonbase.on_bookworm():
        found[BOOKWORM] = bookworm
    return found


def _image(name: str, folder: Path) -> Image:
    layer = folder / "layer.tar"
    if name == UV:
        return Image((name,), (layer,), {"Entrypoint": ["/uv"]})
    return pythonbase.image(name, layer)


def _make_uv(target: Path, store: Store) -> None:
    """The program out of the wheel on PyPI: the real image holds the same at the same place."""
    log = store.logs / "uv.log"
    # An environment of its own: the one that runs this may have no pip.
    process.run([sys.executable, "-m", "venv", target / "venv"], log=log)
    download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", f"uv=={UV_VERSION}"]
    process.run([target / "venv/bin/python", "-m", "pip", *download, "-d", target], log=log)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (inside,) = (name for name in archive.namelist() if name.endswith("scripts/uv"))
        (target / "uv").write_bytes(archive.read(inside))
    (target / "uv").chmod(0o755)
    imagetar.write_layer(target / "layer.tar", {"uv": target / "uv"})
    process.run(["rm", "-r", target / "venv", target / "uv", wheel], log=log)


def _is_there(image: Image, leading: Mapping[str, str]) -> bool:
    asked = [engine.client(), "image", "inspect", "--format={{.Id}}", image.names[0]]
    done = subprocess.run(
        asked, env=engine.environment(leading), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() == f"sha256:{imagetar.identity(image)}"
