"""The one table, and the connection to it: its absence never ends the process."""

from sqlalchemy import Engine, Integer, String, create_engine, make_url, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The metadata."""


class Todo(Base):
    """Something to do, seen by its owner alone."""

    __tablename__ = "todos"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), index=True)
    title: Mapped[str] = mapped_column(String(200))
    done: Mapped[bool] = mapped_column(default=False)


class Database:
    """An engine, and the schema that is made on first use."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._has_schema = False

    def session(self) -> Session:
        """A session; the schema is there."""
        self._ensure()
        return Session(self._engine, expire_on_commit=False)

    def ping(self) -> None:
        """Raise what a request would."""
        self._ensure()
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _ensure(self) -> None:
        if not self._has_schema:
            Base.metadata.create_all(self._engine)
            self._has_schema = True


def _engine(url: str) -> Engine:
    scheme, _, rest = url.partition("://")
    if scheme in {"postgres", "postgresql"}:
        scheme = "postgresql+psycopg"
    parsed = make_url(f"{scheme}://{rest}")
    # Below the probe's timeout: the service answers 503 itself.
    patience = {"connect_timeout": 2} if scheme.startswith("postgresql") else {"timeout": 2}
    return create_engine(parsed, pool_pre_ping=True, hide_parameters=True, connect_args=patience)
