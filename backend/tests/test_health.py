import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url
from support import LOOPBACK, Service, door_to, free_port, until

JSON = {"content-type": "application/json"}


def nowhere() -> str:
    return f"postgresql://someone:hunter2hunter2@{LOOPBACK}:{free_port()}/tasks"


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_alive(make_client: Callable[..., TestClient], path: str) -> None:
    answer = make_client(database_url=nowhere()).get(path)
    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy"}


def test_ready(make_client: Callable[..., TestClient]) -> None:
    answer = make_client().get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready"}


def test_version_shows_what_the_manifest_deployed(make_client: Callable[..., TestClient]) -> None:
    client = make_client(app_version="1.2.3", app_revision="abc", app_image="tasks:kk-1")
    body = client.get("/version").json()
    assert (body["version"], body["revision"], body["image"]) == ("1.2.3", "abc", "tasks:kk-1")


def test_without_a_database_the_process_starts_lives_and_says_what_is_wrong(
    serve: Callable[..., Service],
) -> None:
    service = serve(DATABASE_URL=nowhere())
    status, body = service.ask("GET", "/health/ready")
    assert (status, body) == (503, {"status": "unavailable", "reason": "OperationalError"})
    assert service.ask("GET", "/health/live")[0] == 200
    status, body = service.ask("GET", "/api/tasks")
    assert (status, body) == (503, {"detail": "database is away"})
    log = service.log_file.read_text()
    assert "Connection refused" in log
    assert "hunter2" not in log


def test_sqlite_whose_folder_comes_later(serve: Callable[..., Service], tmp_path: Path) -> None:
    folder = tmp_path / "volume" / "data"  # two levels: the service makes only the last one
    service = serve(DATABASE_URL=f"sqlite:///{folder}/tasks.db")
    assert service.ask("GET", "/health/ready")[0] == 503
    folder.mkdir(parents=True)
    assert service.ask("GET", "/health/ready")[0] == 200
    assert service.ask("POST", "/api/tasks", {"title": "t"}, **JSON)[0] == 201
    assert (folder / "tasks.db").exists()


def test_sqlite_is_the_default_and_makes_its_folder(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    service = serve(DATABASE_URL="")
    assert service.ask("POST", "/api/tasks", {"title": "t"}, **JSON)[0] == 201
    assert (tmp_path / "data" / "tasks.db").exists()
    service.terminate()
    assert service.process.wait(20) == 0
    again = serve(DATABASE_URL="")
    assert again.ask("GET", "/api/tasks")[1]["total"] == 1


def test_a_folder_that_cannot_be_made(serve: Callable[..., Service], tmp_path: Path) -> None:
    (tmp_path / "data").touch()  # a file where the folder should be: even root cannot
    service = serve(DATABASE_URL="")
    assert service.ask("GET", "/health/ready")[0] == 503
    assert service.ask("GET", "/health/live")[0] == 200


def test_postgresql_away_and_back(serve: Callable[..., Service], postgresql_url: str) -> None:
    url = make_url(postgresql_url)
    with door_to(url.host or LOOPBACK, url.port or 5432) as door:
        through = url.set(host=LOOPBACK, port=door.port).render_as_string(hide_password=False)
        service = serve(DATABASE_URL=through)
        assert service.ask("POST", "/api/tasks", {"title": "before"}, **JSON)[0] == 201

        door.shut()
        assert service.ask("GET", "/health/ready")[0] == 503
        assert service.ask("GET", "/api/tasks")[0] == 503
        assert service.ask("GET", "/health/live")[0] == 200

        door.open()
        assert service.ask("GET", "/health/ready")[0] == 200
        assert service.ask("GET", "/api/tasks")[1]["total"] == 1


def test_postgresql_that_comes_after_the_service(
    serve: Callable[..., Service], postgresql_url: str
) -> None:
    url = make_url(postgresql_url)
    with door_to(url.host or LOOPBACK, url.port or 5432) as door:
        door.shut()
        through = url.set(host=LOOPBACK, port=door.port).render_as_string(hide_password=False)
        service = serve(DATABASE_URL=through)
        assert service.ask("GET", "/health/ready")[0] == 503
        door.open()
        assert service.ask("POST", "/api/tasks", {"title": "t"}, **JSON)[0] == 201


def test_postgresql_that_hangs(serve: Callable[..., Service], postgresql_url: str) -> None:
    url = make_url(postgresql_url)
    with door_to(url.host or LOOPBACK, url.port or 5432) as door:
        through = url.set(host=LOOPBACK, port=door.port).render_as_string(hide_password=False)
        service = serve(DATABASE_URL=through)
        assert service.ask("GET", "/health/ready")[0] == 200
        door.freeze()
        for _ in range(3):
            started = time.monotonic()
            status, body = service.ask("GET", "/health/ready")
            # An open connection never answers; a new one is given up by the driver.
            assert status == 503
            assert body["reason"] in {"TimeoutError", "OperationalError"}
            assert time.monotonic() - started < 60  # the probe waits 3 s
        assert service.ask("GET", "/health/live")[0] == 200
        door.open()
        until(lambda: service.ask("GET", "/health/ready")[0] == 200)
