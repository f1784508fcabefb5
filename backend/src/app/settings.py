"""What the environment (or a folder of mounted secret files) says, checked once at start-up."""

import os
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

# RFC 7518, section 3.2: an HS256 key is at least as long as the hash it feeds.
MIN_SECRET_BYTES = 32
DRIVERS = {"sqlite", "postgresql+psycopg"}


def _sqlalchemy_url(value: SecretStr) -> SecretStr:
    """Name the driver in the URL; hosted databases hand out a bare `postgres://`."""
    scheme, _, rest = value.get_secret_value().partition("://")
    if scheme in {"postgres", "postgresql"}:
        scheme = "postgresql+psycopg"
    try:
        url = make_url(f"{scheme}://{rest}")
    except (ArgumentError, ValueError):
        # From None: the cause may quote parts of the URL, and the URL holds the password.
        raise ValueError("is not a database URL") from None
    if url.drivername not in DRIVERS:
        raise ValueError("must begin with sqlite:// or postgresql://")
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("must name a file: every thread would see its own database in memory")
    return SecretStr(url.render_as_string(hide_password=False))


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
    return value


class Settings(BaseSettings):
    """Every setting of the service; the name in the environment is the field's in capitals."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,  # `PORT=` in a .env means "not set"
        hide_input_in_errors=True,  # a message about DATABASE_URL must not quote it
        frozen=True,
    )

    app_env: str = "prod"
    host: str = "0.0.0.0"  # noqa: S104 - in a pod the probes and the Service come from outside
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(str.lower)
    ] = "info"

    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 3
    graceful_seconds: Annotated[int, Field(ge=1, le=300)] = 5

    # Relative: `data/` beside the code on a laptop, /app/data in the image (its WORKDIR is /app).
    database_url: Annotated[SecretStr, AfterValidator(_sqlalchemy_url)] = SecretStr(
        "sqlite:///data/tasks.db"
    )
    better_auth_secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None

    # Set by the image and by the manifest, shown by /version.
    app_version: str = "unknown"
    app_revision: str = "unknown"
    app_image: str = "unknown"


def load_settings() -> Settings:
    """Read the settings; SECRETS_DIR names a folder with one file per setting, if there is one."""
    folder = os.environ.get("SECRETS_DIR") or None
    return Settings(_secrets_dir=folder)  # type: ignore[call-arg]  # hidden by dataclass_transform
