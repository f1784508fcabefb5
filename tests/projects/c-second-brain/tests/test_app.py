from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from second_brain.main import app

AWAY = "http://127.0.0.1:9"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", AWAY)
    monkeypatch.setenv("KEY_VAULT_URL", AWAY)
    with TestClient(app) as client:
        yield client


def test_what_is_away_is_no_reason_to_be_ill(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_themes_are_what_notes_share(client: TestClient) -> None:
    for text in ("Minikube on a laptop", "a Minikube in a container"):
        assert client.post("/api/notes", json={"text": text}).status_code == 201
    assert client.get("/api/themes").json()[0] == "minikube"


def test_an_unnamed_service_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY_VAULT_URL", raising=False)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", AWAY)
    with pytest.raises(ValidationError, match="key_vault_url"), TestClient(app):
        pass
