import base64
import json
import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from support import SECRET, token


def unsigned(**claims: object) -> str:
    """A token of algorithm `none`, made by hand as an attacker would."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def now() -> int:
    return int(time.time())


ACCEPTED: dict[str, Callable[[], str]] = {
    "plain": token,
    "expired within the leeway": lambda: token(exp=now() - 10),
    "issued by a clock that is ahead": lambda: token(iat=now() + 10),
    "meant for an audience": lambda: token(aud="tasks"),
}
REFUSED: dict[str, Callable[[], str]] = {
    "other secret": lambda: token(secret="x" * 40),
    "expired": lambda: token(exp=now() - 60),
    "not yet valid": lambda: token(nbf=now() + 60),
    "without an end": lambda: token(exp=None),
    "without a subject": lambda: token(sub=None),
    "empty subject": lambda: token(sub=""),
    "subject that is a number": lambda: token(sub=7),
    "subject too long": lambda: token(sub="a" * 256),
    "subject with NUL": lambda: token(sub="a\x00b"),
    "HS512": lambda: token(secret=SECRET * 2, algorithm="HS512"),
    "HS384 with our secret": lambda: token(secret=SECRET * 2, algorithm="HS384"),
    "algorithm none": lambda: unsigned(sub="alice", exp=now() + 60),
    "garbage": lambda: "not.a.token",
    "empty": lambda: "",
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(make_client: Callable[..., TestClient], case: str) -> None:
    answer = make_client().get(
        "/api/tasks", headers={"Authorization": f"Bearer {ACCEPTED[case]()}"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("case", REFUSED)
def test_refused(make_client: Callable[..., TestClient], case: str) -> None:
    answer = make_client().get("/api/tasks", headers={"Authorization": f"Bearer {REFUSED[case]()}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"] in {"invalid token", "bearer token required"}


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer"])
def test_no_bearer_token(make_client: Callable[..., TestClient], header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    assert make_client().get("/api/tasks", headers=headers).status_code == 401


def test_probes_need_no_token(make_client: Callable[..., TestClient]) -> None:
    client = make_client()
    for path in ("/health", "/health/live", "/health/ready", "/version"):
        assert client.get(path).status_code == 200


def test_open_to_everybody_only_when_dev_is_said(make_client: Callable[..., TestClient]) -> None:
    client = make_client(better_auth_secret=None, app_env="dev")
    assert client.post("/api/tasks", json={"title": "t"}).status_code == 201
    assert client.get("/health/ready").status_code == 200


def test_dev_with_a_secret_still_asks_for_tokens(make_client: Callable[..., TestClient]) -> None:
    assert make_client(app_env="dev").get("/api/tasks").status_code == 401


def test_a_forgotten_secret_is_our_fault_and_keeps_the_pod_out_of_service(
    make_client: Callable[..., TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(better_auth_secret=None)
    answer = client.get("/api/tasks", headers={"Authorization": f"Bearer {token()}"})
    assert answer.status_code == 503
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["reason"] == "AuthNotConfigured"
    assert client.get("/health/live").status_code == 200
    assert "BETTER_AUTH_SECRET is not set" in caplog.text


def test_another_way_to_authenticate_can_be_put_in(make_client: Callable[..., TestClient]) -> None:
    client = make_client(authenticate=lambda given: f"user-{given}", better_auth_secret=None)
    client.post("/api/tasks", json={"title": "t"}, headers={"Authorization": "Bearer 7"})
    mine = client.get("/api/tasks", headers={"Authorization": "Bearer 7"}).json()
    others = client.get("/api/tasks", headers={"Authorization": "Bearer 8"}).json()
    assert (mine["total"], others["total"]) == (1, 0)
    assert client.get("/health/ready").status_code == 200


def test_a_refused_token_is_not_logged(
    make_client: Callable[..., TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bad = token(secret="x" * 40)
    make_client().get("/api/tasks", headers={"Authorization": f"Bearer {bad}"})
    assert "token refused" in caplog.text
    assert bad not in caplog.text
    assert SECRET not in caplog.text
