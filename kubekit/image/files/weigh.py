"""What should not be in a build context, though it is: secrets, and what only makes it large.

Secrets are told on every run; what costs time only when a build happens and so takes that time.
"""

from __future__ import annotations

import bisect
import operator
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kubekit.errors import shown
from kubekit.events import Warned
from kubekit.image.files.context import ignore_path
from kubekit.model import BuildPlan, ContextFile

LARGE = 50_000_000
"""Bytes: a Python backend has a few million, and a daemon takes some 100 million in a second."""

_SHOWN = 3
_LARGEST = 5
_MOST = 0.75
_KEY_BYTES = 64 << 10
_SAMPLES = "example|sample|template|dist|defaults"
ENV = re.compile(rf"\.env(\.(?!({_SAMPLES})$).*)?|(?!({_SAMPLES})\.).+\.env")
"""Names of files that hold the secrets of an environment."""

SECRET = re.compile(
    r"id_(rsa|dsa|ecdsa|ed25519)|.*\.(p12|pfx)|[._]netrc|\.pypirc|\.pgpass|\.git-credentials"
    r"|kubeconfig|.*\.kubeconfig"
)
"""Names of files that prove who somebody is."""

_SECRET_PATH = re.compile(r"(.*/)?(\.aws/credentials|\.kube/config)")
_MAYBE_KEY = (".pem", ".key")
_SOUNDS_SECRET = re.compile(
    r"secret|credential|password|tokens?(?![a-z])|service.?account",  # a tokenizer is none
    re.IGNORECASE,
)
_FOLDERS = {
    ".git": "the history in {names} is sent to the build",
    "node_modules": "{names} is sent to the build",
    "__pycache__": "compiled Python in {names} is sent to the build: it makes another image "
    "without a change of yours",
}
_VENV = "the virtual environment {names} is sent to the build: its programs fit only this machine"
OF_VENV = "/pyvenv.cfg"
"""How the path of what every virtual environment has at its top ends."""

_TELLING = (*_FOLDERS, OF_VENV)
_AFTER_SLASH = chr(ord("/") + 1)
_path = operator.attrgetter("path")


def secrets(plan: BuildPlan, *, env_file: Path | None = None) -> list[Warned]:
    """Warn of files with secrets that an instruction may bring into the image.

    Args:
        plan: what would be built.
        env_file: the project's own, whatever it is called.
    """
    env, keys = [], []
    given = {str(secret.file): id_ for id_, secret in plan.settings.secrets.items() if secret.file}
    for file in _apart(plan.files, _clutter(plan.files)):
        if not stat.S_ISREG(file.mode):
            continue
        name = file.path.rpartition("/")[2]
        if ENV.fullmatch(name) or file.at == str(env_file):
            env.append(file.path)
        elif (
            SECRET.fullmatch(name)
            or _SECRET_PATH.fullmatch(file.path)
            or (name.endswith(_MAYBE_KEY) and _is_private_key(file))
        ):
            keys.append(file.path)
    said = {
        "{names} goes into the build, and by a `COPY` its secrets into the image": env,
        "what proves who you are goes into the build: {names}": keys,
    }
    warnings = [_warned(text, paths, paths, plan) for text, paths in said.items() if paths]
    return warnings + [_exposed(given[file.at], file) for file in plan.files if file.at in given]


def may_hold_secrets(path: str) -> bool:
    """Whether a file sounds like one with secrets in it, so that nobody is told to copy it."""
    name = path.rpartition("/")[2]
    return bool(
        ENV.fullmatch(name)
        or SECRET.fullmatch(name)
        or _SECRET_PATH.fullmatch(path)
        or _SOUNDS_SECRET.search(name)
        or name.endswith(_MAYBE_KEY)
    )


