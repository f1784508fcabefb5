"""Whether what should be text is: the daemon drops a connection over a NUL byte."""

from __future__ import annotations

from pathlib import Path

from kubekit.errors import FilesError, Place, shown

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def check(data: bytes, file: Path) -> None:
    """Make sure that a Dockerfile or a `.dockerignore` holds no NUL byte, as UTF-16 does.

    Args:
        data: all of the file.
        file: it, for the message.

    Raises:
        FilesError: names the first line with one.
    """
    wide = data.startswith(_UTF_16)
    if not wide and b"\0" not in data:
        return
    line = 1 if wide else data[: data.index(b"\0")].count(b"\n") + 1
    why = "is UTF-16" if wide else "holds a NUL byte"
    raise FilesError(
        f"`{shown(file)}` {why}, so it cannot be read as text",
        hints=("save it as UTF-8",),
        place=Place(file=file, line=line),
        id="not-text",
    )
