import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from app.main import app
from fastapi.testclient import TestClient

SECRET = "a-secret-of-the-tests-long-enough-for-hs256"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TestClient]:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/todo.db")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("BETTER_AUTH_SECRET", SECRET)
    with TestClient(app) as client:
        yield client


def bearer(owner: str, secret: str = SECRET) -> dict[str, str]:
    token = jwt.encode({"sub": owner, "exp": time.time() + 60}, secret, algorithm="HS256")
    return {"Authorization": f"Bearer {token}"}


def test_live_and_ready(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "healthy"}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_a_database_that_is_away(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    with TestClient(app) as away:
        assert away.get("/health/ready").status_code == 503
        assert away.get("/health/live").status_code == 200


def test_each_sees_their_own(client: TestClient) -> None:
    made = client.post("/api/todos", json={"title": "write"}, headers=bearer("ada"))
    assert made.status_code == 201
    assert client.get("/api/todos", headers=bearer("ada")).json() == [made.json()]
    assert client.get("/api/todos", headers=bearer("bob")).json() == []


def test_a_token_of_somebody_else(client: TestClient) -> None:
    wrong = bearer("ada", "another-secret-that-is-long-enough-too")
    assert client.get("/api/todos", headers=wrong).status_code == 401
