"""`python -m app`: the settings decide host, port and workers, so that CMD needs no shell."""

import logging
import logging.config
import signal
import sys

import uvicorn
from pydantic import ValidationError

from app.logs import logging_config
from app.settings import Settings, load_settings

log = logging.getLogger("app")


def main() -> int:
    """Run the server until a signal ends it; 2 means that a setting is wrong."""
    # Process 1 has no default handlers: before uvicorn takes the signal over, and when it raises
    # it again after a graceful shutdown, SIGTERM is an orderly end.
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        return _run()
    except BaseException:
        # In the middle of an import an end may come out as another error: Python 3.11 makes a
        # RuntimeError of what `__set_name__` raises.
        if not ended:
            raise
    return 0


def _run() -> int:
    try:
        settings = load_settings()
    except ValidationError as error:
        _report(error)
        return 2
    _serve(settings)
    return 0


def _serve(settings: Settings) -> None:
    uvicorn.run(
        "app.main:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=logging_config(settings.log_level),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.graceful_seconds,
    )


def _report(error: ValidationError) -> None:
    """Log one line per wrong setting, with its name and without its value."""
    logging.config.dictConfig(logging_config("info"))
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
        log.error("wrong setting", extra={"fields": {"setting": name, "problem": problem["msg"]}})


if __name__ == "__main__":
    sys.exit(main())
