from collections.abc import Iterator

import pytest
from app.main import create_app
from app.settings import load_settings
from fastapi.testclient import TestClient


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(load_settings())) as client:
        yield client


def test_greets(client: TestClient) -> None:
    assert client.get("/api/greetings/Ada").json() == {"message": "hello, Ada"}


def test_a_name_that_is_too_long_is_refused(client: TestClient) -> None:
    assert client.get(f"/api/greetings/{'a' * 101}").status_code == 422


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_live(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


def test_ready_until_it_drains(client: TestClient) -> None:
    assert client.get("/health/ready").status_code == 200
    client.app.state.drain.draining = True
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert load_settings().port == 8000
