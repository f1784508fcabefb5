"""The upload: a tar that depends on the plan alone and that BuildKit takes for one."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from kubekit.errors import FilesError
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSettings


@pytest.fixture
def plan(tmp_path: Path) -> BuildPlan:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / ("long" * 40)).write_text("x" * 700)
    (tmp_path / "a-file").write_text("a")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o750)
    (tmp_path / "link").symlink_to("app")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    settings = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    return context.plan(settings, name="tasks")


def unpack(plan: BuildPlan) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(context.tar(plan)))) as archive:
        return {member.name: member for member in archive}


def test_holds_every_file_of_the_plan(plan: BuildPlan) -> None:
    assert set(unpack(plan)) == {file.path for file in plan.files}
    with tarfile.open(fileobj=io.BytesIO(b"".join(context.tar(plan)))) as archive:
        content = archive.extractfile(f"app/{'long' * 40}")
        assert content is not None
        assert content.read() == b"x" * 700


def test_keeps_permissions_and_drops_owners(plan: BuildPlan) -> None:
    members = unpack(plan)
    assert members["run.sh"].mode == 0o750
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "")}
    assert members["link"].issym()
    assert members["link"].linkname == "app"
    assert members["app"].isdir()


def test_its_first_kilobyte_is_a_tar_by_itself(plan: BuildPlan) -> None:
    # https://github.com/docker/docker-py/issues/2230: else BuildKit reads the tar as a Dockerfile.
    start = io.BytesIO(b"".join(context.tar(plan))[:1024])
    with tarfile.open(fileobj=start, mode="r|") as archive:
        first = archive.next()
    assert first is not None
    assert first.name == "Dockerfile"


def test_a_very_long_path_of_the_dockerfile_gets_a_short_name(tmp_path: Path) -> None:
    file = tmp_path / ("d" * 60) / ("e" * 60) / "Dockerfile"
    file.parent.mkdir(parents=True)
    file.write_text("FROM scratch\nCOPY . /\n")
    settings = BuildSettings(context=tmp_path, dockerfile=file)
    plan = context.plan(settings, name="tasks")
    assert plan.dockerfile == context.ALIAS
    assert next(iter(unpack(plan))) == context.ALIAS


def test_times_follow_from_the_content_and_never_precede_1980(plan: BuildPlan) -> None:
    before = unpack(plan)["a-file"].mtime
    (plan.settings.context / "a-file").write_text("b")
    after = unpack(context.plan(plan.settings, name="tasks"))["a-file"].mtime
    assert before != after
    assert min(before, after) > 315_532_800


@pytest.mark.parametrize("content", ["b", "longer", ""])
def test_a_file_that_changed_since_ends_the_upload(plan: BuildPlan, content: str) -> None:
    (plan.settings.context / "a-file").write_text(content)
    with pytest.raises(FilesError, match=r"`.*a-file` changed while it was sent") as caught:
        b"".join(context.tar(plan))
    assert caught.value.id == "context-changed"


@pytest.mark.parametrize("turned", [False, True])
def test_a_file_that_is_gone_since_has_changed(plan: BuildPlan, *, turned: bool) -> None:
    (plan.settings.context / "a-file").unlink()
    if turned:
        (plan.settings.context / "a-file").mkdir()
    with pytest.raises(FilesError, match=r"`.*a-file` changed while it was sent") as caught:
        b"".join(context.tar(plan))
    assert caught.value.id == "context-changed"
