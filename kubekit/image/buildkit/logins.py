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
    """Answers the daemon's question for a login; one that cannot be read is none."""

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel

    def __call__(self, question: bytes) -> bytes:
        """Answer a CredentialsRequest."""
        host = protobuf.text(protobuf.decode(question), 1)
        try:
            header = credentials.header(f"{host}/", cancel=self._cancel)
        except BuildError:
            header = None
        login = json.loads(base64.urlsafe_b64decode(header)) if header else {}
        if token := login.get("identitytoken"):
            return protobuf.encode(2, str(token).encode())
        name, password = (str(login.get(key, "")).encode() for key in ("username", "password"))
        return protobuf.encode(1, name) + protobuf.encode(2, password)
