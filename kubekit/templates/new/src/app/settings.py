"""What the environment says; an empty variable is one that is not set."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Every setting of the service."""

    host: str
    port: int
    workers: int
    drain_seconds: float
    graceful_seconds: int
    version: str
    image: str


def load_settings() -> Settings:
    """Read the environment; a number that is none ends the process and is named."""
    return Settings(
        host=os.environ.get("HOST") or "0.0.0.0",  # noqa: S104 - probes come from outside of the pod
        port=int(os.environ.get("PORT") or "8000"),
        workers=int(os.environ.get("WORKERS") or "1"),
        drain_seconds=float(os.environ.get("DRAIN_SECONDS") or "3"),
        graceful_seconds=int(os.environ.get("GRACEFUL_SECONDS") or "5"),
        version=os.environ.get("APP_VERSION") or "unknown",
        image=os.environ.get("APP_IMAGE") or "unknown",
    )
