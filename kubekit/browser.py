"""The person's web browser: opened beside the terminal, never in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from kubekit import proc


def can_open(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether there is a browser with windows; without one Python would start one in the terminal.

    ``BROWSER`` is also how editors lead from another machine to the browser of this one.
    """
    if platform == "darwin":
        return True
    return any(environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def open_url(url: str) -> None:
    """Ask the system for a browser with this page; whatever it prints is not seen.

    Raises:
        MissingError: Python cannot be run.
    """
    proc.let_go([sys.executable, "-m", "webbrowser", "-t", url])
