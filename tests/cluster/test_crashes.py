"""A crash of the project's own code is told at the line of it, by whoever tells it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.conftest import Project
from tests.conftest import until

pytestmark = pytest.mark.cluster

SERVER = "app/server.py"
CRASH = 'raise RuntimeError("never")'


def test_a_crash_is_told_at_its_line_as_long_as_that_is_what_runs(
    new_project: Callable[[], Project],
) -> None:
    project = new_project()
    project.edit(SERVER, 'VERSION = "1"\n', f'VERSION = "1"\n{CRASH}\n')
    lines = (project.folder / SERVER).read_text().splitlines()
    place = f"{SERVER}:{lines.index(CRASH) + 1}"
    failed = project.fail()
    assert (failed["id"], failed["place"]) == ("crash-loop", place)
    (found,) = _of_the_app(project)
    assert found["place"] == place
    project.edit(SERVER, 'VERSION = "1"\n', 'VERSION = "2"\n')
    (found,) = _of_the_app(project)
    assert found["id"] == "crash-loop"
    assert found["place"].startswith("manifests/app.yaml.j2:")


def test_a_file_that_the_image_was_not_given_is_told_and_then_it_is_there(
    new_project: Callable[[], Project],
) -> None:
    project = new_project()
    project.write("app/data/limits.json", "{}")
    project.write("app/.dockerignore", "**/*.md\n**/*.json\n")
    project.edit("app/Dockerfile", "COPY server.py /app/server.py", "WORKDIR /app\nCOPY . .")
    project.edit(SERVER, "import sys\n", 'import sys\n\nopen("data/limits.json").close()\n')
    failed = project.fail()
    assert failed["place"] == "app/.dockerignore:2"
    assert "`app/data/limits.json` is in your project but not in the image" in failed["message"]
    # While it is tried once more it only waits: that try may be the one that succeeds.
    found = until(lambda: _told_so(project, failed["message"]))
    assert found["place"] == failed["place"]
    (hint,) = failed["hints"]
    assert hint == found["fix"] == "add `!data/limits.json` at the end of `app/.dockerignore`"
    project.write("app/.dockerignore", "**/*.md\n**/*.json\n!data/limits.json\n")
    project.apply()


def _told_so(project: Project, text: str) -> dict[str, str] | None:
    """What `why` says of the Deployment, if it is this."""
    (found,) = _of_the_app(project)
    return found if found["text"] == text else None


def _of_the_app(project: Project) -> list[dict[str, str]]:
    """What `why` says of the Deployment."""
    return project.run("why", "deploy/web", "-o", "json").of("diagnosis")
