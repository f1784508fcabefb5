"""`python -m app`: the settings decide port and workers, so that CMD needs no shell."""

import signal
import sys

import uvicorn

from app.settings import Settings


def main() -> None:
    """Run the server until a signal ends it, which is an orderly end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings()
    uvicorn.run(
        "app.main:app",
        host="0.0.0.0",
        port=settings.port,
        workers=settings.workers,
        log_level=settings.log_level,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
