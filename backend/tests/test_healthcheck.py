from collections.abc import Callable

import pytest
from app.healthcheck import main
from support import Service, free_port


def test_healthy(serve: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("PORT", str(serve().port))
    assert main() == 0


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PORT", str(free_port()))
    assert main() == 1
    assert capsys.readouterr().err == "ConnectionRefusedError\n"
