"""The plan: which files, what digest, and what is told when something is missing."""

from __future__ import annotations

import errno
import os
import random
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubekit.errors import FilesError
from kubekit.image.files import context
from kubekit.image.files import hashes as filehashes
from kubekit.model import BuildPlan, BuildSettings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "backend"
    (root / "app").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . .\n")
    (root / "app/main.py").write_text("print(1)\n")
    return root


def of(root: Path) -> BuildSettings:
    return BuildSettings(context=root, dockerfile=root / "Dockerfile")


def plan(root: Path) -> BuildPlan:
    return context.plan(of(root), name="tasks")


def test_names_the_image_by_content(root: Path) -> None:
    made = plan(root)
    assert re.fullmatch("tasks:kk-[0-9a-f]{12}", made.reference({}))
    assert made.reference({"python:3.13": "sha256:1"}) != made.reference(
        {"python:3.13": "sha256:2"}
    )
    assert [file.path for file in made.files] == ["Dockerfile", "app", "app/main.py"]
    assert made.dockerfile == "Dockerfile"


def test_times_and_owners_do_not_count(root: Path) -> None:
    before = plan(root).digest
    os.utime(root / "app/main.py", (1, 1))
    assert plan(root).digest == before


def test_the_same_content_elsewhere_has_the_same_name(root: Path, tmp_path: Path) -> None:
    other = root.rename(tmp_path / "elsewhere")
    before = plan(other).digest
    other.rename(root)
    assert plan(root).digest == before


def _edit(root: Path) -> None:
    (root / "app/main.py").write_text("print(2)\n")


def _chmod(root: Path) -> None:
    (root / "app/main.py").chmod(0o755)


def _unreadable_for_others(root: Path) -> None:
    (root / "app/main.py").chmod(0o600)


def _add(root: Path) -> None:
    (root / "new").touch()


def _empty_folder(root: Path) -> None:
    (root / "data").mkdir()


def _rename(root: Path) -> None:
    (root / "app/main.py").rename(root / "app/main2.py")


def _link(root: Path) -> None:
    (root / "link").symlink_to("app")


def _dockerfile(root: Path) -> None:
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")


@pytest.mark.parametrize(
    "change",
    [_edit, _chmod, _unreadable_for_others, _add, _empty_folder, _rename, _link, _dockerfile],
)
def test_whatever_reaches_the_image_changes_its_name(root: Path, change: object) -> None:
    assert callable(change)
    before = plan(root).digest
    change(root)
    assert plan(root).digest != before


@pytest.mark.parametrize("other", [{"target": "builder"}, {"args": {"A": "1"}}])
def test_target_and_args_count(root: Path, other: dict[str, object]) -> None:
    changed = replace(of(root), **other)  # type: ignore[arg-type]
    assert context.plan(changed, name="tasks").digest != plan(root).digest


def test_a_file_that_is_excluded_does_not_count(root: Path) -> None:
    (root / ".dockerignore").write_text("*.log\n.dockerignore\n")
    before = plan(root).digest
    (root / "a.log").touch()
    assert plan(root).digest == before


def test_an_excluded_dockerfile_is_sent_all_the_same(root: Path) -> None:
    (root / ".dockerignore").write_text("*\n!app\n")
    assert [file.path for file in plan(root).files] == ["Dockerfile", "app", "app/main.py"]


def test_the_dockerfiles_own_ignore_file_wins(root: Path) -> None:
    (root / ".dockerignore").write_text("app\n")
    (root / "Dockerfile.dockerignore").write_text("*\n!app/main.py\n")
    assert [file.path for file in plan(root).files] == ["Dockerfile", "app", "app/main.py"]


def test_a_dockerfile_outside_the_context_is_sent_too(root: Path, tmp_path: Path) -> None:
    outside = (root / "Dockerfile").rename(tmp_path / "Dockerfile")
    made = context.plan(BuildSettings(context=root, dockerfile=outside), name="tasks")
    assert made.dockerfile == context.ALIAS
    assert made.files[0].source == outside


