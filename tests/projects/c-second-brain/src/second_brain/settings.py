"""What the environment says."""

from pydantic import HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The services that notes are enriched by; both must be named, neither need be there."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    azure_openai_endpoint: HttpUrl
    key_vault_url: HttpUrl
