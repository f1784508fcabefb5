"""The connection to sqlite or PostgreSQL, made so that its absence never ends the process."""

import contextlib
import logging
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from pydantic import SecretStr
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from app.models import Base

log = logging.getLogger(__name__)

# Below the readiness probe's timeout: the service names the problem before Kubernetes guesses.
CONNECT_SECONDS = 2

# Two workers or pods that start together must not both create the table.
SCHEMA_LOCK = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(500152203123)",
}
CONNECT_ARGS: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": 5},  # sqlite's busy_timeout: wait for another writer
    # tcp_user_timeout: a host that vanished is noticed in seconds, not in TCP's quarter of an hour
    "postgresql": {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 5000},
}


class Database:
    """An engine, and the schema that is made on first use if it could not be made at start-up."""

    def __init__(self, url: SecretStr) -> None:
        self._engine = _engine(make_url(url.get_secret_value()))
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        self._has_schema = False

    def transaction(self) -> contextlib.AbstractContextManager[Session]:
        """Open a session that commits at the end of its `with` block, before the response."""
        self._ensure_schema()
        return self._sessions.begin()

    def ping(self) -> None:
        """Raise what a request would raise: no connection, no schema, no permission."""
        self._ensure_schema()
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give the connections back, so that PostgreSQL does not log broken ones."""
        self._engine.dispose()

    def _ensure_schema(self) -> None:
        if self._has_schema:
            return
        _make_folder(self._engine.url)
        with self._engine.begin() as connection:
            connection.exec_driver_sql(SCHEMA_LOCK[self._engine.dialect.name])
            Base.metadata.create_all(connection)
        self._has_schema = True
        log.info("schema is there")


def detail_of(error: Exception) -> str:
    """Take the driver's own words for a log: SQLAlchemy adds the statement and a link."""
    return str(getattr(error, "orig", error))


def _engine(url: URL) -> Engine:
    dialect = url.get_backend_name()
    engine = create_engine(
        url,
        connect_args=CONNECT_ARGS[dialect],
        pool_pre_ping=True,  # a restarted PostgreSQL costs no request
        pool_timeout=5,
        hide_parameters=True,  # errors are logged, what users write is not
    )
    if dialect == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: SqliteConnection, _entry: ConnectionPoolEntry) -> None:
    """WAL: readers and the writer do not wait for each other; NORMAL is durable enough with it."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _make_folder(url: URL) -> None:
    """Create `data/` for a first run on a laptop; a folder that cannot be is sqlite's to report."""
    if url.get_backend_name() == "sqlite" and url.database:
        with contextlib.suppress(OSError):
            Path(url.database).parent.mkdir(exist_ok=True)
