"""What a kustomization says of the files around it: which are patches, and so no whole objects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kubekit.errors import FilesError
from kubekit.text.read import read_text
from kubekit.text.strictyaml import load_all

_KEYS = ("patches", "patchesStrategicMerge", "patchesJson6902")


def patches(file: Path) -> Iterator[Path]:
    """The files that a `kustomization.yaml` lays over its objects; none of any other file."""
    if file.stem.lower() != "kustomization":
        return
    with contextlib.suppress(FilesError):
        for document in load_all(read_text(file), file=file, mappings=False):
            data = document.data if isinstance(document.data, dict) else {}
            for key in _KEYS:
                listed = data.get(key)
                for one in listed if isinstance(listed, list) else ():
                    name = one.get("path") if isinstance(one, dict) else one
                    if isinstance(name, str) and "\n" not in name:
                        yield (file.parent / name).resolve()
