"""The application: `app.main:app` for a server, `create_app` for a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Path

from app import health
from app.drain import Drain, drain_on_sigterm
from app.settings import Settings, load_settings


def create_app(settings: Settings) -> FastAPI:
    """Put the parts together; nothing is connected or read before the server starts it."""
    application = FastAPI(title="[[ name ]]", version=settings.version, lifespan=_lifespan)
    application.state.settings = settings
    application.state.drain = Drain()
    application.include_router(health.router)
    application.add_api_route("/api/greetings/{name}", greet)
    return application


async def greet(name: Annotated[str, Path(max_length=100)]) -> dict[str, str]:
    """Greet somebody: the place of what the service is for."""
    return {"message": f"hello, {name}"}


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    state = application.state
    with drain_on_sigterm(state.drain, state.settings.drain_seconds):
        yield


app = create_app(load_settings())
