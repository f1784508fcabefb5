"""What kubekit remembers between runs: small files in the user's cache, of which none is needed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def keep(file: Path, content: str | bytes) -> None:
    """Write a file for its owner alone, whole or not at all; if it cannot be, that is no error."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes the file for its owner alone.
        descriptor, part = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content if isinstance(content, bytes) else content.encode())
            Path(part).replace(file)
        except BaseException:
            Path(part).unlink()
            raise
