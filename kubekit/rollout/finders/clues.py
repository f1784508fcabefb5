"""What the end of a crashed container's log tells of the reason. Pure.

A clue takes the container and the end of its log, and returns the words of the cause, or None
where it finds nothing that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kubekit.rollout.reading import Container

Words = Mapping[str, object]
Clue = Callable[[Container, str], Words | None]

_NAME = r"(?P<variable>[A-Z][A-Z0-9_]{2,})"
# A word in capitals may be anything; this one is a variable's name by its looks.
_SURE = rf"(?:(?<=['\"`])|\b(?=[A-Z0-9]*_)){_NAME}"
_LACKS = (
    r"['\"`]?(?: \w+ variable)? (?:is |was )?"
    r"(?:not set|not defined|unset|required|missing|must be set)\b"
)
_VARIABLES = tuple(
    re.compile(text, re.MULTILINE)
    for text in (
        # os.environ["NAME"], as the traceback of Python 3.11 and later shows it.
        rf"in __getitem__\n(?:\s.*\n)*KeyError: '{_NAME}'",
        rf"{_SURE}{_LACKS}",
        rf"^(?=.*(?i:\benv|variable)).*\b{_NAME}{_LACKS}",
        rf"\b(?i:environment variable|env var|envvar)s?:? ['\"`]?{_NAME}\b",
        rf"\b{_NAME} (?:environment variable\b|not found\. Declare it as envvar)",
        rf"\bmust (?:set|specify|provide) (?:the )?['\"`]?{_SURE}\b",
        rf"\b{_NAME}: (?:parameter (?:not set|null or not set)|unbound variable)",
    )
)
# pydantic's report of a field that nobody gave, of its versions 1 and 2.
_FIELD = re.compile(
    r"validation errors? for (?P<model>\w+)\n(?:.*\n)*?(?P<variable>\w+)\n\s+[Ff]ield required\b"
)
_SETTINGS = re.compile(r"settings|config|env", re.IGNORECASE)

_AWAY = re.compile(
    # Whole words: "ModuleNotFoundError" has ENOTFOUND in it.
    r"\b(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNRESET)\b|connection refused"
    r"|ConnectionRefusedError|connect call failed|could not translate host name"
    r"|failed to resolve host|name or service not known"
    r"|temporary failure in name resolution|name resolution|nodename nor servname|gaierror"
    r"|no such host|no route to host|all connection attempts failed|ConnectTimeout"
    r"|\[Errno 1(?:0[14]|1[03])\]|dial tcp .*timeout|can't connect to \w+ server"
    r"|NoBrokersAvailable|unable to bootstrap from|ServerSelectionTimeoutError|NoHostAvailable"
    r"|failed to establish a new connection|network is unreachable|PoolTimeout"
    r"|(?:failed:|connection) timeout expired|connection timed out"
    # These are reached, and still starting.
    r"|database system is (?:starting up|not yet accepting|in recovery mode|shutting down)"
    r"|Redis is loading the dataset|connection reset|server closed the connection"
    r"|Lost connection to MySQL server|MySQL server has gone away",
    re.IGNORECASE,
)
_HOST = r"(?P<host>[\w.-]+)"
_PEERS = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        rf"server at \"{_HOST}\"[^\n]*?, port (?P<port>\d+)",
        rf"(?:translate host name|resolve host) [\"']{_HOST}[\"']",
        rf"connecting to {_HOST}:(?P<port>\d+)",
        rf"connect to host {_HOST}:(?P<port>\d+)",
        rf"connect call failed \('{_HOST}', (?P<port>\d+)",
        rf"host='{_HOST}', port=(?P<port>\d+)",
        rf"ECONNREFUSED {_HOST}:(?P<port>\d+)",
        rf"(?:ENOTFOUND|EAI_AGAIN) {_HOST}",
        rf"lookup {_HOST}(?: on |:)",
        rf"dial tcp {_HOST}:(?P<port>\d+)",
        rf"can't connect to \w+ server on '{_HOST}(?::(?P<port>\d+))?'",
        rf"\b{_HOST}:(?P<port>\d{{2,5}}): \[Errno",
    )
)

_SCRIPT = (
    re.compile(r"^exec (?P<path>[^\s:]+): no such file or directory", re.MULTILINE),
    re.compile(
        r"env: (?:can't execute )?[\u2018'`\"]?"
        r"(?P<interpreter>[^\u2019'\"\s\\:]+)(?P<cr>\\r|\r|\^M)?"
        r"[\u2019'\"]?: no such file",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<path>[^\s:]+): (?:(?P<interpreter>/[^\s:^]+)(?P<cr>\^M|\r)?: )?bad interp"),
    re.compile(r"(?P<path>[^\s:]+): cannot execute: required file not found"),
)
_FORMAT = re.compile(
    r"(?P<path>[^\s:\"']+)[\"']?: (?:cannot execute binary file: )?exec format error", re.IGNORECASE
)
_NOT_FOUND = re.compile(
    r"^\S*sh: (?:(?:line )?\d+: )?(?:exec: )?(?P<command>[^\s:]+): (?:command )?not found$"
)
_REFUSED = re.compile(
    r"^(?:\S*sh: (?:(?:line )?\d+: )?(?:exec: )?|exec )(?P<command>[^\s:]+): permission denied$",
    re.IGNORECASE,
)


def variable(container: Container, text: str) -> Words | None:
    """The variable an app asks for and nobody sets: ``variable``."""
    found = [match for pattern in _VARIABLES for match in [pattern.search(text)] if match]
    report = _FIELD.search(text)
    if report and ("pydantic_settings" in text or _SETTINGS.search(report["model"])):
        found.append(report)
    known = {str(item["name"]).upper() for item in container.spec.get("env") or ()}
    for match in found:
        name = match["variable"].upper()
        if name not in known:
            return {"variable": name}
    return None


def peer(_container: Container, text: str) -> Words | None:
    """What could not be reached: ``peer``, with its port where the log has it."""
    if not _AWAY.search(text):
        return None
    for pattern in _PEERS:
        match = pattern.search(text)
        if match:
            port = match.groupdict().get("port")
            return {"peer": f"`{match['host']}{f':{port}' if port else ''}`"}
    return {"peer": "something it needs"}


def interpreter(_container: Container, text: str) -> Words | None:
    """A script or program that is there, and whose interpreter or loader is not: ``problem``."""
    for pattern in _SCRIPT:
        match = pattern.search(text)
        if match:
            groups = match.groupdict()
            path, named = groups.get("path"), groups.get("interpreter")
            what = f"`{path}`" if path else "its script"
            if groups.get("cr"):
                return {"problem": f"{what} has Windows line ends, so `{named}` is not found"}
            missing = f"`{named}`" if named else "what its first line names, or its loader,"
            return {"problem": f"{what} cannot run: {missing} is not in the image"}
    return None


def other_machine(_container: Container, text: str) -> Words | None:
    """A program the node's processor does not know: ``path``."""
    match = _FORMAT.search(text)
    return {"path": match["path"]} if match else None


def no_command(_container: Container, text: str) -> Words | None:
    """A shell whose last word is that it cannot find or run the command: ``problem``."""
    line = text.rpartition("\n")[2].strip()
    missing, refused = _NOT_FOUND.match(line), _REFUSED.match(line)
    if missing:
        return {"problem": f"`{missing['command']}` is not in the image"}
    return {"problem": f"`{refused['command']}` is not executable"} if refused else None
