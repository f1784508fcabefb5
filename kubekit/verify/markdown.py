"""Markdown in an image: what is about the source, and what the app may read. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from kubekit.verify.tree import Tree

_MARKDOWN = re.compile(r"\.(md|markdown)$", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?i)(?:README|CHANGE(?:LOG|S)|HISTORY|NEWS|CONTRIBUTING|CODE_OF_CONDUCT|SECURITY|CLAUDE|AGENTS"
    r"|TODO)\b.*"
)
"""What is about the source, for people and their tools; a licence belongs to what is handed on."""
_BUILDS = ("pyproject.toml", "setup.cfg", "setup.py")
_INSTALLED = re.compile(r"(?P<folder>.*)/[^/]+\.dist-info/[^/]+")


@dataclass(frozen=True, kw_only=True)
class Markdown:
    """The Markdown of the app's own folders, by its paths.

    Attributes:
        about: about the source, and of no use where the app runs.
        named: the project cannot be installed without it: a file for that names it.
        other: whatever the app may read.
    """

    about: tuple[str, ...]
    named: tuple[str, ...]
    other: tuple[str, ...]


def markdown(tree: Tree) -> Markdown:
    """Tell apart what Markdown there is; that of installed packages is theirs."""
    targets = {found["folder"] for path in tree.files if (found := _INSTALLED.fullmatch(path))}
    paths = [
        path
        for path, entry in sorted(tree.files.items())
        if entry.is_file
        and _MARKDOWN.search(path)
        and tree.is_app(path)
        and not any(path.startswith(f"{folder}/") for folder in targets)
    ]
    kinds: dict[str, list[str]] = {"about": [], "named": [], "other": []}
    read = {posixpath.dirname(path) for path in paths if not _is_about(path)}
    for path in paths:
        if posixpath.dirname(path) in read:
            kinds["other"].append(path)  # a README among prompts came along with them
        else:
            kinds["named" if _is_named(tree, path) else "about"].append(path)
    return Markdown(**{kind: tuple(found) for kind, found in kinds.items()})


def _is_about(path: str) -> bool:
    return _ABOUT.fullmatch(posixpath.basename(path)) is not None


def _is_named(tree: Tree, path: str) -> bool:
    """Whether what installs the project lies beside it, and reads it."""
    folder, name = posixpath.split(path)
    beside = (tree.files.get(posixpath.join(folder, one)) for one in _BUILDS)
    return any(one is not None and name.encode() in (one.content or b"") for one in beside)
