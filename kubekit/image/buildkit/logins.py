"""The user's logins at registries, for what BuildKit pulls by itself, such as a `# syntax=` image.

`moby.filesync.v1.Auth` of moby/buildkit (session/auth). Its newer methods, by which this side would
fetch the tokens, are not offered; BuildKit then asks for the login and fetches them itself.
"""

from __future__ import annotations

import base64
import json

from kubekit.errors import BuildError
from kubekit.image.buildkit import protobuf
from kubekit.image.registries import credentials
from kubekit.model import Cancel

METHOD = "/moby.filesync.v1.Auth/Credentials"


class Logins:
    """Answers the daemon's question for a login; one that cannot be read is none.

    While one is asked of a helper, which may show a person a window, nothing else is answered, and
    for a session that does not say that it is well the daemon waits 10 s: what can be known to be
    asked for is fetched before.

    Args:
        cancel: ends a helper.
    """

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel
        self._answers: dict[str, bytes] = {}

    def fetch(self, repository: str) -> None:
        """Have the login ready for the registry of an image."""
        self._answers[credentials.server_of(repository)] = self._found(repository)

    def __call__(self, question: bytes) -> bytes:
        """Answer a CredentialsRequest."""
        repository = f"{protobuf.text(protobuf.decode(question), 1)}/"
        known = self._answers.get(credentials.server_of(repository))
        return self._found(repository) if known is None else known

    def _found(self, repository: str) -> bytes:
        try:
            header = credentials.header(repository, cancel=self._cancel)
        except BuildError:
            header = None
        login = json.loads(base64.urlsafe_b64decode(header)) if header else {}
        if token := login.get("identitytoken"):
            return protobuf.encode(2, str(token).encode())
        name, password = (str(login.get(key, "")).encode() for key in ("username", "password"))
        return protobuf.encode(1, name) + protobuf.encode(2, password)
