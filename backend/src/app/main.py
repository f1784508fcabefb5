"""The application: `app.main:app` for a server, `create_app` for a test."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, status
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app import health, tasks
from app.access import RequestContext
from app.auth import Authenticator, choose_authenticator, nobody
from app.database import Database, detail_of
from app.drain import Drain, drain_on_sigterm
from app.settings import Settings, load_settings

log = logging.getLogger(__name__)


def create_app(settings: Settings, authenticate: Authenticator | None = None) -> FastAPI:
    """Put the parts together; nothing is connected or read before the server starts it."""
    application = FastAPI(title="tasks", version=settings.app_version, lifespan=_lifespan)
    state = application.state
    state.settings = settings
    state.drain = Drain()
    state.database = Database(settings.database_url)
    state.authenticate = authenticate or choose_authenticator(settings)
    state.readiness = health.Readiness(
        state.database,
        state.drain,
        blocker="AuthNotConfigured" if state.authenticate is nobody else None,
    )
    application.include_router(health.router)
    application.include_router(tasks.router)
    application.add_middleware(RequestContext, drain=state.drain)
    for away in (OperationalError, InterfaceError, PoolTimeoutError):
        application.add_exception_handler(away, _database_away)
    return application


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Try to make the schema, serve whether or not that worked, and drain at the end."""
    state = application.state
    await state.readiness.problem()  # logs what is wrong; the next use of the database tries again
    with drain_on_sigterm(state.drain, state.settings.drain_seconds):
        yield
    state.database.close()


async def _database_away(_request: Request, error: Exception) -> JSONResponse:
    """Answer 503 instead of 500: the caller may try again."""
    fields = {"problem": type(error).__name__, "detail": detail_of(error)}
    log.error("database is away", extra={"fields": fields})
    return JSONResponse(
        {"detail": "database is away"},
        status.HTTP_503_SERVICE_UNAVAILABLE,
        headers={"Retry-After": "1"},
    )


app = create_app(load_settings())
