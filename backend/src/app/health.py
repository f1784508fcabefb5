"""What the probes ask, and what is running here."""

import logging
import platform
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request, Response, status
from sqlalchemy.exc import SQLAlchemyError

from app.database import CONNECT_SECONDS, Database, detail_of
from app.drain import Drain

if TYPE_CHECKING:
    from app.settings import Settings

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


class Readiness:
    """Whether traffic should come here. It never raises and always answers within seconds."""

    def __init__(self, database: Database, drain: Drain, *, blocker: str | None = None) -> None:
        self._database = database
        self._drain = drain
        self._blocker = blocker
        self._last: str | None = None
        # A thread of its own: requests that wait for the database must not delay the verdict.
        self._limiter = anyio.CapacityLimiter(1)

    async def problem(self) -> str | None:
        """Name what is wrong by its class; the driver's words, with host and user, are logged."""
        if self._drain.draining:
            return self._report("Draining")
        if self._blocker:
            return self._report(self._blocker)
        error = await self._database_error()
        return self._report(type(error).__name__, error) if error else self._report(None)

    def _report(self, problem: str | None, error: Exception | None = None) -> str | None:
        """Log a change once, not at every probe."""
        if problem != self._last:
            fields = {"problem": problem} | ({"detail": detail_of(error)} if error else {})
            level = logging.WARNING if problem else logging.INFO
            log.log(level, "readiness changed", extra={"fields": fields})
            self._last = problem
        return problem

    async def _database_error(self) -> Exception | None:
        try:
            with anyio.fail_after(CONNECT_SECONDS + 0.5):
                await to_thread.run_sync(
                    self._database.ping, abandon_on_cancel=True, limiter=self._limiter
                )
        except (SQLAlchemyError, TimeoutError) as error:
            return error
        return None


@router.get("/health")
@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer from the event loop: no database, no thread, so only a dead process fails it."""
    return {"status": "healthy"}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Answer 503 while the database is away or this process is leaving."""
    readiness: Readiness = request.app.state.readiness
    problem = await readiness.problem()
    if problem is None:
        return {"status": "ready"}
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return {"status": "unavailable", "reason": problem}


@router.get("/version")
async def version(request: Request) -> dict[str, str]:
    """Say which image answers: after an edit, this shows that the new pod does."""
    settings: Settings = request.app.state.settings
    return {
        "version": settings.app_version,
        "revision": settings.app_revision,
        "image": settings.app_image,
        "python": platform.python_version(),
    }