def test_links_are_sent_as_links_and_never_followed(root: Path) -> None:
    (root / "up").symlink_to("..")
    (root / "broken").symlink_to("nowhere")
    made = plan(root)
    assert made.hashes["up"] == "link:.."
    assert made.hashes["broken"] == "link:nowhere"
    assert not [file for file in made.files if file.path.startswith("up/")]


def test_pipes_and_sockets_are_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert {file.path for file in plan(root).files} == {"Dockerfile", "app", "app/main.py"}


def test_strange_names_are_files_like_any(root: Path) -> None:
    strange = os.fsdecode(b"\xff name\nwith all")
    (root / strange).write_text("x")
    made = plan(root)
    assert strange in made.hashes
    assert b"".join(context.tar(made))


def test_a_file_that_vanishes_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "gone").touch()
    walk = context.walk

    def and_delete(*args: object) -> object:
        files = walk(*args)  # type: ignore[arg-type]
        (root / "gone").unlink()
        return files

    monkeypatch.setattr(context, "walk", and_delete)
    made = plan(root)
    assert "gone" not in made.hashes
    assert set(made.hashes) == {file.path for file in made.files}


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


# Permissions alone would not do: the tests may run as root, who may read everything.
@pytest.mark.parametrize(
    ("owner", "method", "told"),
    [
        (Path, "open", "Dockerfile"),
        (filehashes, "open", ".py"),
        (os, "scandir", "backend"),
    ],
)
def test_an_unreadable_file_or_folder_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, owner: object, method: str, told: str
) -> None:
    monkeypatch.setattr(owner, method, _refuse, raising=False)
    with pytest.raises(FilesError, match="cannot be read: permission denied") as caught:
        plan(root)
    assert str(caught.value.place).endswith(told)
    assert "chmod u+r" in caught.value.hints[0]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ELOOP, errno.EACCES])
