"""What goes wrong between a Docker daemon and a registry it pushes to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubekit.errors import BuildError


@dataclass(frozen=True, kw_only=True)
class _Ending:
    """A way in which a push ends."""

    id: str
    cause: str
    hint: str


_NO_LOGIN = _Ending(
    id="registry-login",
    cause="there is no login for `{registry}`, which `{image}` needs",
    hint="log in: {log_in}",
)
_NO_ANSWER = _Ending(
    id="registry-unreachable",
    cause="the registry `{registry}` cannot be reached from that Docker",
    hint="check the name, and that the daemon's machine reaches it: `docker pull {image}`",
)
_PUSH = (
    (
        "invalid reference format|invalid repository",
        _Ending(
            id="image-name-invalid",
            cause="`{image}` is no name of an image",
            hint="write the registry as `HOST:PORT/PATH`, in small letters",
        ),
    ),
    (
        "name unknown|repository .*not (?:exist|found)",
        _Ending(
            id="registry-no-repository",
            cause="`{registry}` has no repository for `{image}`",
            hint="create it there first: this registry does not do so by itself",
        ),
    ),
    ("no basic auth", _NO_LOGIN),
    (
        "unauthorized|authentication required|incorrect username|denied|forbidden|\\b40[13]\\b",
        _Ending(
            id="registry-denied",
            cause="the registry `{registry}` refuses `{image}` to this login",
            hint="log in as somebody who may push there: {log_in}; or check the path",
        ),
    ),
    (
        "toomanyrequests|rate limit|\\b429\\b",
        _Ending(
            id="registry-limit",
            cause="the rate limit of `{registry}` is reached",
            hint="wait, or log in as somebody with a higher one: {log_in}",
        ),
    ),
    (
        "timeout|EOF|reset by peer|\\b50[0234]\\b|bad gateway|unavailable|deadline",
        _Ending(
            id="registry-busy",
            cause="the registry `{registry}` does not answer as it should",
            hint="look how it is, and run this again: nothing of it was changed",
        ),
    ),
    (
        "x509|certificate",
        _Ending(
            id="registry-certificate",
            cause="that Docker does not trust the certificate of `{registry}`",
            hint="put the registry's CA on the daemon's machine, as "
            "`/etc/docker/certs.d/{registry}/ca.crt`",
        ),
    ),
    (
        "HTTP response to HTTPS",
        _Ending(
            id="registry-without-tls",
            cause="the registry `{registry}` speaks no TLS",
            hint="give it a certificate, or name it in the daemon's `insecure-registries`",
        ),
    ),
)


def push_failed(reference: str, text: str, *, login: bool) -> BuildError:
    """Say why an image cannot be pushed, or a registry not be asked for it, and what to do.

    Args:
        reference: the image, with its registry.
        text: what the daemon said.
        login: whether it had a login of the user's for that registry.
    """
    registry = registry_of(reference) or "docker.io"
    log_in = f"`docker login {registry}`"
    ending = next(
        (one for pattern, one in _PUSH if re.search(pattern, text, re.IGNORECASE)), _NO_ANSWER
    )
    if ending.id == "registry-denied" and not login:
        ending = _NO_LOGIN
    return BuildError(
        ending.cause.format(registry=registry, image=reference),
        hints=(ending.hint.format(registry=registry, image=reference, log_in=log_in),),
        details=(text.strip(),),
        id=ending.id,
    )


_PULL = (
    ("invalid reference format|invalid repository", "image-name-invalid", "it is no image name"),
    (
        "pull access denied|unauthorized|authentication required|denied|no basic auth",
        "image-denied",
        "the registry has no such image, or not for you",
    ),
    ("manifest unknown|not found|no match", "image-not-found", "the registry has no such image"),
    (
        "toomanyrequests|rate limit|\\b429\\b",
        "registry-limit",
        "the registry's rate limit is reached",
    ),
    (
        "timeout|EOF|reset by peer|\\b50[0234]\\b|bad gateway|unavailable|deadline",
        "registry-busy",
        "the registry does not answer as it should",
    ),
    ("x509|certificate", "registry-certificate", "the registry's certificate is not trusted there"),
)


def pull_failed(reference: str, text: str, *, own: bool = False) -> BuildError:
    """Say why an image cannot be pulled, and how else to provide it.

    Args:
        reference: the image.
        text: what the daemon said.
        own: it is this machine's own Docker that said it.
    """
    id_, why = "registry-unreachable", "the registry cannot be reached from there"
    for pattern, id_found, why_found in _PULL:
        if re.search(pattern, text, re.IGNORECASE):
            id_, why = id_found, why_found
            break
    where = "this machine's" if own else "Minikube's"
    hints = [f"bring it there yourself: `docker save {reference} | kubekit docker -- load`"]
    if own:
        hints = [f"see that this works: `docker pull {reference}`"]
    if id_ == "image-name-invalid":
        hints = ["write it as `NAME:TAG`, the name in small letters"]
    login = f"docker login {registry_of(reference)}".strip()
    if id_ == "image-denied":
        hints.insert(0, f"log in to its registry: `{login}`")
    if id_ == "registry-limit":
        hints.insert(0, f"wait, or log in for a higher limit: `{login}`")
    if id_ == "registry-busy":
        hints.insert(0, "run it again in a while; it was tried three times")
    return BuildError(
        f"the base image `{reference}` is not in {where} Docker and cannot be pulled: {why}",
        hints=tuple(hints),
        details=(text.strip(),),
        id=id_,
    )


def registry_of(reference: str) -> str:
    """The host an image's name begins with; empty for Docker Hub."""
    first, slash, _ = reference.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return first if is_host else ""
