"""What the working tree holds, read as a whole and patched by what was touched."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubekit.dev.tree import Tree, is_noise, read
from kubekit.errors import FilesError
from kubekit.image.files import hashes
from kubekit.model import BuildSettings, SyncRule


def write(base: Path, path: str, content: str = "") -> None:
    file = base / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@pytest.mark.parametrize(
    ("path", "noise"),
    [
        ("a/__pycache__/x.txt", True),
        ("a.pyc", True),
        (".main.py.swp", True),
        ("4913", True),
        ("main.py~", True),
        (".#main.py", True),
        ("#main.py#", True),
        ("a/.git/config", True),
        ("a/.venv/lib/x.py", True),
        ("a.py___jb_tmp___", True),
        ("a.py", False),
        (".env.example", False),
        ("git/x", False),
        ("a/49130", False),
        ("x.gitignore", False),
        (".tox/py/x.py", True),
        (".nox/x", True),
        ("a/.idea/x.xml", True),
        (".vscode/launch.json", True),
        ("src/app.egg-info/PKG-INFO", True),
        (".coverage", True),
        (".coverage.host.1", True),
        ("htmlcov/index.html", True),
        (".coveragerc", False),
        (".env", False),  # a change of the project's own is applied
    ],
)
def test_what_is_never_synced(path: str, noise: bool) -> None:
    assert is_noise(path) is noise


def test_the_tree_follows_dockerignore_and_overlapping_rules(tmp_path: Path) -> None:
    context = tmp_path / "backend"
    for path in (
        "src/a.py",
        "src/b.log",
        "src/keep/c.log",
        "shared/d.py",
        "src/x/e.py",
        "other.py",
    ):
        write(context, path)
    write(context, ".dockerignore", "**/*.log\n!src/keep/c.log\n")
    (context / "src/here").symlink_to("a.py")
    os.mkfifo(context / "src/pipe")
    build = BuildSettings(context=context, dockerfile=context / "Dockerfile")
    rules = [
        SyncRule(src=context / "src", dest="/app/src/"),
        SyncRule(src=context / "shared", dest="/app/src/x"),
    ]
    tree = read(rules, build)
    assert list(tree.entries) == [
        "/app/src/a.py",
        "/app/src/here",
        "/app/src/keep",
        "/app/src/keep/c.log",
        "/app/src/x",
        "/app/src/x/d.py",
        "/app/src/x/e.py",
    ]
    assert tree.entries["/app/src/here"].content == "a.py"


def test_what_is_known_is_not_read_again_and_what_changed_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_FRESH", -(10**12))  # as if all were written long ago
    for name in ("a", "b"):
        write(tmp_path, name, "1")
    rules = [SyncRule(src=tmp_path, dest="/app")]
    before = read(rules, None)
    part = before.parts[rules[0]]
    kept = part.files["/app/a"].partition("file:")[0]
    told = part.files.patched((), {"/app/a": f"{kept}file:644:told"})
    write(tmp_path, "b", "22")
    after = read(rules, None, Tree({rules[0]: part._replace(files=told)}))
    assert after.entries["/app/a"].content == "told"
    assert after.entries["/app/b"] != before.entries["/app/b"]


def test_a_folder_to_sync_that_is_gone_is_no_empty_tree(tmp_path: Path) -> None:
    rules = [SyncRule(src=tmp_path / "src", dest="/app")]
    with pytest.raises(FilesError, match="does not exist"):
        read(rules, None)
    (tmp_path / "real").mkdir()
    write(tmp_path, "real/a")
    (tmp_path / "src").symlink_to("real")
    assert list(read(rules, None).entries) == ["/app/a"]


def test_secrets_and_virtual_environments_stay_here(tmp_path: Path) -> None:
    for path in (
        "a.py",
        ".env.example",
        ".env",
        "deep/.env.local",
        "deep/prod.env",
        "env/b.py",
        "venv/pyvenv.cfg",
        "venv/lib/x.py",
    ):
        write(tmp_path, path)
    rules = [SyncRule(src=tmp_path, dest="/app")]
    entries = ["/app/.env.example", "/app/a.py", "/app/deep", "/app/env", "/app/env/b.py"]
    tree = read(rules, None)
    assert list(tree.entries) == entries
    write(tmp_path, "venv/lib/y.py")
    assert list(read(rules, None, tree, [tmp_path / "venv/lib/y.py"]).entries) == entries
    (tmp_path / "venv/pyvenv.cfg").unlink()
    tree = read(rules, None, tree, [tmp_path / "venv/pyvenv.cfg"])
    assert "/app/venv/lib/y.py" in tree.entries
    write(tmp_path, "venv/pyvenv.cfg")
    assert list(read(rules, None, tree, [tmp_path / "venv/pyvenv.cfg"]).entries) == entries


@pytest.mark.parametrize("touched", ["link/src", "link", "link/src/new"])
def test_a_touched_folder_stands_for_all_below_it(tmp_path: Path, touched: str) -> None:
    write(tmp_path, "real/src/a.py")
    (tmp_path / "link").symlink_to("real")
    rules = [SyncRule(src=tmp_path / "link/src", dest="/app")]
    before = read(rules, None)
    write(tmp_path, "real/src/new/b.py")
    after = read(rules, None, before, [tmp_path / touched])
    assert "/app/new/b.py" in after.entries


def test_a_touched_rule_folder_that_is_a_link_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path, "real/a.py")
    (tmp_path / "src").symlink_to("real")
    rules = [SyncRule(src=tmp_path / "src", dest="/app")]
    before = read(rules, None)
    write(tmp_path, "real/b.py")
    assert "/app/b.py" in read(rules, None, before, [tmp_path / "src"]).entries


NAMES = st.sampled_from(["a", "b.py", "c.log", "d*", "__pycache__", "e[x]", "pyvenv.cfg", ".env"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "link", "folder", "delete", "move"]),
        st.lists(NAMES, min_size=1, max_size=3).map("/".join),
        st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    ),
    max_size=8,
)


def act(src: Path, what: str, path: str, other: str) -> list[Path]:
    """Do something to a tree, as far as it goes; what a watcher would tell of it."""
    at, to = src / path, src / other
    try:
        if what == "delete" and at.is_dir() and not at.is_symlink():
            shutil.rmtree(at)
        elif what == "delete":
            at.unlink()
        elif what == "move":
            at.rename(to)
        else:
            at.parent.mkdir(parents=True, exist_ok=True)
            if what == "folder":
                at.mkdir()
            elif what == "link":
                at.symlink_to(other)
            else:
                at.write_text(other)
    except OSError:
        return []
    return [at, to] if what == "move" else [at]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.lists(STEPS, min_size=1, max_size=3), st.booleans(), st.integers(-1, 2))
def test_a_tree_patched_by_what_was_touched_is_the_tree_as_it_is(
    first: list[tuple[str, str, str]],
    rounds: list[list[tuple[str, str, str]]],
    inside: bool,
    folder: int,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        context = Path(name, "backend")
        src = context / "app/src"
        src.mkdir(parents=True)
        write(context, ".dockerignore", "**/*.log\n!app/src/a/c.log\n")
        write(context, "app/src2/a")
        build = BuildSettings(context=context, dockerfile=context / "Dockerfile")
        rules = [SyncRule(src=src, dest="/app"), SyncRule(src=context / "app/src2", dest="/two")]
        for step in first:
            act(src, *step)
        tree = read(rules, build if inside else None)
        for steps in rounds:
            touched = [path for step in steps for path in act(src, *step)]
            if folder >= 0:  # what is told is a folder above
                touched = [[context, src, path.parent][folder] for path in touched]
            tree = read(rules, build if inside else None, tree, touched)
            whole = read(rules, build if inside else None)
            assert tree.entries == whole.entries
            assert [tree.sources[one] for one in whole.entries] == [
                whole.sources[one] for one in whole.entries
            ]
            assert list(tree.entries) == sorted(tree.entries)


def test_other_rules_of_dockerignore_are_followed_at_once(tmp_path: Path) -> None:
    write(tmp_path, "src/a.py")
    write(tmp_path, "src/b.py")
    build = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    rules = [SyncRule(src=tmp_path / "src", dest="/app")]
    before = read(rules, build)
    write(tmp_path, ".dockerignore", "src/b.py\n")
    after = read(rules, build, before, [tmp_path / ".dockerignore"])
    assert list(after.entries) == ["/app/a.py"]


def test_a_folder_that_a_link_leads_elsewhere_to_is_read_there(tmp_path: Path) -> None:
    write(tmp_path, "v1/a.py", "one")
    write(tmp_path, "v2/a.py", "two")
    (tmp_path / "src").symlink_to("v1")
    rules = [SyncRule(src=tmp_path / "src", dest="/app")]
    tree = read(rules, None)
    (tmp_path / "src").unlink()
    (tmp_path / "src").symlink_to("v2")
    for _ in range(2):
        tree = read(rules, None, tree, [tmp_path / "src"])
        assert tree.entries == read(rules, None).entries
        assert tree.sources["/app/a.py"].at == str(tmp_path / "v2/a.py")
        write(tmp_path, "v2/a.py", "three")
