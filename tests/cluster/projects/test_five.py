"""The five backends on the real Minikube: their own tests, and the loop from build to teardown.

One of them in `make test`, drawn by lot (`tests/drawn.py`); all five with `--rounds 3`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import furtherbases
from tests.cluster.conftest import Project
from tests.cluster.dev.harness import Dev, waited
from tests.cluster.projects.five import FIVE, Five, own_tests, removed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "five" in metafunc.fixturenames:
        metafunc.parametrize("five", FIVE, ids=[one.letter for one in FIVE], scope="module")


@pytest.fixture
def project(
    five: Five, cluster: dict[str, str], bases: frozenset[str], tmp_path: Path
) -> Iterator[Project]:
    has_base = furtherbases.BOOKWORM in bases
    with removed(five.copied(tmp_path, cluster, base_is_there=has_base)) as project:
        yield project


def test_its_own_tests_pass(five: Five) -> None:
    done = own_tests(five)
    assert done.returncode == 0, done.stdout + done.stderr


def test_from_build_to_teardown(five: Five, project: Project) -> None:
    project.apply()
    again = project.apply()
    assert again.of("ended")[0]["text"].startswith("nothing changed"), again.out

    path, words = five.probe
    run = Dev(project)
    try:
        run.calm()
        assert json.loads(run.get(path)) == {"status": words}
        edit_is_live(run, five)
        assert run.stop() == 0, run.told()
    finally:
        if run.process.poll() is None:
            run.kill()

    gone = project.run("teardown", "--images", "--data", "--yes", "-o", "json")
    assert gone.code == 0, gone.out
    assert project.kubectl("get", "namespace", project.name, check=False) == ""
    assert project.run("docker", "--", "images", "-q", project.name).out == ""


def edit_is_live(run: Dev, five: Five) -> None:
    """One save, seen in what the app says of itself, in the same pod."""

    def title() -> str:
        return str(json.loads(run.get("/openapi.json"))["info"]["title"])

    before = {pod["metadata"]["uid"] for pod in run.pods()}
    assert title() == five.name
    path = str(Path(five.backend) / five.main)
    run.edit(path, f'TITLE = "{five.name}"', 'TITLE = "edited while it ran"')
    run.until("synced")
    run.calm()
    waited(lambda: title() == "edited while it ran", "the edit to be live")
    assert {pod["metadata"]["uid"] for pod in run.pods()} == before
