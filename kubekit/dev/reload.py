"""Settings that are read anew while `dev` runs: when, and what of them it can follow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from kubekit.errors import UsageError
from kubekit.model import Settings

_FIXED = ("name", "namespace", "profile", "context")
"""Settings that the whole run stands on."""


def asks_settings(paths: Iterable[Path], settings: Settings) -> tuple[Path, ...]:
    """Those of these touched files after which other settings may hold.

    They are kubekit.yaml, and an environment's file that has come or gone.
    """
    env = env_path(settings)
    was_there = settings.env_file is not None
    return tuple(
        path
        for path in paths
        if path == settings.file or (path == env and path.exists() != was_there)
    )


def env_path(settings: Settings) -> Path:
    """Where the environment's file is, or would be found if it were there."""
    return settings.env_file or settings.root / ".env"


def is_half_written(file: Path) -> bool:
    """Whether kubekit.yaml was only emptied, by whom its text is to come any moment."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return not file.read_text("utf-8").strip()
    return False


def check_fixed(before: Settings, now: Settings) -> None:
    """Refuse settings that this run cannot follow.

    Raises:
        UsageError: names the first of them.
    """
    for key in _FIXED:
        old, new = getattr(before, key), getattr(now, key)
        if old != new:
            raise UsageError(
                f"`{key}` is now `{new}`, and this run goes on with `{old}`",
                hints=("to use it, end `kubekit dev` and start it again",),
                id="restart-needed",
            )
