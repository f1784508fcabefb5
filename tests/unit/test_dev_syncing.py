"""Which touches the files side of the loop cares for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit.dev.syncing import Syncing
from kubekit.dev.voice import Voice
from kubekit.model import DevSettings, Settings, SyncRule


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("1")
    return tmp_path


def syncing(project: Path, dest: str = "/app/src") -> Syncing:
    rules = (SyncRule(src=project / "src", dest=dest),)
    settings = Settings(
        file=project / "kubekit.yaml",
        name="web",
        namespace="web",
        profile=None,
        dev=DevSettings(sync=rules),
    )
    kube: Any = None  # no container is there
    made = Syncing(kube, settings, Voice(lambda _event: None, project), lambda _brought: None)
    made.reread(settings)
    return made


@pytest.mark.parametrize("dest", ["/app/src", "/app/src/", "/app//src", "/app/./src"])
def test_what_was_there_matters_also_once_it_is_gone(project: Path, dest: str) -> None:
    files = syncing(project, dest)
    (project / "src/a.py").unlink()
    assert files.has(project / "src/a.py")
    assert not files.has(project / "src/4242.tmp")


def test_where_it_is_not_known_what_is_there_all_matters(project: Path) -> None:
    files = syncing(project)
    (project / "src/key.pem").symlink_to("key.pem")  # what cannot be read
    files._touched = None
    assert files.has(project / "src/key.pem")


def test_what_made_a_folder_a_virtual_environment_matters(project: Path) -> None:
    (project / "src/env").mkdir()
    (project / "src/env/pyvenv.cfg").write_text("")
    files = syncing(project)
    (project / "src/env/pyvenv.cfg").unlink()
    assert files.has(project / "src/env/pyvenv.cfg")
