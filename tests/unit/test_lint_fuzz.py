"""Whatever is in the files: `kubekit lint` finds something or nothing, and never fails."""

from __future__ import annotations

import contextlib
import copy
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.errors import KubekitError
from kubekit.image.files.dockerfile import INSTRUCTIONS
from kubekit.lint.files import loose
from kubekit.lint.fixing import fix
from kubekit.lint.look import Look
from kubekit.lint.source import Source
from tests.unit import lint_dockerfiles, lint_manifests

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 70000)
    | st.sampled_from(
        ["", "web", "Always", "RuntimeDefault", "http", "100%", "sqlite:///x", "a=b", "ALL", "8000"]
    )
)
ANY = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "http", "path", "port"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(
    [
        *("python:3.13-slim", "AS", "--from=a", "--platform=$X", "$", "${", "${A:-b}", "[", "]"),
        *('["a"]', '["sh", "-c", "x"]', "&&", "|", ";", "(", "'", '"', "\\", "<<EOF", "EOF", "#"),
        *(
            "apt-get",
            "install",
            "pip",
            "-y",
            "uv",
            "venv",
            "useradd",
            "99999",
            "A=b",
            "/",
            ".",
            "..",
            "",
        ),
        *("curl", "CMD", "8000/TCP", "-", "\t", "é", "=", ":"),
    ]
)
LINE = st.builds(
    lambda word, rest, end: f"{word} {' '.join(rest)}{end}",
    st.sampled_from([*INSTRUCTIONS, "from", "RUNN", "MAINTAINER", "", "#"]),
    st.lists(WORDS, max_size=5),
    st.sampled_from(["", " \\", "\r"]),
)
DOCKERFILES = st.lists(LINE, max_size=12).map("\n".join) | st.text(max_size=200)


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            found += paths(value, (*path, key))
    return found


OBJECTS = lint_manifests.objects()
PATHS = [path for path in paths(OBJECTS) if path]


@given(DOCKERFILES)
@settings(max_examples=200, deadline=None)
def test_any_dockerfile(text: str) -> None:
    source = Source.read(text, Path("/project/Dockerfile"), context=Path("/project"))
    lines = len(text.split("\n"))
    for one in Look(extra=True).dockerfile(source):
        assert one.place.line is not None
        assert 1 <= one.place.line <= lines


@given(st.lists(st.tuples(st.sampled_from(PATHS), ANY), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_shape_of_an_object(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    changed: Any = copy.deepcopy(OBJECTS)
    for path, value in changes:
        node = changed
        with contextlib.suppress(LookupError, TypeError):
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "all.yaml").write_text(yaml.safe_dump_all(changed))
        with contextlib.suppress(KubekitError):
            loose([Path(name)], Look(extra=True))


@given(st.text(max_size=200) | ANY.map(yaml.safe_dump))
@settings(max_examples=50, deadline=None)
def test_any_yaml(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "all.yaml"
        file.write_bytes(text.encode("utf-8", "replace"))
        for paths_ in ([file], [Path(name)]):
            with contextlib.suppress(KubekitError):
                loose(paths_, Look(extra=True))


@given(
    st.lists(st.sampled_from([bad for bad, _ in lint_dockerfiles.CASES.values()]), max_size=3),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=15, deadline=None)
def test_a_second_fix_finds_nothing_to_do(parts: list[str], end: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "Dockerfile"
        file.write_bytes("".join(parts).replace("\n", end).encode())
        first = fix(lambda: loose([file], Look(extra=True)))
        again = fix(lambda: loose([file], Look(extra=True)))
        assert (again.edits, again.diff) == (0, "")
        assert first.edits == 0 or first.diff
