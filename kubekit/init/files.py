"""What becomes of each file: created, renewed, left as it is; all are written, or none."""

from __future__ import annotations

import contextlib
import difflib
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kubekit.errors import CancelledError, FilesError, Place, shown
from kubekit.init import stamp
from kubekit.model import Cancel

Action = Literal["created", "updated", "overwritten", "unchanged", "kept"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file, and what becomes of it.

    Attributes:
        file: absolute.
        action: `updated` is one that only `init` has written, `kept` one that a person has.
        text: what is wanted in it.
        before: what is in it; None where there is no file.
        retold: of one that is kept, that its first line becomes another, and nothing else.
    """

    file: Path
    action: Action
    text: str
    before: str | None = None
    retold: bool = False

    @property
    def writes(self) -> bool:
        """Whether the file becomes another one."""
        return self.retold or self.action in ("created", "updated", "overwritten")

    @property
    def diff(self) -> tuple[str, ...]:
        """What a person loses by it, and gets."""
        if self.action != "overwritten":
            return ()
        name = shown(self.file)
        return tuple(
            difflib.unified_diff(
                (self.before or "").splitlines(),
                self.text.splitlines(),
                f"{name} (as it was)",
                name,
                lineterm="",
            )
        )


def decide(root: Path, wanted: Mapping[str, str], *, force: bool) -> list[Change]:
    """Say what becomes of each file.

    Args:
        root: the folder that the paths are relative to.
        wanted: text by path.
        force: whether a file that a person has written or edited is overwritten.

    Raises:
        FilesError: one of the paths is a folder, or cannot be read.
    """
    return [_decide(root / path, text, force=force) for path, text in wanted.items()]


def _decide(file: Path, text: str, *, force: bool) -> Change:
    before = _read(file)
    if before is None:
        return Change(file=file, action="created", text=text)
    wanted, there = stamp.read(text), stamp.read(before)
    body = wanted.body if wanted else text
    # Whatever version wrote it, and with whatever line ends: the same text needs no writing.
    same = (there.body if there else before.replace("\r\n", "\n")) == body
    # By the first line a later run knows what this one was told.
    retold = wanted is not None and there is not None and wanted.told != there.told
    action: Action = "overwritten" if force else "kept"
    if same:
        action = "updated" if retold else "unchanged"
    elif there is not None and not there.edited:
        action = "updated"
    elif action == "kept" and wanted is not None and retold:
        text = stamp.retold(before, wanted.told)
        return Change(file=file, action=action, text=text, before=before, retold=True)
    return Change(file=file, action=action, text=text, before=before)


def _read(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        if file.is_symlink():
            raise FilesError(
                f"`{shown(file)}` is a link that leads to nothing",
                hints=("remove it, or make what it leads to",),
                place=Place(file=file),
            ) from None
        return None
    except OSError as error:
        raise _unusable(file, error) from None


def _unusable(file: Path, error: OSError) -> FilesError:
    why = (error.strerror or str(error)).lower()
    return FilesError(f"`{shown(file)}` cannot be written: {why}", place=Place(file=file))


def write(changes: list[Change], *, cancel: Cancel) -> None:
    """Write all that is to be written: first beside its place, then all of it moved there.

    Raises:
        FilesError: something could not be written; then nothing is.
        CancelledError: as above.
    """
    beside: dict[Path, Path] = {}
    folders: list[Path] = []
    try:
        for change in changes:
            if change.writes:
                _go_on(cancel)
                # A link stays one: what it leads to is the file.
                file = change.file.resolve()
                _make_folders(file.parent, folders)
                beside[file] = _write_beside(file, change.text)
        _go_on(cancel)
    except BaseException:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(folders):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    for file, temporary in beside.items():
        temporary.replace(file)


def _go_on(cancel: Cancel) -> None:
    if cancel.is_set():
        raise CancelledError("interrupted, so nothing was written")


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        try:
            one.mkdir()
        except OSError as error:
            raise _unusable(one, error) from None
        made.append(one)


def _write_beside(file: Path, text: str) -> Path:
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if file.exists():
            temporary.chmod(stat.S_IMODE(file.stat().st_mode))
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unusable(file, error) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
