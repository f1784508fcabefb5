"""What several unit tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.model import Settings


@pytest.fixture
def web(tmp_path: Path) -> Settings:
    """A project called `web`, with a folder for its manifests."""
    (tmp_path / "manifests").mkdir()
    return Settings(
        file=tmp_path / "kubekit.yaml",
        name="web",
        namespace="web",
        profile=None,
        manifests=(tmp_path / "manifests",),
    )
