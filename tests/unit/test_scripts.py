"""Which commands hand a script to a shell, and which script."""

from __future__ import annotations

import pytest

from kubekit.text.scripts import shell_script


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "run"),
        ("/bin/zsh", "-lc", "run"),
        ("bash", "-ce", "run", "name"),
        ("ash", "-e", "-u", "-c", "run"),
        ("/bin/bash", "-o", "pipefail", "-c", "run"),
        ("bash", "--norc", "-euo", "pipefail", "-c", "run"),
    ],
)
def test_a_shell_with_a_script(command: tuple[str, ...]) -> None:
    assert shell_script(command) == "run"


@pytest.mark.parametrize(
    "command",
    [(), ("sh",), ("sh", "-c"), ("sh", "run.sh", "-c", "x"), ("python", "-c", "x"), ("sh", "+e")],
)
def test_any_other_command(command: tuple[str, ...]) -> None:
    assert shell_script(command) is None
