"""Reading the user's files and folders, with an error a person can act on for each failure."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kubekit.errors import FilesError, KubekitError, Place, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_text(path: Path, *, error: type[KubekitError] = FilesError) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Line ends stay as they are: what a line number means is for the parser of the format.

    Raises:
        KubekitError: `error`, when the file is absent, a folder, not readable or not UTF-8.
    """
    with _told(path, error, bits="r"):
        data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as caught:
        line = caught.object[: caught.start].count(b"\n") + 1
        raise error(
            f"`{shown(path)}` is not UTF-8 text",
            place=Place(file=path, line=line),
            hints=("save the file in the encoding UTF-8",),
        ) from None


def list_folder(path: Path, *, error: type[KubekitError] = FilesError) -> list[Path]:
    """What is in a folder, by name.

    Raises:
        KubekitError: `error`, when the folder is absent, a file or not readable.
    """
    with _told(path, error, bits="rx"):
        return sorted(path.iterdir())


@contextlib.contextmanager
def _told(path: Path, error: type[KubekitError], *, bits: str) -> Iterator[None]:
    place = Place(file=path)
    try:
        yield
    except FileNotFoundError:
        raise error(f"`{shown(path)}` does not exist", place=place) from None
    except IsADirectoryError:
        raise error(f"`{shown(path)}` is a folder, not a file", place=place) from None
    except PermissionError:
        hints = (f"run `chmod u+{bits} {shown(path)}`, or check who owns it with `ls -l`",)
        raise error(f"no permission to read `{shown(path)}`", place=place, hints=hints) from None
    except OSError as caught:
        raise error(f"cannot read `{shown(path)}`: {caught.strerror}", place=place) from caught
