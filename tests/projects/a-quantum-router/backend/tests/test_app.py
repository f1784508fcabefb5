from collections.abc import Iterator

import pytest
from app.main import app
from fastapi.testclient import TestClient


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_it_is_healthy(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "healthy"}


def test_neighbours_need_no_swap(client: TestClient) -> None:
    answer = client.post("/api/route", json={"device": "line-5", "gates": [[0, 1], [1, 2]]})
    assert (answer.status_code, answer.json()["swaps"]) == (200, 0)


def test_a_star_does_not_fit_a_line(client: TestClient) -> None:
    star = [[0, other] for other in (1, 2, 3, 4)]
    assert client.post("/api/route", json={"device": "line-5", "gates": star}).json()["swaps"] > 0


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ({"device": "none", "gates": [[0, 1]]}, 404),
        ({"device": "line-5", "gates": [[0, 9]]}, 422),
        ({"device": "line-5", "gates": [[1, 1]]}, 422),
        ({"device": "line-5", "gates": []}, 422),
    ],
)
def test_what_cannot_be_routed(client: TestClient, job: dict[str, object], code: int) -> None:
    assert client.post("/api/route", json=job).status_code == code
