"""What kubekit remembers between runs: small files in the user's cache, of which none is needed."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

_PART = ".part-"
_DAY = 86_400.0
_LONG = 90 * _DAY
"""Seconds: what nobody has written for so long is probably of a project that is gone."""


def keep(file: Path, content: str | bytes) -> None:
    """Write a file for its owner alone, whole or not at all; if it cannot be, that is no error.

    What lies beside it unwritten for months, or was left by a run that was killed, is removed.
    """
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes the file for its owner alone.
        descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=_PART)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content if isinstance(content, bytes) else content.encode())
            Path(part).replace(file)
        except BaseException:
            Path(part).unlink()
            raise
        _sweep(file.parent)


def _sweep(folder: Path) -> None:
    now = time.time()
    for one in folder.iterdir():
        with contextlib.suppress(OSError):  # another run may be as fast
            if now - one.stat().st_mtime > (_DAY if one.name.startswith(_PART) else _LONG):
                one.unlink()
