import json
import logging
from collections.abc import Callable

import pytest
from app.logs import JsonFormatter
from fastapi.testclient import TestClient
from support import Service


def formatted(message: str, error: Exception | None = None) -> str:
    info = (type(error), error, None) if error else None
    record = logging.LogRecord("name", logging.INFO, __file__, 1, message, (), info)
    return JsonFormatter().format(record)


@pytest.mark.parametrize("message", ["plain", 'a "quote"', "two\nlines", "ünïcode \x1b[31m"])
def test_a_record_is_one_json_line(message: str) -> None:
    line = formatted(message)
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["message"] == message


def test_a_traceback_stays_in_its_line() -> None:
    line = formatted("failed", RuntimeError("line one\nline two"))
    assert "\n" not in line
    assert "RuntimeError: line one\nline two" in json.loads(line)["exception"]


def test_the_log_of_a_service(serve: Callable[..., Service]) -> None:
    service = serve()
    service.ask("GET", "/api/tasks?password=hunter2", **{"x-request-id": "trace-7", "x-a": "s3cr"})
    service.ask("GET", "/health/ready")
    service.ask("GET", "/nothing%0Ahere")
    service.terminate()
    service.process.wait(20)
    entries = service.log()
    requests = {entry["path"]: entry for entry in entries if entry["logger"] == "app.access"}
    assert set(requests) == {"/api/tasks", "/nothing\nhere"}
    one = requests["/api/tasks"]
    assert (one["method"], one["status"], one["request_id"]) == ("GET", 200, "trace-7")
    assert one["duration_ms"] > 0
    text = service.log_file.read_text()
    assert "hunter2" not in text
    assert "s3cr" not in text


def test_an_id_that_could_forge_a_line_is_replaced(make_client: Callable[..., TestClient]) -> None:
    client = make_client()
    for bad in ("a b", 'x","level":"error', "x" * 65, ""):
        given = client.get("/version", headers={"x-request-id": bad}).headers["x-request-id"]
        assert len(given) == 32
        assert given.isalnum()
    assert client.get("/version", headers={"x-request-id": "a-1"}).headers["x-request-id"] == "a-1"


def test_a_failure_nobody_expected_is_a_500_with_its_line(
    make_client: Callable[..., TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def broken(_token: str | None) -> str:
        raise RuntimeError("broken")

    answer = make_client(authenticate=broken, raise_errors=False).get("/api/tasks")
    assert answer.status_code == 500
    lines = [vars(record)["fields"] for record in caplog.records if record.name == "app.access"]
    assert [line["status"] for line in lines] == [500]
