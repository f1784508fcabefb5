import subprocess
import sys
from pathlib import Path

import pytest
from app.settings import Settings, load_settings
from pydantic import ValidationError
from support import SECRET, SOURCE


def test_what_holds_without_any_setting() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", 8000, 1)
    assert settings.log_level == "info"
    assert settings.app_env == "prod"
    assert settings.database_url.get_secret_value() == "sqlite:///data/tasks.db"
    assert settings.better_auth_secret is None


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DATABASE_URL", "BETTER_AUTH_SECRET", "LOG_LEVEL"):
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings()


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"PORT": "9000", "WORKERS": "2", "LOG_LEVEL": "DEBUG", "DRAIN_SECONDS": "0.5"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.port, settings.workers, settings.log_level) == (9000, 2, "debug")
    assert settings.drain_seconds == 0.5


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p%40ss@db:5433/tasks?sslmode=require",) * 2,
        ("postgresql://u:p@db/tasks",) * 2,
        ("postgresql+psycopg://u:p@db/tasks",) * 2,
    ],
)
def test_a_postgresql_url_gets_its_driver(
    monkeypatch: pytest.MonkeyPatch, given: str, used: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", given)
    rest = used.partition("://")[2]
    assert load_settings().database_url.get_secret_value() == f"postgresql+psycopg://{rest}"


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "mysql://u:hunter2@db/tasks",
        "postgresql+asyncpg://u:hunter2@db/tasks",
        "postgresql://u:hunter2@db:port/tasks",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ValidationError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BETTER_AUTH_SECRET", "short")
    with pytest.raises(ValidationError, match="at least 32 bytes"):
        load_settings()


def test_secrets_can_be_mounted_as_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "BETTER_AUTH_SECRET").write_text(f"{SECRET}\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    secret = load_settings().better_auth_secret
    assert secret is not None
    assert secret.get_secret_value() == SECRET


def test_no_secret_shows_in_a_repr() -> None:
    settings = Settings(database_url="postgresql://u:hunter2@db/t", better_auth_secret=SECRET)  # type: ignore[arg-type]
    assert "hunter2" not in repr(settings)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("WORKERS", "0"), ("BETTER_AUTH_SECRET", "hunter2")]
)
def test_a_wrong_setting_ends_the_process_with_one_line_that_names_it(
    tmp_path: Path, name: str, value: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCE), name: value},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert f'"setting": "{name}"' in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stderr == ""
