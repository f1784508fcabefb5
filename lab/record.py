"""What `up` made, on disk, and a look at whether it still runs: the quick way of a second `up`."""

from __future__ import annotations

import json
import ssl
from contextlib import closing
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from lab.process import write_atomically

if TYPE_CHECKING:
    from lab.paths import Places

# A machine at work may take its time; a server that is gone refuses at once.
_PATIENCE = 20


@dataclass(frozen=True)
class Record:
    """A lab that was up: whose engine and Minikube, and how a shell reaches it."""

    engine: Literal["ours", "found"]
    minikube: Literal["ours", "found"]
    image: str
    since: str
    server: str
    authority: str
    environment: dict[str, str]

    def save(self, places: Places) -> None:
        """Write it where the other commands look."""
        write_atomically(places.record, json.dumps(asdict(self), indent=1))

    def alive(self) -> bool:
        """Ask the API server itself whether it is ready: `minikube status` takes a second."""
        if not self.server:
            return False
        address = urlsplit(self.server)
        try:
            trusted = ssl.create_default_context(cafile=self.authority)
            connection = HTTPSConnection(
                address.hostname or "", address.port, timeout=_PATIENCE, context=trusted
            )
            with closing(connection):
                connection.request("GET", "/readyz")
                return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False


def load(places: Places) -> Record | None:
    """Read the record; none, or one of another form, means that nothing is up."""
    try:
        return Record(**json.loads(places.record.read_text()))
    except (OSError, ValueError, TypeError):
        return None
