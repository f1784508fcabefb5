"""A folder of sources that is edited at random, in all the ways of people, editors and tools."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

NAMES = ("file", "with space", "ünï", "-dash", "it's", "a[1]*")
SUFFIXES = (".py", ".html", ".bin")


class Files:
    """Edits what lies below a folder, three folders deep; nothing of it is run by the app.

    Args:
        folder: in which all is done.
        aside: a folder on the same disk, where nobody looks.
        dice: decides.
    """

    def __init__(self, folder: Path, aside: Path, dice: random.Random) -> None:
        self._folder = folder
        self._aside = aside
        self._dice = dice
        self._count = 0
        aside.mkdir()

    @property
    def deeds(self) -> list[Callable[[], None]]:
        """One of each kind."""
        names = (
            "add change delete rename mode link binary atomic slowly burst"
            " empty turn remove remake move checkout"
        )
        return [getattr(self, name) for name in names.split()]

    def any(self) -> None:
        """One of them."""
        self._dice.choice(self.deeds)()

    def add(self) -> None:
        """A new file, perhaps of an odd name."""
        name = self._new(self._dice.choice(NAMES), self._dice.choice(SUFFIXES))
        self._fill(self._folder / self._dice.choice("abc") / name)

    def change(self) -> None:
        """Another content, written in place."""
        self._fill(self._file())

    def delete(self) -> None:
        """A file that is gone."""
        self._file().unlink()

    def rename(self) -> None:
        """The same content under another name."""
        file = self._file()
        file.rename(file.with_name(self._new("renamed", file.suffix)))

    def mode(self) -> None:
        """A permission."""
        file = self._file()
        file.chmod(file.stat().st_mode ^ 0o100)

    def link(self) -> None:
        """A link where a file was; one that leads somewhere or nowhere."""
        file = self._file()
        file.unlink()
        file.symlink_to(self._dice.choice(("../../app/main.py", "nowhere", ".")))

    def binary(self) -> None:
        """Bytes that are no text, from none to a megabyte."""
        size = self._dice.choice((0, 1, 4096, 100_000, 1 << 20))
        self._write(self._folder / "a" / self._new("bytes", ".bin"), self._dice.randbytes(size))

    def atomic(self) -> None:
        """A file written beside another and put into its place, as most editors save."""
        file = self._file()
        new = file.with_name(f".{file.name}.{self._dice.choice(('tmp', 'swp'))}")
        self._fill(new, file.suffix)
        new.replace(file)

    def slowly(self) -> None:
        """A file that is half there for a while, and no good Python meanwhile."""
        file = self._folder / "b" / self._new("slow", ".py")
        self._write(file, b"X = (\n")
        time.sleep(self._dice.uniform(0, 0.3))
        with file.open("a") as out:
            out.write("1)\n")

    def burst(self) -> None:
        """Several edits, one after the other, quicker than they can be brought anywhere."""
        single = [self.add, self.change, self.delete, self.rename, self.mode, self.atomic]
        for deed in self._dice.choices(single, k=self._dice.randint(3, 12)):
            deed()
            time.sleep(self._dice.choice((0, 0, 0.02, 0.2)))

    def empty(self) -> None:
        """Folders with nothing in them."""
        (self._folder / self._new("empty") / "below").mkdir(parents=True)

    def turn(self) -> None:
        """A folder where a file was."""
        file = self._file()
        file.unlink()
        self._fill(file / self._new("inner", ".py"))

    def remove(self) -> None:
        """A whole folder that is gone."""
        shutil.rmtree(self._top())

    def remake(self) -> None:
        """A whole folder that is gone, and at once there again with other files."""
        folder = self._top()
        shutil.rmtree(folder)
        for suffix in SUFFIXES:
            self._fill(folder / "deep" / self._new("again", suffix))

    def move(self) -> None:
        """A whole folder that goes elsewhere; the one that went before comes back."""
        going = self._top()
        back = self._folder / self._new("back")
        for folder in self._aside.iterdir():
            folder.rename(back)
        going.rename(self._aside / "away")

    def checkout(self) -> None:
        """Many files at once."""
        for number in self._dice.sample(range(60), 40):
            self._write(self._folder / f"branch/p{number % 7}/m{number}.py", self._line())
        for file in sorted(self._folder.glob("branch/p*/*.py")):
            if _is_file(file) and self._dice.random() < 0.2:
                file.unlink()

    def _new(self, name: str, suffix: str = "") -> str:
        self._count += 1
        return f"{name}{self._count}{suffix}"

    def _file(self) -> Path:
        files = [one for one in sorted(self._folder.rglob("*")) if _is_file(one)]
        if not files:
            self.add()
            return self._file()
        return self._dice.choice(files)

    def _top(self) -> Path:
        if not self._folder.is_dir() or not any(self._folder.iterdir()):
            self.add()
        return self._dice.choice(sorted(self._folder.iterdir()))

    def _fill(self, file: Path, suffix: str = "") -> None:
        size = self._dice.choice((0, 10, 100_000))
        is_python = (suffix or file.suffix) == ".py"
        self._write(file, self._line() if is_python else self._dice.randbytes(size))

    def _line(self) -> bytes:
        return f"X = {self._dice.random()}\n".encode()

    def _write(self, file: Path, content: bytes) -> None:
        if file.is_symlink():
            file.unlink()
        elif file.is_dir():
            shutil.rmtree(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
