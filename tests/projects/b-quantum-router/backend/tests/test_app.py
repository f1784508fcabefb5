import pytest
from app.choosing import choose
from app.main import app
from app.settings import Settings
from fastapi.testclient import TestClient
from pydantic import ValidationError

client = TestClient(app)


def test_it_is_healthy() -> None:
    assert client.get("/health").json() == {"status": "healthy"}


@pytest.mark.parametrize(("weight", "name"), [(0.0, "heron"), (1.0, "falcon")])
def test_the_weight_of_the_queue_decides(weight: float, name: str) -> None:
    device = choose(5, weight)
    assert device is not None
    assert device.name == name


@pytest.mark.parametrize(("qubits", "code"), [(5, 200), (127, 200), (1000, 404), (0, 422)])
def test_the_width_of_a_job(qubits: int, code: int) -> None:
    assert client.get("/api/choice", params={"qubits": qubits}).status_code == code


def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_WEIGHT", "2")
    with pytest.raises(ValidationError):
        Settings()
