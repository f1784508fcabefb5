"""What the end of a log tells of files that cannot be written and ports that cannot be had. Pure.

Clues as in `clues`.
"""

from __future__ import annotations

import re

from kubekit.model import Object
from kubekit.rollout.finders.clues import Words
from kubekit.rollout.reading import Container, declared_ports

_QUOTED = re.compile(
    r"[\u2018'\"`](?P<path>\.{0,2}/[^\u2019'\"`\n]*|[\w.-]+/[^\u2019'\"`\s]*)[\u2019'\"`]"
)
_BARE = re.compile(r"(?:^|\s)(?P<path>/[^\s:,'\"()]+)")
_ERRNO_PATH = re.compile(r"\[Errno \d+\][^\n]*: '(?P<path>[^']+)'")
_READ_ONLY = re.compile(r"^.*(?:read-only file ?system|EROFS).*$", re.IGNORECASE | re.MULTILINE)
_DENIED = re.compile(r"^.*(?:permission denied|EACCES).*$", re.IGNORECASE | re.MULTILINE)
_TAKEN = re.compile(
    r"^.*(?:address (?:is )?already in use|EADDRINUSE|connection in use:).*$",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_ALLOWED = re.compile(
    r"^.*(?:(?:bind|listen)\b.*(?:permission denied|EACCES)|EACCES.*:\d+$).*$",
    re.IGNORECASE | re.MULTILINE,
)
# A socket's bind in a traceback: its exception names no port.
_BIND = re.compile(r"\.bind\([^\n]*\n(?:.*\n)*?PermissionError: \[Errno 13\] Permission denied$")
_PORT = re.compile(r"(?:[:,] ?|port )(?P<port>\d{1,5})\b(?!\])")
_PRIVILEGED = 1024


def read_only(container: Container, text: str) -> Words | None:
    """A file on a file system that is read-only: ``path`` and ``remedy``."""
    match = _READ_ONLY.search(text)
    if match is None:
        return None
    path = _path_in(match[0])
    if path is None:
        return {"path": "a file", "remedy": "mount an `emptyDir` where it writes"}
    mount, volume = _mount_of(container, path)
    for kind in ("configMap", "secret", "projected", "downwardAPI"):
        if kind in volume:
            what = f"the volume at `{mount['mountPath']}` is a {kind}, which nobody can write to"
            return {"path": path, "remedy": f"let the app write elsewhere: {what}"}
    if mount.get("readOnly"):
        where = mount["mountPath"]
        return {"path": path, "remedy": f"take `readOnly` off the mount at `{where}`"}
    # Over a folder of the image it would hide what is in there, such as the app itself.
    remedy = "let the app write to a folder of its own, and mount an `emptyDir` or a claim there"
    return {"path": path, "remedy": remedy}


def denied(container: Container, text: str) -> Words | None:
    """A file its user may not use: ``path``, ``user`` and ``remedy``."""
    for match in _DENIED.finditer(text):
        path = _path_in(match[0])
        if path is None or _NOT_ALLOWED.match(match[0]):
            continue
        _, volume = _mount_of(container, path)
        words = {"path": path, "user": _user(container)}
        if "hostPath" in volume:
            return {**words, "remedy": "give the folder on the node to that user, or use a claim"}
        if volume:
            return {**words, "remedy": "set `fsGroup` in the pod's `securityContext`"}
        return {**words, "remedy": "give it to that user in the Dockerfile: `COPY --chown=...`"}
    return None


def port(container: Container, text: str) -> Words | None:
    """A port that is taken, or only for root: ``problem`` and ``remedy``."""
    taken = _TAKEN.search(text)
    if taken:
        number = _port_in(taken[0]) or _only_port(container.spec)
        others = [item["name"] for item in _neighbours(container) if number in declared_ports(item)]
        by = f": container `{others[0]}` of its pod listens there, too" if others else ""
        shared = "the node, as it has `hostNetwork`" if _on_host(container) else "its pod"
        return {
            "problem": f"{f'port {number}' if number else 'its port'} is already in use{by}",
            "remedy": f"it shares the ports of {shared}: take another one, or bind it only once",
        }
    refused = _NOT_ALLOWED.search(text) or _BIND.search(text)
    if refused is None:
        return None
    number = _port_in(refused[0])
    if number is not None and number >= _PRIVILEGED:
        return None
    return {
        "problem": f"only root may listen on {f'port {number}' if number else 'its port'}",
        "remedy": "let the app listen on a port from 1024 on, and the Service lead to that",
    }


def _path_in(line: str) -> str | None:
    for pattern in (_ERRNO_PATH, _QUOTED, _BARE):
        match = pattern.search(line)
        if match:
            return match["path"]
    return None


def _mount_of(container: Container, path: str) -> tuple[Object, Object]:
    """The mount a path is on and its volume, both empty where it is on none."""
    mounts: list[Object] = [
        mount
        for mount in container.spec.get("volumeMounts") or ()
        if f"{path}/".startswith(f"{mount['mountPath'].rstrip('/')}/")
    ]
    mount = max(mounts, key=lambda item: len(item["mountPath"]), default={})
    volumes = container.pod["spec"].get("volumes") or ()
    named = (item for item in volumes if item["name"] == mount.get("name"))
    return dict(mount), dict(next(named, {}))


def _user(container: Container) -> str:
    for holder in (container.spec, container.pod["spec"]):
        number = (holder.get("securityContext") or {}).get("runAsUser")
        if number is not None:
            return f"user {number}"
    return "its user"


def _port_in(line: str) -> int | None:
    found = [int(match["port"]) for match in _PORT.finditer(line)]
    return found[-1] if found else None


def _only_port(spec: Object) -> int | None:
    declared = declared_ports(spec)
    return declared[0] if len(declared) == 1 else None


def _on_host(container: Container) -> bool:
    return bool(container.pod["spec"].get("hostNetwork"))


def _neighbours(container: Container) -> list[Object]:
    return [item for item in container.pod["spec"]["containers"] if item["name"] != container.name]
