"""What goes wrong between a Docker daemon and a registry: one table of what is said. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubekit.errors import BuildError


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """One way in which a registry refuses, known by what the daemon says of it.

    Attributes:
        said: a pattern, whatever the case.
        pull: when an image is pulled: the cause's id, and why it cannot be had.
        push: when one is pushed, or asked for: the cause's id, the cause, and what to do.
    """

    said: str
    pull: tuple[str, str]
    push: tuple[str, str, str]


_NO_LOGIN = (
    "registry-login",
    "there is no login for `{registry}`, which `{image}` needs",
    "log in: {log_in}",
)
_DENIED = (
    "registry-denied",
    "the registry `{registry}` refuses `{image}` to this login",
    "log in as somebody who may push there: {log_in}; or check the path",
)
_NO_REPOSITORY = (
    "registry-no-repository",
    "`{registry}` has no repository for `{image}`",
    "create it there first: this registry does not do so by itself",
)
_NOT_YOURS = ("image-denied", "the registry has no such image, or not for you")
_NO_IMAGE = ("image-not-found", "the registry has no such image")
_UNREACHABLE = _Refusal(
    said="",
    pull=("registry-unreachable", "the registry cannot be reached from there"),
    push=(
        "registry-unreachable",
        "the registry `{registry}` cannot be reached from that Docker",
        "check the name, and that the daemon's machine reaches it: `docker pull {image}`",
    ),
)
_REFUSALS = (
    _Refusal(
        said="invalid reference format|invalid repository",
        pull=("image-name-invalid", "it is no image name"),
        push=(
            "image-name-invalid",
            "`{image}` is no name of an image",
            "write the registry as `HOST:PORT/PATH`, in small letters",
        ),
    ),
    # Docker says of it, too, that the repository may not exist.
    _Refusal(said="pull access denied", pull=_NOT_YOURS, push=_DENIED),
    _Refusal(
        said="name unknown|repository .*not (?:exist|found)", pull=_NO_IMAGE, push=_NO_REPOSITORY
    ),
    _Refusal(said="no basic auth", pull=_NOT_YOURS, push=_NO_LOGIN),
    _Refusal(
        said="unauthorized|authentication required|incorrect username|denied|forbidden"
        r"|\b40[13]\b",
        pull=_NOT_YOURS,
        push=_DENIED,
    ),
    _Refusal(said="manifest unknown|not found|no match", pull=_NO_IMAGE, push=_NO_REPOSITORY),
    _Refusal(
        said=r"toomanyrequests|rate limit|\b429\b",
        pull=("registry-limit", "the registry's rate limit is reached"),
        push=(
            "registry-limit",
            "the rate limit of `{registry}` is reached",
            "wait, or log in as somebody with a higher one: {log_in}",
        ),
    ),
    _Refusal(
        said=r"timeout|EOF|reset by peer|\b50[0234]\b|bad gateway|unavailable|deadline",
        pull=("registry-busy", "the registry does not answer as it should"),
        push=(
            "registry-busy",
            "the registry `{registry}` does not answer as it should",
            "look how it is, and run this again: nothing of it was changed",
        ),
    ),
    _Refusal(
        said="x509|certificate",
        pull=("registry-certificate", "the registry's certificate is not trusted there"),
        push=(
            "registry-certificate",
            "that Docker does not trust the certificate of `{registry}`",
            "put its CA on the daemon's machine, as `/etc/docker/certs.d/{registry}/ca.crt`",
        ),
    ),
    _Refusal(
        said="HTTP response to HTTPS",
        pull=("registry-without-tls", "the registry speaks no TLS"),
        push=(
            "registry-without-tls",
            "the registry `{registry}` speaks no TLS",
            "give it a certificate, or name it in the daemon's `insecure-registries`",
        ),
    ),
)


def _meant(text: str) -> _Refusal:
    found = (one for one in _REFUSALS if re.search(one.said, text, re.IGNORECASE))
    return next(found, _UNREACHABLE)


def push_failed(reference: str, text: str, *, login: bool) -> BuildError:
    """Say why an image cannot be pushed, or a registry not be asked for it, and what to do.

    Args:
        reference: the image, with its registry.
        text: what the daemon said.
        login: whether it had a login of the user's for that registry.
    """
    registry = registry_of(reference) or "docker.io"
    refusal = _meant(text).push
    id_, cause, hint = _NO_LOGIN if refusal == _DENIED and not login else refusal
    names = {"registry": registry, "image": reference, "log_in": f"`docker login {registry}`"}
    return BuildError(
        cause.format(**names), hints=(hint.format(**names),), details=(text.strip(),), id=id_
    )


def reason(text: str) -> tuple[str, str]:
    """Say why an image cannot be pulled: the cause's id, and half a sentence.

    Args:
        text: what the daemon, or the runtime of a node, said.
    """
    return _meant(text).pull


def pull_failed(reference: str, text: str, *, own: bool = False) -> BuildError:
    """Say why an image cannot be pulled, and how else to provide it.

    Args:
        reference: the image.
        text: what the daemon said.
        own: it is this machine's own Docker that said it.
    """
    id_, why = reason(text)
    where = "this machine's" if own else "Minikube's"
    hints = [f"bring it there yourself: `docker save {reference} | kubekit docker -- load`"]
    if own:
        hints = [f"see that this works: `docker pull {reference}`"]
    login = f"docker login {registry_of(reference)}".strip()
    if id_ == "image-name-invalid":
        hints = ["write it as `NAME:TAG`, the name in small letters"]
    elif id_ == "image-denied":
        hints.insert(0, f"log in to its registry: `{login}`")
    elif id_ == "registry-limit":
        hints.insert(0, f"wait, or log in for a higher limit: `{login}`")
    elif id_ == "registry-busy":
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
