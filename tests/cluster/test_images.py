"""Which of kubekit's own images stay in the node, and that nobody else's is touched."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest

from kubekit.image import build, cleanup
from kubekit.image.changes import Memory
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.model import BuildSettings, Cancel
from tests.cluster.conftest import PROFILE, Project

pytestmark = pytest.mark.cluster

DOCKERFILE = "FROM python:3.13-slim\nCOPY mark /mark\n"


def nobody() -> frozenset[str]:
    """What objects need, where there are none."""
    return frozenset()


@dataclass(kw_only=True)
class Images:
    """A project of which only the images matter."""

    folder: Path
    store: DockerStore
    name: str
    api: docker.APIClient = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "Dockerfile").write_text(DOCKERFILE)
        self.api = self.store.engine._connected()

    def build(self, mark: str | None = None, *, label: str | None = None) -> str:
        """Build an image with this mark in it; its name."""
        (self.folder / "mark").write_text(mark or uuid.uuid4().hex)
        settings = BuildSettings(context=self.folder, dockerfile=self.folder / "Dockerfile")
        made = build.ensure(
            context.plan(settings, name=self.name),
            self.store,
            name=label or self.name,
            memory=Memory(self.folder.parent / f"{self.name}.json"),
            emit=lambda _: None,
            cancel=Cancel(),
        )
        return made.reference

    def tag(self, reference: str, other: str) -> None:
        name, _, tag = other.rpartition(":")
        self.api.tag(reference, name, tag)

    def there(self, *references: str) -> list[str]:
        """Those of them that are there."""
        found = self.store.image_ids(references)
        return [reference for reference in references if reference in found]

    def prune(self, needed: Callable[[], frozenset[str]] = nobody) -> cleanup.Cleaned:
        return cleanup.delete_old(self.store, self.name, needed)


@pytest.fixture(scope="module")
def store(engine: Engine) -> DockerStore:
    return DockerStore(engine)


@pytest.fixture
def images(store: DockerStore, tmp_path: Path) -> Iterator[Images]:
    name = f"disk-{uuid.uuid4().hex[:8]}"
    images = Images(folder=tmp_path / name, store=store, name=name)
    yield images
    cleanup.delete_all(store, name)
    assert store.images(name) == [], "a test has left an image of its own"


def test_the_three_named_last_stay(images: Images) -> None:
    made = [images.build(f"{images.name} {number}") for number in range(5)]
    listed = images.store.images(images.name)
    assert [one.names for one in listed] == [(name,) for name in reversed(made)]
    assert not any(one.used for one in listed)

    assert images.prune().count == 2
    assert images.there(*made) == made[2:]
    assert images.prune().count == 0

    # Built again it comes from the cache, with the time of its first build; and is the newest.
    assert images.build(f"{images.name} 0") == made[0]
    assert images.prune().count == 1
    assert images.there(*made) == [made[0], *made[3:]]


def test_what_lives_and_what_objects_name_stays(images: Images) -> None:
    used, needed, old, *new = (images.build() for _ in range(6))
    alone = images.api.create_host_config(network_mode="none")
    made = images.api.create_container(used, ["sleep", "60"], host_config=alone)["Id"]
    try:
        images.api.start(made)
        assert images.prune(lambda: frozenset({needed.rpartition(":")[2]})).count == 1
        assert images.there(used, needed, old, *new) == [used, needed, *new]
        images.api.kill(made)
        images.api.wait(made)
        # An ended container, of which Kubernetes keeps some, is no reason.
        assert images.prune(lambda: frozenset({needed.rpartition(":")[2]})).count == 1
        assert images.there(used, needed) == [needed]
    finally:
        images.api.remove_container(made, force=True)


def test_objects_are_asked_only_if_something_would_go(images: Images) -> None:
    def never() -> frozenset[str]:
        raise AssertionError

    for _ in range(3):
        images.build()
    assert images.prune(never).count == 0


def test_an_image_with_a_name_of_others_loses_only_kubekits(images: Images) -> None:
    theirs = f"{images.name}-mine:1.0"
    ours = images.build()
    images.tag(ours, theirs)
    for _ in range(3):
        images.build()
    try:
        assert images.prune().count == 1
        assert images.there(ours, theirs) == [theirs]
        # It is nobody's now but theirs.
        assert images.prune().count == 0
        assert cleanup.delete_all(images.store, images.name).count == 3
        assert images.there(theirs) == [theirs]
    finally:
        images.api.remove_image(theirs)


@pytest.mark.parametrize("tag", ["latest", "kk-1", "kk-0123456789ab-1", "kk-0123456789AB"])
def test_only_a_name_as_kubekit_gives_it_is_kubekits(images: Images, tag: str) -> None:
    theirs = f"{images.name}:{tag}"
    images.api.tag(images.build(), images.name, tag)
    try:
        cleanup.delete_all(images.store, images.name)
        assert images.there(theirs) == [theirs]
    finally:
        images.api.remove_image(theirs)


def test_two_projects_of_one_content_have_each_their_own(
    images: Images, store: DockerStore, tmp_path: Path
) -> None:
    other = Images(folder=tmp_path / "other", store=store, name=f"{images.name}x")
    try:
        ours, theirs = images.build("the same"), other.build("the same")
        assert cleanup.delete_all(store, images.name).count == 1
        assert images.there(ours, theirs) == [theirs]
    finally:
        cleanup.delete_all(store, other.name)


def test_one_image_under_the_names_of_two_projects_stays_for_the_other(images: Images) -> None:
    ours = images.build()
    theirs = f"{images.name}x:{ours.rpartition(':')[2]}"
    images.tag(ours, theirs)
    try:
        assert cleanup.delete_all(images.store, images.name).count == 1
        assert images.there(ours, theirs) == [theirs]
    finally:
        images.api.remove_image(theirs)


def test_what_has_no_name_stays(images: Images) -> None:
    """Somebody may have made it from one of ours, whose labels it inherits."""
    ours = images.build()
    container = images.api.create_container(ours, ["true"])["Id"]
    committed = images.api.commit(container)["Id"]
    images.api.remove_container(container)
    lost = images.store.image_ids([images.build()]).popitem()
    images.tag(ours, lost[0])
    try:
        nameless = {one.id for one in images.store.images(images.name) if not one.names}
        assert nameless == {committed, lost[1]}
        images.prune()
        assert cleanup.delete_all(images.store, images.name).count == 2
        assert images.there(committed, lost[1]) == [committed, lost[1]]
    finally:
        for id_ in (committed, lost[1]):
            images.api.remove_image(id_)


def test_a_run_deletes_what_no_revision_needs_and_a_rollback_still_works(
    project: Project, store: DockerStore, tmp_path: Path
) -> None:
    project.apply()
    project.edit("app/server.py", 'VERSION = "1"', 'VERSION = "2"')
    project.apply()
    (first, second) = (one["spec"] for one in replica_sets(project))
    seeds = Images(folder=tmp_path / "seeds", store=store, name=project.name)
    made = [seeds.build() for _ in range(4)]

    with cleanup.beside(PROFILE, project.name, emit=lambda _: None, cancel=Cancel()):
        project.edit("app/server.py", 'VERSION = "2"', 'VERSION = "3"')
        busy = project.apply()
        assert "deleted" not in rollout_text(busy), "another run was about to use them"
        stays = project.run("teardown", "--images", "-n", f"{project.name}-x")
        assert "stay: another run of kubekit is deploying it" in stays.err
        assert seeds.there(*made) == made

    project.edit("app/server.py", 'VERSION = "3"', 'VERSION = "4"')
    tidied = project.apply()
    assert "ready; 3 old images deleted" in rollout_text(tidied)
    assert tidied.of("warning") == []
    assert seeds.there(*made) == made[3:]
    assert seeds.there(image_of(first), image_of(second)) == [image_of(first), image_of(second)]

    project.kubectl("rollout", "undo", "deployment/web", "--to-revision=1")
    project.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    assert project.answer() == "hello 1"

    gone = project.run("teardown", "--images")
    assert gone.code == 0, gone.err
    assert "5 images deleted" in gone.err
    assert store.images(project.name) == []


def replica_sets(project: Project) -> list[dict]:  # type: ignore[type-arg]
    """Oldest first."""
    found = project.objects("replicasets")
    revision = "deployment.kubernetes.io/revision"
    return sorted(found, key=lambda one: int(one["metadata"]["annotations"][revision]))


def image_of(spec: dict) -> str:  # type: ignore[type-arg]
    return str(spec["template"]["spec"]["containers"][0]["image"])


def rollout_text(result: object) -> str:
    stages = result.of("stage-done")  # type: ignore[attr-defined]
    return next(str(stage["text"]) for stage in stages if stage["stage"] == "rollout")
