"""What the output of a failed step, or the daemon, tells of the cause, and what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LAST = 60
"""Lines at the end of an output that are looked at: a cause stands near the end."""

FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
KILLED = 137
_NOT_EXECUTABLE = 126

_CLUES = (
    (
        r"exec: \"(?P<name>/[^\"]*sh)\": stat \S+: no such file",
        (
            "there is no shell `{name}` in the image, as in `FROM scratch`: start from one that"
            " has it, or do it in a stage before and `COPY --from` what comes out"
        ),
    ),
    (
        r"exec: \"(?P<name>[^\"]+)\": (?:stat \S+: no such file|executable file not found)",
        "there is no `{name}` in the image: copy or install it in a step before this one",
    ),
    (
        r"exec format error",
        (
            "the program is for another kind of processor than the daemon's: take the base image,"
            " or what is copied in, for that one"
        ),
    ),
    (
        r"sh: (?:\d+|line \d+): (?P<name>[^\s/:]+): (?:command )?not found",
        "`{name}` is not in the image: install it in a step before this one",
    ),
    (
        (
            r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|confirming the ssl certificate"
            r"|self-signed certificate|unable to get local issuer"
        ),
        (
            "the server's certificate is not trusted inside the build: copy your CA into the image"
            " above, and point `PIP_CERT` and `SSL_CERT_FILE` at it"
        ),
    ),
    (
        (
            r"name resolution|Name or service not known|Could not resolve|new connection: "
            r"|Network is unreachable|Connection refused|Connection timed out|ConnectTimeout"
        ),
        (
            "the server cannot be reached from inside the build; a proxy is given by `build.args`:"
            " `HTTPS_PROXY`, `NO_PROXY`"
        ),
    ),
    (
        r"No matching distribution found for (?P<name>\S+)",
        (
            "no release of `{name}` fits: look at its name, its version, and the Python of the base"
            " image"
        ),
    ),
    (
        r"command '\S*(?:gcc|g\+\+|cc)' failed|Unable to find a compiler|Unknown compiler",
        (
            "it is compiled here, and there is no compiler: install one in this stage, or take a"
            " release that has a wheel"
        ),
    ),
    (
        r"E: (?:Unable to locate package|Package) (?:'|)(?P<name>[^\s']+)",
        (
            "run `apt-get update` before it, in the same `RUN`; if that is done, `{name}` is not in"
            " this release"
        ),
    ),
    (
        r"Permission denied|are you root\?",
        (
            "after `USER` only what that user may do works: do it above that line, or give it the"
            " files (`COPY --chown`)"
        ),
    ),
)


def fetching(said: str) -> tuple[str, ...]:
    """Return what to do about an `ADD` whose address the builder itself could not fetch."""
    if re.search(r"status(?: code)? (?:4|5)\d\d", said):
        return ("look at the address: the server has nothing there for who has no login",)
    if re.search(r"no such host|dial tcp|i/o timeout|x509: ", said):
        return ("the builder asks for it, not this machine: download it here and `COPY` it",)
    return ()


def clues(
    output: Iterable[str], code: int | None, *, room: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return what to do about a step, as far as its output and exit code tell.

    Args:
        output: what the step printed.
        code: how it ended, if that is known.
        room: what to do when the disk is full where it was built.
    """
    if code == KILLED:
        return ("most often memory ran out: give the profile more, or let the step use less",)
    if code == _NOT_EXECUTABLE:
        return ("it may not be executed: `chmod +x` it, here or in the repository",)
    text = "\n".join([*output][-_LAST:])
    if FULL.search(text):
        return ("unless it writes to a mount, that is the disk of the builder", *room)
    for pattern, hint in _CLUES:
        if found := re.search(pattern, text):
            return (hint.format(**found.groupdict()),)
    return ()