def test_a_file_system_that_fails_is_told_by_the_path(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def broken(folder: str) -> object:
        raise OSError(number, os.strerror(number), folder)

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(FilesError, match="cannot be read: ") as caught:
        plan(root)
    assert str(caught.value.place).endswith("backend")


def test_a_folder_that_goes_during_the_walk_was_never_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exceptions to a rule, a folder is only looked at for what is in it."""
    (root / "sub/deep").mkdir(parents=True)
    (root / "sub/deep/kept.md").touch()
    (root / ".dockerignore").write_text("sub\n!sub/deep/*.md\n")
    assert "sub/deep/kept.md" in plan(root).hashes
    lstat = os.lstat

    def gone(path: str) -> os.stat_result:
        if str(path).endswith("sub"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", gone)
    assert not [path for path in plan(root).hashes if path.startswith("sub")]


def test_a_pipe_in_place_of_a_dockerfile_is_not_waited_for(root: Path) -> None:
    (root / "Dockerfile").unlink()
    os.mkfifo(root / "Dockerfile")
    with pytest.raises(FilesError, match="is not a file") as caught:
        plan(root)
    assert caught.value.hints


def test_an_unreadable_folder_that_is_excluded_is_not_asked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "private").mkdir()
    (root / ".dockerignore").write_text("private\n!private/*.md\n")
    scandir = os.scandir

    def refuse_private(folder: str) -> object:
        return _refuse() if Path(folder).name == "private" else scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse_private)
    assert "private" not in plan(root).hashes


def test_no_dockerfile(root: Path) -> None:
    (root / "Dockerfile").unlink()
    with pytest.raises(FilesError, match=r"there is no Dockerfile at `.*Dockerfile`") as caught:
        plan(root)
    assert "build.dockerfile" in caught.value.hints[0]


def test_a_folder_instead_of_a_dockerfile(root: Path) -> None:
    (root / "Dockerfile").unlink()
    (root / "Dockerfile").mkdir()
    with pytest.raises(FilesError, match="is not a file"):
        plan(root)


def test_no_context(root: Path, tmp_path: Path) -> None:
    missing = BuildSettings(context=tmp_path / "missing", dockerfile=root / "Dockerfile")
    with pytest.raises(FilesError, match="does not exist") as caught:
        context.plan(missing, name="tasks")
    assert caught.value.id == "build-context-missing"
    assert "build.context" in caught.value.hints[0]


def test_a_file_instead_of_a_context(root: Path) -> None:
    wrong = BuildSettings(context=root / "app/main.py", dockerfile=root / "Dockerfile")
    with pytest.raises(FilesError, match="is not a folder"):
        context.plan(wrong, name="tasks")


contents = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.binary(max_size=20), min_size=1, max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(files=contents, seed=st.integers())
def test_the_order_files_were_made_in_does_not_count(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], seed: int
) -> None:
    digests = set()
    for shuffle in (False, True):
        root = tmp_path_factory.mktemp("context")
        (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        order = sorted(files)
        if shuffle:
            random.Random(seed).shuffle(order)
        for name in order:
            (root / name).write_bytes(files[name])
            os.utime(root / name, (seed % 1000, seed % 1000))
        made = plan(root)
        digests.add((made.digest, b"".join(context.tar(made))))
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
@pytest.mark.parametrize(
    ("data", "why", "line"),
    [
        (b"# one\na\0b\n", "holds a NUL byte", 2),
        ("# one\n".encode("utf-16"), "is UTF-16", 1),
        ("# one\n".encode("utf-16-le"), "holds a NUL byte", 1),
    ],
)
def test_what_is_no_text_is_refused_at_once(
    tmp_path: Path, name: str, data: bytes, why: str, line: int
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
    (tmp_path / name).write_bytes(data)
    settings = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    with pytest.raises(FilesError, match=why) as caught:
        context.plan(settings, name="tasks")
    assert (caught.value.id, str(caught.value.place)) == ("not-text", f"{tmp_path / name}:{line}")


@pytest.mark.parametrize(
    ("links", "copy", "link"),
    [
        ({"out": "../kubekit.yaml"}, "COPY out .", "out"),
        ({"shared": "../shared"}, "COPY shared/ ./", "shared"),
        ({"far": "/etc"}, "COPY far/hostname .", "far"),
        ({"near": "out", "out": "../kubekit.yaml"}, "COPY near .", "near"),
        ({"app/out": "../../kubekit.yaml"}, "RUN --mount=source=app/out,target=/x true", "app/out"),
        ({"in": "app/main.py"}, "COPY in .", None),
        # To the builder the context is all there is, and `..` leads nowhere from its top.
        ({"up": "../app/main.py"}, "COPY up .", None),
        ({"at": "/app/main.py"}, "COPY at .", None),
        ({"out": "../kubekit.yaml"}, "COPY . .", None),
        ({"out": "../kubekit.yaml"}, "COPY ou* .", None),
    ],
)
def test_a_link_that_leads_out_of_the_context(
    root: Path, links: dict[str, str], copy: str, link: str | None
) -> None:
    (root.parent / "kubekit.yaml").touch()
    (root.parent / "shared").mkdir()
    for name, target in links.items():
        (root / name).symlink_to(target)
    (root / "Dockerfile").write_text(f"FROM scratch\n{copy}\n")
    given = BuildSettings(context=root, dockerfile=root / "Dockerfile")
    if link is None:
        context.plan(given, name="tasks")
        return
    with pytest.raises(FilesError) as caught:
        context.plan(given, name="tasks")
    assert f"takes `{link}`, a link that leads to `{links[link]}`" in caught.value.message
    assert str(caught.value.place) == f"{root / 'Dockerfile'}:2"


def test_a_link_that_only_a_stage_not_built_takes_is_no_matter(root: Path, tmp_path: Path) -> None:
    (root / "out").symlink_to(tmp_path / "elsewhere")
    for built, refused in (("b", False), ("a", True)):
        text = f"ARG V={built}\nFROM x AS a\nCOPY out /\nFROM x AS b\nFROM ${{V}}\n"
        (root / "Dockerfile").write_text(text)
        settings = BuildSettings(context=root, dockerfile=root / "Dockerfile")
        if refused:
            with pytest.raises(FilesError, match="a link that leads to"):
                context.plan(settings, name="shop")
        else:
            context.plan(settings, name="shop")
