"""What the probes ask, and what is running here."""

from fastapi import APIRouter, Request, Response, status

router = APIRouter(tags=["health"])


@router.get("/health")
@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer from the event loop: no database, no thread, so only a dead process fails it."""
    return {"status": "healthy"}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Answer 503 while this process is leaving; ask here for the databases you will have."""
    if request.app.state.drain.draining:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "unavailable", "reason": "Draining"}
    return {"status": "ready"}


@router.get("/version")
async def version(request: Request) -> dict[str, str]:
    """Say which image answers: after an edit, this shows that the new pod does."""
    settings = request.app.state.settings
    return {"version": settings.version, "image": settings.image}
