"""The same suite runs against sqlite or, with BACKEND_TEST_DATABASE_URL, a real PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgresql
import pytest
from app.main import create_app
from app.settings import Settings
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from support import SECRET, Service, token, until


@pytest.fixture(autouse=True)
def _no_settings_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.delenv("SECRETS_DIR", raising=False)


def _emptied(url: str) -> str:
    rewritten = Settings(database_url=url).database_url.get_secret_value()  # type: ignore[arg-type]
    engine = create_engine(rewritten)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS tasks"))
    engine.dispose()
    return url


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """An empty database: a new file, or the PostgreSQL that was named, without our table."""
    url = os.environ.get("BACKEND_TEST_DATABASE_URL")
    return _emptied(url) if url else f"sqlite:///{tmp_path}/tasks.db"


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[str]:
    if url := os.environ.get("BACKEND_TEST_DATABASE_URL"):
        yield url
    elif (bin_folder := postgresql.programs()) is None:
        pytest.skip("no PostgreSQL: install one or set BACKEND_TEST_DATABASE_URL")
    else:
        with postgresql.running(bin_folder) as url:
            yield url


@pytest.fixture
def postgresql_url(_postgresql: str) -> str:
    """An empty PostgreSQL, for what only it can show: being away while the service runs."""
    return _emptied(_postgresql)


@pytest.fixture
def make_client(database_url: str) -> Iterator[Callable[..., TestClient]]:
    """Clients of an application in this process; each test says what differs from the default."""
    clients: list[TestClient] = []

    def make(*, authenticate: Any = None, raise_errors: bool = True, **settings: Any) -> TestClient:
        values = {"database_url": database_url, "better_auth_secret": SECRET} | settings
        application = create_app(Settings(**values), authenticate)
        client = TestClient(application, raise_server_exceptions=raise_errors)
        clients.append(client.__enter__())
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def alice(make_client: Callable[..., TestClient]) -> TestClient:
    client = make_client()
    client.headers["Authorization"] = f"Bearer {token()}"
    return client


@pytest.fixture
def serve(tmp_path: Path, database_url: str) -> Iterator[Callable[..., Service]]:
    """Start real processes, and wait until they answer unless told not to."""
    services: list[Service] = []

    def start(*, wait: bool = True, **env: str) -> Service:
        service = Service(tmp_path, **({"DATABASE_URL": database_url} | env))
        services.append(service)
        if wait:
            until(service.is_live)
        return service

    yield start
    for service in services:
        service.end()
