"""What the environment says."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting, its name in capitals.

    `model_config` alone: a class `Config` beside it is what newer pydantics refuse.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)
    ] = "info"
    queue_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
