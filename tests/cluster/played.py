"""Whether what was played once tells of the code as it is now."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from tests.conftest import ROOT


def commit(paths: Iterable[str]) -> str:
    """The commit that is played; with a `+` if one of these paths is changed."""
    head = _git("rev-parse", "--short", "HEAD")
    return f"{head}+" if _git("status", "--porcelain", *paths) else head


def is_the_same(since: str, paths: Iterable[str]) -> bool:
    """Whether none of these has changed since that commit."""
    return not since.endswith("+") and not _git("diff", "--name-only", since, "--", *paths)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
