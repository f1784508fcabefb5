"""Which files count: those an instruction can take, and all where that is not certain."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.image.files import context, dockerfile, dockerignore, sources
from kubekit.image.files.sources import ALL, Sources
from kubekit.image.files.walk import walk
from kubekit.model import BuildPlan, BuildSettings

EVERYTHING = {"/"}


def named(text: str, target: str | None = None, **args: str) -> set[str]:
    found = sources.of(dockerfile.parse(text), text, target=target, args=args)
    return {"/".join(path) or "/" for path in found.paths}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY a /x", {"a"}),
        ("copy a /x", {"a"}),
        ("COPY\ta\t/x", {"a"}),
        ("COPY a b c/ /x", {"a", "b", "c"}),
        ("COPY ./a/../b//c /x", {"b/c"}),
        ("COPY /a ../b /x", {"a", "b"}),
        ("COPY --chown=1:1 --chmod=$MODE --link a /x", {"a"}),
        ("COPY --exclude=*.md a /x", {"a"}),
        ('COPY ["a", "b c", "/x"]', {"a", "b c"}),
        ("COPY requirements*.txt pyproject.tom? /x", {"requirements*.txt", "pyproject.tom?"}),
        ("COPY src/*/a.py /x", {"src/*/a.py"}),
        ("COPY src/[ab]/c src/x /x", {"src", "src/x"}),
        ("COPY src/**/c /x", {"src"}),
        ("COPY --from=other a /x", set()),
        ("COPY --from= a /x", {"a"}),
        ("COPY --from=$X a /x", set()),
        ("COPY a \\\n  b \\\n# why\n\n  /x", {"a", "b"}),
        ("COPY a\\\n  b /x", {"a", "b"}),
        ("ADD a /x", {"a"}),
        ("ADD https://example.org/a.tar b /x", {"b"}),
        ("ADD --checksum=sha256:0 --keep-git-dir http://example.org/a /x", set()),
        ("RUN make", set()),
        ("RUN --mount=type=cache,target=/$A,id=$B --mount=type=secret,id=x make", set()),
        ("RUN --mount=type=bind,source=a,target=/a make", {"a"}),
        ("RUN --mount=src=a/b,target=/a make", {"a/b"}),
        ("RUN --mount=type=bind,from=b,source=a,target=/a make", set()),
        ('RUN --mount="type=bind,source=a,target=/a" make', {"a"}),
        ("RUN <<EOF\nset -e\nmake\nEOF\nCOPY a /x", {"a"}),
        ("RUN echo $((1<<a))\nCOPY a /x\na", {"a"}),
        ("RUN cat <<a\nCOPY b /x", {"b"}),
        ('ENV A=1\nWORKDIR /x\nUSER 1\nCMD ["COPY"]', set()),
    ],
)
def test_only_what_is_named(line: str, expected: set[str]) -> None:
    assert named(f"FROM a\n{line}\n") == expected


@pytest.mark.parametrize(
    "line",
    [
        "COPY . /x",
        "COPY ./ /x",
        "COPY / /x",
        "COPY .. /x",
        "COPY a/.. /x",
        "COPY [ab] /x",
        "COPY ** /x",
        "COPY $A /x",
        "COPY ${A:-b} /x",
        'COPY "a b" /x',
        "COPY a\\ b /x",
        "COPY 'a' /x",
        'COPY ["a\\u0062", "/x"]',
        'COPY ["a", "/x"',
        'COPY ["a", 1]',
        'COPY ["a"]',
        "COPY a",
        "COPY",
        "COPY a\u00a0b /x",
        "COPY a\ufffd /x",
        "COPY --parents a/b /x",
        "COPY --unknown a /x",
        "COPY --unknown a",
        "COPY <<'EOF' /x\nhello\nEOF",
        "RUN <<EOF\nCOPY a /x\nEOF",
        "RUN <<EOF\nFROM b\nEOF\nCOPY a /x",
        "ADD . /x",
        "ADD --parents a /x",
        "ONBUILD COPY a /x",
        "RUN --mount=type=bind,target=/x make",
        "RUN --mount=target=/x make",
        "RUN --mount=source=.,target=/x make",
        "RUN --mount=source=a*,target=/x make",
        "RUN --mount=source=$A,target=/x make",
        "RUN --mount=type=$A,source=a,target=/x make",
        "RUN --mount=from=$A,source=a,target=/x make",
        'RUN --mount=type=cache,"target=/a,type=bind" make',
        "RUN --mount=type=new,target=/x make",
        "RUN echo a\\\\\nCOPY b /x",
        "# escape=`\nCOPY a /x",
    ],
)
def test_everything_where_it_is_not_certain(line: str) -> None:
    assert named(f"FROM a\n{line}\n") == EVERYTHING


@pytest.mark.parametrize(
    "text",
    [
        "# escape=`\nFROM a\nCOPY a `\n b",
        "# syntax=example.org/mine\nFROM a\nCOPY a /x",
        "// syntax=mine\nFROM a\nCOPY a /x",
        "#!/usr/bin/env mine\nFROM a\nCOPY a /x",
        "",
        "COPY a /x",
    ],
)
def test_everything_for_another_syntax_or_none(text: str) -> None:
    assert named(text) == EVERYTHING


@pytest.mark.parametrize("syntax", ["docker/dockerfile:1", "docker.io/docker/dockerfile:1.7-labs"])
def test_dockers_own_syntaxes_are_known(syntax: str) -> None:
    assert named(f"# syntax={syntax}\nFROM a\nCOPY a /x") == {"a"}
    assert named("FROM a\nCOPY a /x", BUILDKIT_SYNTAX="mine") == EVERYTHING


STAGES = """\
FROM a AS base
COPY base /x
FROM base AS builder
COPY builder /x
FROM base AS tests
COPY tests /x
FROM a AS tools
COPY tools /x
FROM base
COPY --from=BUILDER /x /x
RUN --mount=from=3,target=/t true
COPY app /x
"""


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, {"base", "builder", "tools", "app"}),
        ("tests", {"base", "tests"}),
        ("3", {"tools"}),
        ("nowhere", EVERYTHING),
    ],
)
def test_only_of_the_stages_that_are_needed(target: str | None, expected: set[str]) -> None:
    assert named(STAGES, target) == expected


@pytest.mark.parametrize(
    "last",
    [
        "FROM $A",
        "FROM x-${TARGETARCH}",
        'FROM "one"',
        "FROM b\nCOPY --from=$A /x /x",
        "FROM b\nRUN --mount=from=$A,type=cache,target=/x true",
    ],
)
def test_a_variable_may_name_any_stage_before(last: str) -> None:
    assert named(f"FROM a AS one\nCOPY a /x\nFROM a AS two\nCOPY b /x\n{last}") == {"a", "b"}


def of(root: Path, lines: str, **kwargs: bool) -> BuildPlan:
    (root / "Dockerfile").write_text(f"FROM scratch\n{lines}\n")
    settings = BuildSettings(context=root, dockerfile=root / "Dockerfile")
    return context.plan(settings, name="tasks", **kwargs)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("app/core/db.py", "app/main.py", "docs/a.md", "requirements.txt", "node/x/i.js"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def paths(plan: BuildPlan) -> list[str]:
    return [file.path for file in plan.files]


def test_what_no_instruction_takes_changes_nothing(root: Path) -> None:
    before = of(root, "COPY requirements*.txt /x\nCOPY app/core /x")
    assert paths(before) == ["Dockerfile", "app", "app/core", "app/core/db.py", "requirements.txt"]
    assert not before.whole
    (root / "docs/a.md").write_text("edited")
    (root / "kubekit.yaml").touch()
    assert of(root, "COPY requirements*.txt /x\nCOPY app/core /x").digest == before.digest
    (root / "requirements-dev.txt").touch()
    assert of(root, "COPY requirements*.txt /x\nCOPY app/core /x").digest != before.digest


def test_folders_that_nothing_names_are_not_looked_into(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    scandir = os.scandir

    def count(folder: str) -> object:
        asked.append(os.path.relpath(folder, root))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", count)
    of(root, "COPY app/main.py /x\nCOPY docs/*.md /x")
    assert sorted(asked) == [".", "app", "docs"]


def test_a_dockerfile_that_is_copied_belongs_to_the_context(root: Path) -> None:
    assert not of(root, "COPY Dockerfile /x").apart
    assert of(root, "COPY app /x").apart


def test_an_excluded_source_stays_excluded(root: Path) -> None:
    (root / ".dockerignore").write_text("app\n!app/core\n")
    assert paths(of(root, "COPY app /x"))[1:] == ["app", "app/core", "app/core/db.py"]
    assert paths(of(root, "COPY app/main.py /x")) == ["Dockerfile"]


@pytest.mark.parametrize(
    "lines", ["COPY link /x", "COPY link/core /x", "COPY l* /x", "RUN --mount=source=link true"]
)
def test_a_link_that_is_named_takes_everything(root: Path, lines: str) -> None:
    (root / "link").symlink_to("app")
    assert "node/x/i.js" in paths(of(root, lines))


def test_links_below_what_is_named_are_copied_as_links(root: Path) -> None:
    (root / "app/link").symlink_to("../node")
    assert "node" not in paths(of(root, "COPY app /x"))


def test_all_of_it_can_be_asked_for(root: Path) -> None:
    some = of(root, "COPY app /x")
    whole = of(root, "COPY app /x", whole=True)
    assert whole.whole
    assert "node/x/i.js" in paths(whole)
    everything = context.everything(some)
    assert (everything.digest, everything.files) == (some.digest, whole.files)
    assert context.everything(whole) is whole
    (root / "app/main.py").write_text("edited since")
    with pytest.raises(context.FilesError, match="changed while it was sent"):
        context.everything(some)


def test_a_dockerfile_that_is_saved_meanwhile_is_not_sent(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = context.walk

    def and_save(*args: object) -> object:
        found = walk(*args)  # type: ignore[arg-type]
        (root / "Dockerfile").write_text("FROM scratch\nCOPY doc /x\n")
        return found

    unedited = of(root, "COPY app /x")
    monkeypatch.setattr(context, "walk", and_save)
    made = of(root, "COPY app /x")
    assert (made.digest, paths(made)) == (unedited.digest, paths(unedited))
    with pytest.raises(context.FilesError, match=r"Dockerfile` changed while it was sent"):
        b"".join(context.tar(made))


parts = st.sampled_from(["a", "b", "ab", "*", "a*", "?", "*b"])
named_paths = st.lists(st.lists(parts, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
TREE = [f"{x}/{y}/{z}" for x in ("a", "b", "ab") for y in ("a", "ab") for z in ("a", "b")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def _takes(path: str, source: tuple[str, ...]) -> bool:
    found = path.split("/")
    return len(found) >= len(source) and all(map(fnmatch.fnmatchcase, found, source))


@given(named_paths=named_paths)
def test_the_walk_finds_what_is_named_and_nothing_else(
    tree: Path, named_paths: tuple[tuple[str, ...], ...]
) -> None:
    everything = {file.path for file in walk(tree, dockerignore.Ignore(), ALL)}
    wanted = {path for path in everything if any(_takes(path, one) for one in named_paths)}
    parents = {str(parent) for path in wanted for parent in Path(path).parents} - {"."}
    found = walk(tree, dockerignore.Ignore(), Sources(named_paths))
    assert {file.path for file in found} == wanted | parents
