"""The application: `app.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from quantum_router import devices
from quantum_router.routing import Routed, Unroutable, route

TITLE = "quantum-router"
Pair = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class Job(BaseModel):
    """A circuit of two-qubit gates, and the device it is meant for."""

    model_config = ConfigDict(extra="forbid")

    device: str
    gates: Annotated[list[Pair], Field(min_length=1, max_length=1000)]


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Read the devices once: a broken file is seen at the start, not at the first request."""
    application.state.devices = devices.load()
    yield


app = FastAPI(title=TITLE, lifespan=_lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "healthy"}


@app.get("/api/devices")
async def list_devices() -> dict[str, int]:
    """Every device with its number of qubits."""
    found: dict[str, devices.Device] = app.state.devices
    return {name: device.qubits for name, device in found.items()}


@app.post("/api/route")
def route_job(job: Job) -> Routed:
    """Fit a circuit to a device: in a thread, because qiskit computes."""
    device = app.state.devices.get(job.device)
    if device is None:
        raise HTTPException(404, "no such device")
    try:
        return route(job.gates, device)
    except Unroutable as error:
        raise HTTPException(422, str(error)) from None
