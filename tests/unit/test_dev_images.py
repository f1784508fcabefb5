"""Which images are known to hold all files by themselves: never one that may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubekit.dev.images import Images
from kubekit.dev.tree import Tree, read
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSettings, SyncRule

IMAGE = "x:kk-0123456789ab"
OTHER = "x:kk-ba9876543210"


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = (SyncRule(src=folder / "src", dest="/app/src"),)
        self.build = BuildSettings(context=folder, dockerfile=folder / "Dockerfile")
        for name, text in {
            "Dockerfile": "FROM x\nCOPY src /app/src\n",
            "src/app/main.py": "1\n",
            "src/run.sh": "#!/bin/sh\n",
            "src/.env": "SECRET=1\n",
            "src/__pycache__/main.pyc": "",
        }.items():
            self.write(name, text)
        (folder / "src/run.sh").chmod(0o755)
        (folder / "src/link").symlink_to("run.sh")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def plan(self) -> BuildPlan:
        return context.plan(self.build, name="x")

    def tree(self) -> Tree:
        return read(self.rules, self.build)

    def trusted(self) -> Images:
        """What is known once a container had just what its image was built from."""
        images = Images()
        images.built(IMAGE, self.plan(), self.rules, self.tree().entries)
        images.saw(IMAGE, self.tree().entries, exact=True)
        return images


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_an_image_is_trusted_once_a_container_of_it_had_all(project: Project) -> None:
    images = Images()
    entries = project.tree().entries
    images.built(IMAGE, project.plan(), project.rules, entries)
    assert not images.holds(IMAGE, entries)
    images.saw(OTHER, entries, exact=True)
    assert not images.holds(IMAGE, entries)
    images.saw(IMAGE, entries, exact=True)
    assert images.holds(IMAGE, project.tree().entries)
    assert not images.holds(OTHER, entries)
    assert "/app/src/app/main.py" in images.paths(IMAGE)


def test_the_next_one_is_trusted_by_the_same_recipe_only(project: Project) -> None:
    images = project.trusted()
    project.write("src/app/main.py", "2\n")
    assert not images.holds(IMAGE, project.tree().entries)
    images.built(OTHER, project.plan(), project.rules, project.tree().entries)
    assert images.holds(OTHER, project.tree().entries)
    assert not images.holds(IMAGE, project.tree().entries)
    project.write("Dockerfile", "FROM x\nCOPY src /app/src\nRUN touch /app/src/made\n")
    images.built(IMAGE, project.plan(), project.rules, project.tree().entries)
    assert not images.holds(IMAGE, project.tree().entries)


def test_what_was_saved_while_it_was_built_is_not_in_it(project: Project) -> None:
    images = project.trusted()
    plan = project.plan()
    project.write("src/app/other.py", "")
    images.built(OTHER, plan, project.rules, project.tree().entries)
    assert not images.holds(OTHER, project.tree().entries)


def test_a_mode_and_where_a_link_leads_count(project: Project) -> None:
    script, link = project.folder / "src/run.sh", project.folder / "src/link"
    changes: list[Callable[[], None]] = [
        lambda: script.chmod(0o644),
        link.unlink,
        lambda: link.symlink_to("elsewhere"),
    ]
    for change in changes:
        images = project.trusted()
        plan = project.plan()
        change()
        images.built(OTHER, plan, project.rules, project.tree().entries)
        assert not images.holds(OTHER, project.tree().entries)


@pytest.mark.parametrize("copied", ["COPY src/app /app/src/app", "COPY other /app/src"])
def test_a_part_of_the_files_is_not_all(project: Project, copied: str) -> None:
    project.write("other/a", "")
    project.write("Dockerfile", f"FROM x\n{copied}\n")
    assert not project.trusted().holds(IMAGE, project.tree().entries)


def test_by_other_rules_nothing_is_known(project: Project) -> None:
    images = project.trusted()
    images.forget()
    assert not images.holds(IMAGE, project.tree().entries)
    project.rules = (SyncRule(src=project.folder / "src", dest="/elsewhere"),)
    images.built(OTHER, project.plan(), project.rules, project.tree().entries)
    assert not images.holds(OTHER, project.tree().entries)


def test_what_lies_out_of_the_context_is_never_known(project: Project, tmp_path: Path) -> None:
    project.build = BuildSettings(
        context=tmp_path / "src/app", dockerfile=tmp_path / "src/app/Dockerfile"
    )
    project.write("src/app/Dockerfile", "FROM x\nCOPY . /app/src/app\n")
    assert not project.trusted().holds(IMAGE, project.tree().entries)


def test_of_a_long_day_only_the_latest_images_are_known(project: Project) -> None:
    images, plan, entries = Images(), project.plan(), project.tree().entries
    images.built(OTHER, plan, project.rules, entries)
    for number in range(30):
        images.built(f"x:{number}", plan, project.rules, entries)
        images.built(IMAGE, plan, project.rules, entries)
    assert not images.paths(OTHER)
    assert not images.paths("x:0")
    assert images.paths("x:29") == images.paths(IMAGE) != ()
