"""The first line of what `init` writes; by it a file is known that nobody has edited. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from kubekit import __version__

_LINE = re.compile(
    r"\s*(?:#|\{#-?) kubekit init (?P<version>\S+) (?P<hash>[0-9a-f]{12})"
    r"(?:: (?P<told>.*?))?(?: -?#\})?\s*"
)
_LENGTH = 12


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What the first line tells, and what is below it.

    Attributes:
        edited: the text below is not what was written.
        told: the arguments that `init` was called with, in kubekit.yaml.
    """

    version: str
    told: str
    body: str
    edited: bool


def stamped(path: str, body: str, *, told: str = "") -> str:
    """The text of a file with its first line."""
    line = f"kubekit init {__version__} {_digest(body)}{f': {told}' if told else ''}"
    return f"{{#- {line} -#}}\n{body}" if path.endswith(".j2") else f"# {line}\n{body}"


def read(text: str) -> Stamp | None:
    """Read the first line; None for a file that `init` has not written."""
    # An editor or git may have made the line ends another system's: nobody's edit.
    first, _, body = text.removeprefix("\ufeff").replace("\r\n", "\n").partition("\n")
    found = _LINE.fullmatch(first)
    if found is None:
        return None
    return Stamp(
        version=found["version"],
        told=found["told"] or "",
        body=body,
        edited=_digest(body) != found["hash"],
    )


def retold(text: str, told: str) -> str:
    """The text with other arguments in its first line; all else stays, the hash of it, too."""
    first, end, rest = text.partition("\n")
    found = _LINE.fullmatch(first.removeprefix("\ufeff"))
    if found is None:
        return text
    start = found.end("hash") + len(first) - len(found.string)
    behind = first[start + len(f": {found['told']}" if found["told"] else "") :]
    return first[:start] + (f": {told}" if told else "") + behind + end + rest


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:_LENGTH]
