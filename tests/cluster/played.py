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
    """Whether none of these has changed since that commit; not if it is gone, as after a rebase."""
    if since.endswith("+") or _asked("cat-file", "-e", f"{since}^{{commit}}").returncode != 0:
        return False
    return not _git("diff", "--name-only", since, "--", *paths)


def _git(*arguments: str) -> str:
    done = _asked(*arguments)
    done.check_returncode()
    return done.stdout.strip()


def _asked(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
