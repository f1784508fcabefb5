"""What the image's HEALTHCHECK runs: the port of this container, asked by address."""

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    """0 if the process answers; Docker gives it three seconds."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=2)
    try:
        connection.request("GET", "/health")
        return int(connection.getresponse().status != 200)
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
