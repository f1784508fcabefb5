"""What the loop says: which files changed and what is done about it, what failed, how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kubekit.errors import KubekitError
from kubekit.events import Emit, FilesChanged, Reported, Warned, Watching

_SHOWN = 3


class Voice:
    """Tells events of a project whose kubekit.yaml is in `root`; what goes on is told once."""

    def __init__(self, emit: Emit, root: Path) -> None:
        self.emit = emit
        self._root = root
        self._warned: set[str] = set()

    def changed(self, action: str, files: Sequence[Path], doing: str) -> None:
        """Files were saved, and this is done: ``app/main.py changed: syncing``."""
        text = f"{self._told(files)}: {doing}"
        self.emit(FilesChanged(action=action, text=text, files=tuple(map(self.name, files))))

    def doing(self, action: str, text: str) -> None:
        """Something is done for another reason than a save."""
        self.emit(FilesChanged(action=action, text=text))

    def failed(self, error: KubekitError) -> None:
        """Something failed, and the loop goes on."""
        self.emit(
            Reported(
                id=error.id,
                exit_code=error.exit_code,
                message=error.message,
                hints=error.hints,
                details=error.details,
                place=str(error.place) if error.place else None,
            )
        )

    def warn(self, text: str, *hints: str) -> None:
        """What is to know, once in a run."""
        if text not in self._warned:
            self._warned.add(text)
            self.emit(Warned(text=text, hints=hints))

    def stands(self, text: str, *, well: bool, url: str | None, waits: bool = False) -> None:
        """How it stands now that there is nothing to do until the next save."""
        self.emit(Watching(text=text, well=well, url=url, waits=waits))

    def gone(self, paths: Iterable[Path]) -> frozenset[str]:
        """The names of those that are there no more."""
        return frozenset(self.name(path) for path in paths if not path.exists())

    def name(self, path: Path) -> str:
        """A file as a person calls it: from the project's folder."""
        inside = path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if inside else str(path)

    def _told(self, files: Sequence[Path]) -> str:
        names = sorted(map(self.name, files))
        if len(names) == 1:
            return f"{names[0]} {'changed' if files[0].exists() else 'is gone'}"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{len(names)} files changed: {', '.join(names[:_SHOWN])}{more}"