def bulk(plan: BuildPlan) -> list[Warned]:
    """Warn of what makes a build slow: folders that belong in no image, and a large context."""
    clutter = _clutter(plan.files)
    found: dict[str, list[str]] = {}
    for folder, text in clutter.items():
        found.setdefault(text, []).append(folder)
    warnings = []
    for text, folders in found.items():
        patterns = folders if text == _VENV else dict.fromkeys(_pattern(path) for path in folders)
        warnings.append(_warned(text, folders, patterns, plan))
    if plan.size > LARGE:
        largest = ", ".join(f"`{path}` {_size(size)}" for path, size in _largest(plan.files))
        count = sum(stat.S_ISREG(file.mode) for file in plan.files)
        text = f"the build context has {_size(plan.size)} in {count} files: {largest}"
        hint = f"add what the image does not need to `{ignore_path(plan.settings).name}`"
        warnings.append(Warned(text=text, hints=(hint,)))
    return warnings


def _exposed(id_: str, file: ContextFile) -> Warned:
    return Warned(
        text=f"the image gets the build secret `{id_}`: `{shown(file.source)}` is copied",
        hints=("exclude it in `.dockerignore`; `RUN --mount=type=secret` needs no copy",),
    )


def _clutter(files: Iterable[ContextFile]) -> dict[str, str]:
    """Folders that belong in no image, the outermost only, and what is to be said of them."""
    found: dict[str, str] = {}
    venvs: dict[str, str] = {}
    for file in files:
        path = file.path
        if not path.endswith(_TELLING):  # in one step, as there may be tens of thousands
            continue
        name = path.rpartition("/")[2]
        # A worktree has a file called `.git`.
        if name in _FOLDERS and (stat.S_ISDIR(file.mode) or name == ".git"):
            found[path] = _FOLDERS[name]
        elif path.endswith(OF_VENV):
            venvs[path.removesuffix(OF_VENV)] = _VENV
    found |= venvs
    return {path: text for path, text in found.items() if not _is_below(path, found)}


def _is_below(path: str, folders: Iterable[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts)))


def _apart(files: Sequence[ContextFile], folders: Iterable[str]) -> Iterator[ContextFile]:
    """Files outside of these folders, of which none is in another. Sorted by path, as they are."""
    start = 0
    for inside in sorted(f"{folder}/" for folder in folders):
        end = bisect.bisect_left(files, inside, lo=start, key=_path)
        yield from files[start:end]
        after = f"{inside[:-1]}{_AFTER_SLASH}"
        start = bisect.bisect_left(files, after, lo=end, key=_path)
    yield from files[start:]


def _is_private_key(file: ContextFile) -> bool:
    try:
        with file.source.open("rb") as stream:
            return b"PRIVATE KEY" in stream.read(_KEY_BYTES)
    except OSError:
        return False


def _pattern(path: str) -> str:
    name = path.rpartition("/")[2]
    return name if path == name and name != "__pycache__" else f"**/{name}"


def _warned(text: str, paths: list[str], patterns: Iterable[str], plan: BuildPlan) -> Warned:
    hint = f"add to `{ignore_path(plan.settings).name}`: {_listed(patterns)}"
    return Warned(text=text.format(names=_listed(paths)), hints=(hint,), details=tuple(paths))


def _listed(paths: Iterable[str]) -> str:
    names = [f"`{path}`" for path in paths]
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _largest(files: Iterable[ContextFile]) -> list[tuple[str, int]]:
    """The five largest files and folders; of a folder with little else, what makes it large."""
    sizes: dict[str, int] = {}
    below: dict[str, list[str]] = {"": []}
    for file in files:
        parent = file.path.rpartition("/")[0]
        below.setdefault(parent, []).append(file.path)
        parts = file.path.split("/") if file.size else ()
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            sizes[path] = sizes.get(path, 0) + file.size
    found = [_telling(path, sizes, below) for path in below[""] if path in sizes]
    return sorted(((path, sizes[path]) for path in found), key=lambda one: -one[1])[:_LARGEST]


def _telling(path: str, sizes: dict[str, int], below: dict[str, list[str]]) -> str:
    while path in below:
        largest = max(below[path], key=lambda one: sizes.get(one, 0))
        if sizes.get(largest, 0) < _MOST * sizes[path]:
            return path
        path = largest
    return path
