"""Where there is a browser to open."""

from __future__ import annotations

import pytest

from kubekit.browser import can_open


@pytest.mark.parametrize(
    ("environ", "platform", "can"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "/vscode/bin/helpers/browser.sh"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_a_browser_in_the_terminal_is_none(
    environ: dict[str, str], platform: str, can: bool
) -> None:
    assert can_open(environ, platform) is can
