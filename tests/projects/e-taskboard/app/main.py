"""The application: `app.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from app.settings import Settings
from app.store import Store

TITLE = "taskboard"


class TaskIn(BaseModel):
    """A new task."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    application.state.store = Store(Settings().file)
    yield


app = FastAPI(title=TITLE, lifespan=_lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "healthy"}


@app.post("/api/tasks", status_code=201)
def create(task: TaskIn) -> dict[str, int]:
    """Add a task."""
    return {"id": app.state.store.add(task.title)}


@app.get("/api/tasks")
def listing() -> list[dict[str, object]]:
    """Every task."""
    found: list[dict[str, object]] = app.state.store.all()
    return found


@app.post("/api/tasks/{number}/done", status_code=204)
def finish(number: int) -> None:
    """Tick a task off."""
    if not app.state.store.finish(number):
        raise HTTPException(404, "no such task")
