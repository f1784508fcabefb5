from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from support import Service, token


def test_a_task_lives_from_creation_to_deletion(alice: TestClient) -> None:
    created = alice.post("/api/tasks", json={"title": "  write tests ", "description": "all"})
    task = created.json()
    assert created.status_code == 201
    assert created.headers["location"] == f"/api/tasks/{task['id']}"
    assert (task["title"], task["description"], task["done"]) == ("write tests", "all", False)
    path = created.headers["location"]
    assert alice.get(path).json() == task

    changed = alice.patch(path, json={"done": True}).json()
    assert changed["done"] is True
    assert changed["title"] == "write tests"
    assert changed["updated_at"] > task["updated_at"]
    assert changed["created_at"] == task["created_at"]
    assert alice.patch(path, json={"description": None}).json()["description"] is None
    assert alice.patch(path, json={}).json()["done"] is True

    assert alice.delete(path).status_code == 204
    assert alice.get(path).status_code == 404


def test_times_are_utc_whatever_the_database_keeps(alice: TestClient) -> None:
    task = alice.post("/api/tasks", json={"title": "t"}).json()
    again = alice.get(f"/api/tasks/{task['id']}").json()
    assert datetime.fromisoformat(again["created_at"]).utcoffset() == timedelta(0)
    assert again["created_at"] == task["created_at"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("number", [999_999, 2**63 - 1])
def test_a_task_that_is_not_there(alice: TestClient, method: str, number: int) -> None:
    body = {"title": "x"} if method == "PATCH" else None
    answer = alice.request(method, f"/api/tasks/{number}", json=body)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "no such task"}


def test_somebody_elses_task_is_not_there_either(alice: TestClient) -> None:
    path = alice.post("/api/tasks", json={"title": "mine"}).headers["location"]
    bob = {"Authorization": f"Bearer {token(sub='bob')}"}
    assert alice.get(path, headers=bob).status_code == 404
    assert alice.patch(path, json={"title": "his"}, headers=bob).status_code == 404
    assert alice.delete(path, headers=bob).status_code == 404
    assert alice.get("/api/tasks", headers=bob).json()["total"] == 0
    assert alice.get(path).json()["title"] == "mine"


def test_pages(alice: TestClient) -> None:
    for number in range(5):
        alice.post("/api/tasks", json={"title": str(number)})
    page = alice.get("/api/tasks", params={"limit": 2, "offset": 3}).json()
    assert [task["title"] for task in page["items"]] == ["3", "4"]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 3)
    assert alice.get("/api/tasks", params={"offset": 5}).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": "   "},
        {"title": "x" * 201},
        {"title": "nul \x00"},
        {"title": None},
        {"title": "x", "description": "d" * 2001},
        {"title": "x", "description": "nul \x00"},
        {"title": "x", "done": "perhaps"},
        {"title": "x", "owner": "bob"},
    ],
)
def test_what_cannot_be_a_task(alice: TestClient, body: dict[str, Any]) -> None:
    assert alice.post("/api/tasks", json=body).status_code == 422
    assert alice.get("/api/tasks").json()["total"] == 0


@pytest.mark.parametrize("body", [{"title": None}, {"done": None}, {"title": ""}, {"id": 2}])
def test_what_cannot_be_changed(alice: TestClient, body: dict[str, Any]) -> None:
    path = alice.post("/api/tasks", json={"title": "t"}).headers["location"]
    assert alice.patch(path, json=body).status_code == 422


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "offset=-1", "offset=2147483648", "limit=x"]
)
def test_what_is_no_page(alice: TestClient, query: str) -> None:
    assert alice.get(f"/api/tasks?{query}").status_code == 422


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63)])
def test_what_is_no_number_of_a_task(alice: TestClient, number: str) -> None:
    assert alice.get(f"/api/tasks/{number}").status_code == 422


@pytest.mark.parametrize("title", ["naïve ☃ 任務", "'; DROP TABLE tasks; --", "😀" * 200])
def test_any_text_comes_back_as_it_went_in(alice: TestClient, title: str) -> None:
    path = alice.post("/api/tasks", json={"title": title}).headers["location"]
    assert alice.get(path).json()["title"] == title


def test_two_workers_that_start_on_an_empty_database_and_write_at_once(
    serve: Callable[..., Service],
) -> None:
    service = serve(WORKERS="2")

    def write(number: int) -> int:
        return service.ask(
            "POST", "/api/tasks", {"title": str(number)}, **{"content-type": "application/json"}
        )[0]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(write, range(80)))
    assert statuses == [201] * 80
    assert service.ask("GET", "/api/tasks")[1]["total"] == 80
