"""What `kubekit init` writes, and this repository's own files, as `kubekit lint` sees them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from kubekit.config.load import load
from kubekit.init.plan import rendered
from kubekit.init.values import Dialect
from kubekit.lint.files import project
from kubekit.lint.look import Look
from tests.docs import ROOT
from tests.unit.backends import SHAPES

WITHOUT_SOURCE = {"copy-missing"}
"""Found because only what `init` writes is there, and no backend."""
OF_TASTE = {
    "container-image-no-digest": "kubekit names what it builds by its content",
    "priority-missing": "a Minikube has one project at a time",
    "pull-policy": "the image is in the node, and no registry could answer for it",
    "secret-as-variable": "twelve-factor apps read their environment",
    "single-replica": "SQLite has one writer, and a Minikube one node",
    "network-policy-missing": "Minikube's usual network heeds none",
    "ephemeral-storage-missing": "only the logs take any: the root filesystem is read-only",
}


def found(folder: Path, *, extra: bool) -> set[str]:
    settings = load(flags={}, environ={}, cwd=folder, active_profile=lambda: None, check=False)
    return {one.id for one in project(settings, Look(extra=extra)).findings}


@pytest.mark.parametrize("dialect", get_args(Dialect))
@pytest.mark.parametrize("shape", SHAPES)
def test_what_init_writes(shape: str, dialect: Dialect, tmp_path: Path) -> None:
    for name, text in rendered(SHAPES[shape], dialect=dialect).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert found(tmp_path, extra=False) == WITHOUT_SOURCE
    assert found(tmp_path, extra=True) <= {*WITHOUT_SOURCE, *OF_TASTE}


def test_this_repository() -> None:
    assert found(ROOT, extra=False) == set()
    assert found(ROOT, extra=True) <= set(OF_TASTE)
