"""`python -m app`: the settings decide host, port and workers, so that CMD needs no shell."""

import signal
import sys

import uvicorn

from app.logs import logging_config
from app.settings import load_settings


def main() -> None:
    """Run the server until a signal ends it."""
    # Process 1 has no default handlers: before uvicorn takes the signal over, and when it raises
    # it again after a graceful shutdown, SIGTERM is an orderly end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = load_settings()
    uvicorn.run(
        "app.main:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=logging_config(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.graceful_seconds,
    )


if __name__ == "__main__":
    main()
