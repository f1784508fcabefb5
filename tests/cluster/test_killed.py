"""kubekit killed while it builds or applies: the daemon gives up, and the next run simply works.

(While it pulls: test_bases.py. While it waits: test_survival.py.)
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from kubekit.image.cleanup import alone, delete_all
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from tests.cluster.conftest import DOCKERFILE, PROFILE, Project, running
from tests.cluster.scenarios.running import Running, finished, start

pytestmark = pytest.mark.cluster


@pytest.fixture
def store(project: Project, engine: Engine) -> Iterator[DockerStore]:
    store = DockerStore(engine)
    yield store
    delete_all(store, project.name)


def killed(project: Project, when: str, *, after: float = 0) -> None:
    """A run that is killed once it has said this."""

    def kill(_project: Project, run: Running) -> None:
        run.until(when)
        time.sleep(after)
        run.process.kill()

    assert finished(project, start(project), kill).code == -9
    # The lock went with the process.
    with alone(PROFILE, project.name) as mine:
        assert mine


def test_killed_at_each_stage_and_then_it_simply_works(
    project: Project, store: DockerStore
) -> None:
    big = project.folder / "app/big"
    big.write_bytes(os.urandom(60_000_000))
    project.write("app/Dockerfile", f"{DOCKERFILE}COPY big /app/\n")
    killed(project, "building `", after=0.2)
    assert store.images(project.name) == []
    big.unlink()

    # The node is a container: what a build runs is seen from outside.
    mark = f"sleep {int(time.time()) + 20_000_000}"
    project.write("app/Dockerfile", f"{DOCKERFILE}RUN echo it runs; {mark}\n")
    killed(project, '"line": "it runs"')
    late = time.monotonic() + 90
    while running(mark):
        assert time.monotonic() < late, "the daemon goes on with what nobody waits for"
        time.sleep(0.1)
    assert store.images(project.name) == []

    project.write("app/Dockerfile", DOCKERFILE)
    killed(project, '"type": "object"')
    (image,) = store.images(project.name)

    result = project.apply()
    assert [one.id for one in store.images(project.name)] == [image.id]
    assert result.of("build-step") == [], "what was built whole is not built again"
    assert project.answer() == "hello 1"
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""
