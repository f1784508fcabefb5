"""The user's login at a registry, as the `docker` command knows it: its config, and its helpers.

docker-py reads both too, but waits for a helper for ever, and for some configs fails as a whole.
Sources: https://docs.docker.com/reference/cli/docker/login/ and docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubekit import proc
from kubekit.errors import BuildError, KubekitError, MissingError
from kubekit.image.registries.errors import registry_of
from kubekit.model import Cancel

HELPER_SECONDS = 20.0
"""How long a credential helper may take; one that asks a person in a window may need some."""

_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_TOKEN = "<token>"  # noqa: S105 - what a helper says in place of a name
_ABSENT = "credentials not found in native keychain"


def header(repository: str, *, cancel: Cancel) -> str | None:
    """The login as Docker's API takes it, `X-Registry-Auth`; None where there is none.

    Args:
        repository: the image's name; without a registry in it, Docker Hub's.
        cancel: ends a helper.

    Raises:
        BuildError: the config or the helper it names cannot be used; says why.
        CancelledError: the person interrupted.
    """
    registry = registry_of(repository) or "docker.io"
    server = server_of(repository)
    file = config_file()
    config = _read(file)
    helpers = _mapping(config.get("credHelpers"))
    own = (helpers[key] for key in (server, registry) if key in helpers)
    helper = next(own, config.get("credsStore"))  # an empty one is the config itself
    login = _asked(str(helper), server, cancel) if helper else None
    login = login or _written(file, config, registry)
    if not login:
        return None
    login["serveraddress"] = server
    return base64.urlsafe_b64encode(json.dumps(login).encode()).decode()


def server_of(repository: str) -> str:
    """What logins are kept by: the registry in an image's name; all of Docker Hub is one."""
    registry = registry_of(repository) or "docker.io"
    return _HUB if registry in _HUB_NAMES else registry


def config_file() -> Path:
    """The config of the `docker` command, which need not be there."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(f"`{file}` cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _unusable(f"`{file}` is no JSON: {error}") from error


def _written(file: Path, config: Mapping[str, Any], registry: str) -> dict[str, str] | None:
    """The login that stands in the config itself, under any of the ways to write a registry."""
    for key, entry in _mapping(config.get("auths")).items():
        host = str(key).removeprefix("https://").removeprefix("http://").partition("/")[0]
        same = host == registry or {host, registry} <= _HUB_NAMES
        if not same or not isinstance(entry, dict):
            continue
        if entry.get("identitytoken"):
            return {"identitytoken": str(entry["identitytoken"])}
        name, password = str(entry.get("username") or ""), str(entry.get("password") or "")
        if entry.get("auth"):
            try:
                decoded = base64.b64decode(str(entry["auth"]), validate=True).decode()
            except ValueError as error:
                raise _unusable(f"the login at `{registry}` in `{file}` is damaged") from error
            name, _, password = decoded.partition(":")
        if name:
            # Some clients end it with zeros.
            return {"username": name, "password": password.strip("\0")}
    return None


def _asked(helper: str, server: str, cancel: Cancel) -> dict[str, str] | None:
    """The login that a helper program has; None where it has none for this registry."""
    program = f"docker-credential-{helper}"
    try:
        path = proc.find(program, hint="")
        argv = [path, "get"]
        done = proc.run(argv, timeout=HELPER_SECONDS, cancel=cancel, given=server)
    except MissingError as error:
        raise _unusable(error.message) from error
    except KubekitError as error:
        if error.id == "program-timeout":
            text = f"`{program}` did not answer within {HELPER_SECONDS:.0f} s"
            raise _unusable(text) from error
        raise
    if done.code != 0:
        said = (done.out.strip() or done.err.strip() or f"exit code {done.code}").splitlines()[0]
        if _ABSENT in said:
            return None
        raise _unusable(f"`{program}` failed: {said}")
    try:
        answer = _mapping(json.loads(done.out))
    except ValueError as error:
        raise _unusable(f"`{program}` answered no JSON") from error
    name, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    if not secret:
        return None
    if name == _TOKEN:
        return {"identitytoken": secret}
    return {"username": name, "password": secret}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unusable(message: str) -> BuildError:
    hint = "correct it, or lead `DOCKER_CONFIG` to a folder with another config"
    return BuildError(message, hints=(hint,), id="docker-config")
