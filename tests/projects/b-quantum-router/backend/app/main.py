"""The application: `app.main:app`."""

import logging
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query

from app.choosing import choose
from app.settings import Settings

settings = Settings()
logging.basicConfig(level=settings.log_level.upper())
TITLE = "quantum-router"
app = FastAPI(title=TITLE)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "healthy"}


@app.get("/api/choice")
def choice(qubits: Annotated[int, Query(ge=1, le=100_000)]) -> dict[str, str | int]:
    """The device for a job of this width."""
    device = choose(qubits, settings.queue_weight)
    if device is None:
        raise HTTPException(404, "no device is large enough")
    return {"device": device.name, "qubits": device.qubits}
