"""`.dockerignore`: equal to what BuildKit's client does, case by case, and the few refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import FilesError
from kubekit.image.files import context, dockerignore

# Recorded from BuildKit's own client (`recorded` in the file says which), never from our code.
RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("dockerignore_cases.json").read_text()
)
# Docker refuses these only when some path makes it look at them; kubekit always does.
STRICTER = {"[z-a]", "[[:alpha:]]"}

names = st.sampled_from(["a", "b", "ab", "A", "a.b", ".x", "c.py", "[a]", "a b", "é"])
atoms = st.one_of(
    names, st.sampled_from(["*", "**", "?", "*.py", "a*", "[ab]", "[^a]", "**/a", "..", "\\[a]"])
)
globs = st.lists(atoms, min_size=1, max_size=3).map("/".join)
texts = st.lists(st.tuples(st.sampled_from(["", "!", "/"]), globs).map("".join), max_size=5).map(
    "\n".join
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in RECORDED["files"]:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (root / "empty").mkdir()
    return root


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def parse(text: str) -> dockerignore.Ignore:
    return dockerignore.parse(text, file=Path("/project/.dockerignore"))


def excludes(ignore: dockerignore.Ignore, path: str) -> bool:
    """Whether `path` is not sent, asked as the walk does: from the top."""
    state = None
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        state = ignore.matched("/".join(parts[:end]), state)
    return state is not None and state.excluded


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: repr(case["ignore"]))
def test_leaves_out_what_docker_leaves_out(case: dict[str, Any], tree: Path) -> None:
    if case.get("refused") or case["ignore"] in STRICTER:
        with pytest.raises(FilesError):
            parse(case["ignore"])
        return
    sent = {file.path for file in context.walk(tree, parse(case["ignore"]))}
    assert everything(tree) - sent == set(case["left_out"])


@given(text=texts)
def test_the_walk_prunes_nothing_that_is_sent(tree: Path, text: str) -> None:
    ignore = parse(text)
    sent = {path for path in everything(tree) if not excludes(ignore, path)}
    needed = {str(parent) for path in sent for parent in Path(path).parents} - {"."}
    assert {file.path for file in context.walk(tree, ignore)} == sent | needed


def test_a_bad_pattern_is_told_with_its_line() -> None:
    with pytest.raises(FilesError, match=r"the pattern `docs/\[` is malformed") as caught:
        parse("# docs\n\n  docs/[  \n")
    assert str(caught.value.place).endswith("/.dockerignore:3")
    assert caught.value.hints


@pytest.mark.parametrize(
    ("pattern", "path"), [("a|b*", "a|bc"), ("{a}*", "{a}"), ("a.b?", "a.bc"), ("a$*", "a$")]
)
def test_what_means_something_to_regular_expressions_only_is_plain(pattern: str, path: str) -> None:
    assert excludes(parse(pattern), path)
    assert not excludes(parse(pattern), "a")


def test_an_escape_without_meaning_is_refused() -> None:
    with pytest.raises(FilesError, match="has no meaning"):
        parse("\\pL*")


def test_an_empty_file_excludes_nothing() -> None:
    assert not excludes(parse(""), "anything/at/all")


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("", "a", None),
        ("# all\n*\n!src\n**/*.json\n", "src/a.json", 4),
        ("*\n!src\n**/*.json\n", "src/a.py", None),
        ("*\n**/*.json\n", "a.json", 1),  # the second changes nothing
        ("*\n!a.json\n\n**/a.*\n", "a.json", 4),
        ("data\n", "data/a/b.json", 1),
    ],
)
def test_the_line_that_leaves_a_file_out(text: str, path: str, line: int | None) -> None:
    rules = dockerignore.parse(text, file=Path(".dockerignore"))
    assert rules.line_against(path) == line


def test_rules_that_do_not_match_are_not_tried_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "".join(f"**/dir{number}/*.tmp\n" for number in range(100))
    rules = dockerignore.parse(f"{text}!a\na\n{text}", file=Path(".dockerignore"))
    tried: list[int] = []
    leaves_out = dockerignore.Ignore.leaves_out

    def counted(self: dockerignore.Ignore, path: str) -> bool:
        tried.append(len(self.rules))
        return leaves_out(self, path)

    monkeypatch.setattr(dockerignore.Ignore, "leaves_out", counted)
    assert rules.line_against("a/b") == 102
    assert tried == [1, 2]
