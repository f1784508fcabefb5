from collections.abc import Iterator
from pathlib import Path

import pytest
from app.main import app
from app.settings import Settings
from fastapi.testclient import TestClient
from pydantic import ValidationError


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/data/tasks.db")
    return tmp_path / "data" / "tasks.db"


@pytest.fixture
def client(file: Path) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_it_is_healthy(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "healthy"}


def test_a_task_outlives_the_process(client: TestClient, file: Path) -> None:
    number = client.post("/api/tasks", json={"title": "write"}).json()["id"]
    assert client.post(f"/api/tasks/{number}/done").status_code == 204
    with TestClient(app) as again:
        assert again.get("/api/tasks").json() == [{"id": 1, "title": "write", "done": True}]
    assert file.exists()


def test_there_is_no_such_task(client: TestClient) -> None:
    assert client.post("/api/tasks/7/done").status_code == 404


def test_without_a_setting_the_file_is_below_the_working_folder() -> None:
    assert str(Settings().file) == "data/tasks.db"


def test_another_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/tasks")
    with pytest.raises(ValidationError, match="must be sqlite"):
        Settings()
