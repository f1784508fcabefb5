"""The Python images that builds start from, under the names of the official ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab import imagetar, paths
from lab.debian import Tree
from lab.imagetar import Image
from lab.parts import Part

if TYPE_CHECKING:
    from lab.parts import Store

_SCRIPTS = paths.SOURCE / "python"
_PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
_CA_INSIDE = "/etc/ssl/certs/ca-certificates.crt"
_COMMON = ("ca-certificates", "netbase", "tzdata")
_DEBIANS = {"3.11": "bookworm", "3.13": "trixie"}
# What CPython's own modules link to.
_LIBRARIES = (
    "libbz2-1.0",
    "libffi8",
    "liblzma5",
    "libncursesw6",
    "libreadline8t64",
    "libsqlite3-0",
    "libssl3t64",
    "libuuid1",
    "zlib1g",
)


def parts() -> dict[str, Part]:
    """One part per Python base image that this machine can make, by image name."""
    trees = {version: _from_debian(version, suite) for version, suite in _DEBIANS.items()}
    for root in sorted(_PYENV.glob("3.12.*")):
        # No release of Debian has it: only where the machine happens to.
        trees["3.12"] = _from_pyenv("python-3.12", "3.12", root)
    return {f"python:{version}-slim": part for version, part in sorted(trees.items())}


def on_bookworm() -> Part | None:
    """The part of a 3.12 on Debian 12; None where the machine has no 3.12."""
    # Without the names that Debian 13 gave them for their new idea of time.
    libraries = tuple(name.removesuffix("t64") for name in _LIBRARIES)
    for root in sorted(_PYENV.glob("3.12.*")):
        name = "python-3.12-bookworm"
        return _from_pyenv(name, "3.12", root, suite="bookworm", libraries=libraries)
    return None


def image(name: str, layer: Path) -> Image:
    """Describe the image: it trusts what this machine trusts, so that `pip install` works in it."""
    settings = {
        "Env": [
            "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            # Older pips and Python's own ssl do not look at the system's file by themselves.
            f"PIP_CERT={_CA_INSIDE}",
            f"SSL_CERT_FILE={_CA_INSIDE}",
        ],
        "Cmd": ["python3"],
    }
    return Image((name,), (layer,), settings)


def _from_debian(version: str, suite: str) -> Part:
    packages = (f"python{version}", f"python{version}-venv", *_COMMON)
    # By the apt outside, which knows the way to the mirrors of this machine.
    headers = (
        'mkdir -m 777 "$1"/tmp/headers && cd "$1"/tmp/headers && '
        f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download libpython{version}-dev'
    )
    name = f"python-{version}"
    return _part(name, version, suite, packages, script="debian.sh", before=(headers,))


def _from_pyenv(
    name: str,
    version: str,
    root: Path,
    *,
    suite: str = "trixie",
    libraries: tuple[str, ...] = _LIBRARIES,
) -> Part:
    copy = f'cp -a {root}/bin {root}/include {root}/lib "$1"/usr/local/'
    packages = (*_COMMON, *libraries)
    return _part(name, version, suite, packages, script="pyenv.sh", before=(copy,))


def _part(
    name: str,
    version: str,
    suite: str,
    packages: tuple[str, ...],
    *,
    script: str,
    before: tuple[str, ...] = (),
) -> Part:
    bundle = _ca_bundle()
    hooks = (
        *before,
        f'VERSION={version} chroot "$1" sh -eux <{_SCRIPTS / script}',
        f'cp {bundle} "$1"{_CA_INSIDE}',
    )
    tree = Tree(suite, packages, hooks=hooks)

    def make(target: Path, store: Store) -> None:
        tree.make(target / "layer.tar", store.logs / f"{name}.log")
        imagetar.digest(target / "layer.tar")

    recipe = (suite, *packages, *before)
    return Part(name, make, recipe=recipe, files=(_SCRIPTS / script, bundle))


def _ca_bundle() -> Path:
    named = os.environ.get("SSL_CERT_FILE", "")
    return Path(named) if named and Path(named).is_file() else Path(_CA_INSIDE)
