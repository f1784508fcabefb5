"""The reference backend's own tests, in its own environment, beside all others."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PYTHON = ROOT / "backend/.venv/bin/python"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="`make backend/.venv/ready`: UNTESTED without it"
)


def skipped(tests: Path) -> list[str]:
    """What a run of them, all of which pass, leaves out, and why."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", tests],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    return re.findall(r"^SKIPPED \[\d+\] (.+)", done.stdout, re.MULTILINE)


def test_they_pass() -> None:
    if untested := skipped(ROOT / "backend"):
        pytest.skip(f"UNTESTED, all others of them pass: {'; '.join(untested)}")


def test_what_they_skip_is_told(tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\ndef test_here(): pass\ndef test_there(): pytest.skip('no PostgreSQL')\n"
    )
    (told,) = skipped(file)
    assert told.endswith("no PostgreSQL")
