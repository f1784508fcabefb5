"""`python -m app`: the settings decide host and port, so that CMD needs no shell."""

import signal
import sys

import uvicorn

from app.settings import Settings


def main() -> None:
    """Run the server until a signal ends it, which is an orderly end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings()
    uvicorn.run("app.main:app", host=settings.host, port=settings.port, timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
