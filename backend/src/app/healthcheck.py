"""`python -m app.healthcheck`: the image's HEALTHCHECK, which must not need curl.

It speaks HTTP by itself rather than with urllib, which would send the question to HTTP_PROXY.
"""

import os
import sys
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

TIMEOUT_SECONDS = 2  # Docker gives it three


def main() -> int:
    """Ask this container's own port, by address because `localhost` may mean IPv6."""
    port = int(os.environ.get("PORT") or 8000)
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)) as connection:
            connection.request("GET", "/health/live")
            return 0 if connection.getresponse().status == HTTPStatus.OK else 1
    except (OSError, HTTPException) as error:
        sys.stderr.write(f"{type(error).__name__}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
