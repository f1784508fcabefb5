"""What the environment says: three secrets, and how the server runs."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting, its name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    database_url: SecretStr
    openai_api_key: SecretStr
    better_auth_secret: SecretStr
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)
    ] = "info"
    workers: Annotated[int, Field(ge=1, le=32)] = 1
