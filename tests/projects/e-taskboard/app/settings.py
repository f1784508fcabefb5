"""What the environment says."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_SCHEME = "sqlite:///"


class Settings(BaseSettings):
    """Every setting, its name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    host: str = "0.0.0.0"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    # Relative: beside the code on a laptop, /app/data in the image, whose WORKDIR is /app.
    database_url: str = "sqlite:///./data/tasks.db"

    @field_validator("database_url")
    @classmethod
    def _is_a_file(cls, value: str) -> str:
        if not value.startswith(_SCHEME) or len(value) == len(_SCHEME):
            raise ValueError(f"must be {_SCHEME}FILE")
        return value

    @property
    def file(self) -> Path:
        """Where the tasks are."""
        return Path(self.database_url.removeprefix(_SCHEME))
