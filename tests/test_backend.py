"""The reference backend's own tests, in its own environment, beside all others."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.conftest import ROOT

PYTHON = ROOT / "backend/.venv/bin/python"


@pytest.mark.skipif(not PYTHON.exists(), reason="`make backend/.venv/ready`: UNTESTED without it")
def test_they_pass() -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "backend"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
