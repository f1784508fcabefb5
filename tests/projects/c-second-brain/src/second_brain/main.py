"""The application: `second_brain.main:app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field

from second_brain import externals
from second_brain.notes import Notes
from second_brain.settings import Settings

TITLE = "second-brain"


class Note(BaseModel):
    """A new note."""

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Serve at once, and ask the services outside meanwhile."""
    settings = Settings()
    application.state.notes = Notes()
    urls = (str(settings.azure_openai_endpoint), str(settings.key_vault_url))
    asking = asyncio.create_task(externals.look(urls))
    yield
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


app = FastAPI(title=TITLE, lifespan=_lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@app.post("/api/notes", status_code=201)
async def add(note: Note) -> dict[str, int]:
    """Keep a note."""
    return {"id": app.state.notes.add(note.text)}


@app.get("/api/themes")
async def themes() -> list[str]:
    """What the notes are about."""
    found: list[str] = app.state.notes.themes()
    return found
