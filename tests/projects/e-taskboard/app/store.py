"""The tasks, in one file of sqlite whose schema is made at the start."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_SCHEMA = """\
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
)
"""


class Store:
    """One file; every call has a connection of its own, so threads do not meet."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_SCHEMA)

    def add(self, title: str) -> int:
        """Add one; returns its number."""
        with self._open() as connection:
            return (
                connection.execute("INSERT INTO tasks (title) VALUES (?)", (title,)).lastrowid or 0
            )

    def all(self) -> list[dict[str, object]]:
        """Every task, oldest first."""
        with self._open() as connection:
            rows = connection.execute("SELECT id, title, done FROM tasks ORDER BY id").fetchall()
        return [{"id": number, "title": title, "done": bool(done)} for number, title, done in rows]

    def finish(self, number: int) -> bool:
        """Tick one off; False if there is none of this number."""
        with self._open() as connection:
            done = connection.execute("UPDATE tasks SET done = 1 WHERE id = ?", (number,))
            return done.rowcount == 1

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=5)) as connection, connection:
            yield connection
