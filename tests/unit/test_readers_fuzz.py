"""The readers of the user's files, on whatever may stand in them: no traceback, no hang, a place.

Three hundred inputs for each reader; with `--rounds 3`, as in `make soak`, ten thousand. Half of
them are put together from what means something in the format, half are files of this repository,
damaged. What may take for ever has a test of its own: inputs that grow with what they repeat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from kubekit.config import project
from kubekit.errors import KubekitError, UsageError
from kubekit.image.files import context, demands, dockerfile, sources
from kubekit.image.files.located import locate
from kubekit.model import BuildSettings
from kubekit.text import envfile, strictyaml
from kubekit.text.read import read_text
from tests.conftest import ROOT

SAMPLE, WHOLE = 300, 10_000
SEED = 8
PLACE = re.compile(r":(\d+)(?::\d+)?: ")

# What other formats, and other systems, have at the ends of lines and before the first one.
ANYWHERE = (
    *(
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "  ",
        "\t",
        "#",
        "# c",
        "x",
        "1",
        "é",
        "日本",
        "😀",
        "'",
    ),
    *('"', "\\", "=", ":", "$", "\0", "\x1b", "\x85", "\u2028", "\ufeff", "\ud800", "\udc80", ""),
)
ENV = (
    *("A=", "B = ", "export A=", "export", "A", "=", "1A=", "A='", "'\n", 'B="', '"\n', '\\"'),
    *("\\n", "${A}", "$A", " #", "A=x\n", "x=y=z", "key", "-----BEGIN\n"),
)
YAML = (
    *("a: ", "b:", "- ", "? ", "&a ", "*a", "*b", "<<: ", "<<: *a", "[", "]", "{", "}", ",", "|\n"),
    *(">-\n", "|2\n", "\n  ", "\n    ", "!!int ", "!!x ", "!x ", "!<", "%YAML 1.1\n", "%TAG ! x\n"),
    *("---\n", "...\n", "0x1F", "1e999", ".inf", "-.INF", "null", "~", "yes", "0o17", "1_0", "@"),
    *("`", "name: x\n", "build: ", "context: .", "dev: {port: ", "sync:\n", "timeout: 5s\n"),
)
DOCKERFILE = (
    *("FROM a", "FROM a AS b", "from $x", "FROM ${x:-y}", "FROM --platform=$BUILDPLATFORM a"),
    *("ARG x=1", "ARG x=$x$x", "RUN a", "RUN --mount=type=cache,target=/x ", "RUN --mount=", " \\"),
    *(" \\\n", "RUN <<EOF\n", "EOF\n", "<<-'E F'", "COPY --from=b a b", 'COPY ["a", ', "COPY a b"),
    *("# syntax=x\n", "# escape=`\n", "# escape=", "`\n", "ONBUILD ", 'CMD ["', "ADD --x y", "${"),
    *("}", "${x", "HEALTHCHECK ", "--", "STOPSIGNAL", "USER 1", "=", '"', "'", "/"),
)
IGNORE = (
    *("*", "**", "**/", "/", "?", "[", "]", "[a-z]", "[^a]", "[]", "[a-", "!", "\\", "\\d", "\\["),
    *(
        "a",
        "b",
        ".py",
        "..",
        "./",
        "src/",
        "{a,b}",
        "(",
        ")",
        "|",
        "+",
        ".",
        "$",
        "^",
        "[[:alpha:]]",
    ),
)


@dataclass(frozen=True)
class Reader:
    """A reader of files: what it is called with, what means something to it, and real files."""

    read: Callable[[Path], object]
    words: Sequence[str]
    files: Sequence[str]
    more: st.SearchStrategy[str] | None = None


def read_dockerfile(file: Path) -> None:
    """All that is asked of a Dockerfile before the daemon gets it."""
    settings = BuildSettings(context=file.parent, dockerfile=file)
    data = dockerfile.load(file)[0].decode("utf-8", "replace")
    parsed = dockerfile.parse(data)
    last = data.count("\n") + 1
    assert all(0 < one.line <= last for one in parsed.instructions)
    _ = (
        parsed.images(None, {}),
        parsed.needed(None),
        parsed.built(None, {}),
        parsed.asks_for_platform,
    )
    locate(parsed, "[1/2] RUN a")
    sources.of(parsed, data, target=None, args={})
    demands.refusal(parsed, settings)
    demands.check(parsed, settings)


def read_ignore(file: Path) -> None:
    """The rules, and what they say of some paths."""
    settings = BuildSettings(context=file.parent, dockerfile=file.parent / "Dockerfile")
    rules = context.ignore_file(settings)
    for path in ("a", "a/b", "src/app/main.py", "é", "\udc80", "a\nb", ".env"):
        rules.matched(path)
        rules.may_hold_exceptions(path)


KEYS = ("name", "profile", "namespace", "build", "context", "args", "manifests", "env_file", "dev")
FIELDS = st.sampled_from((*KEYS, "values", "timeout", "port", "sync", "src", "tolerate", "secrets"))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("a")
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One level more, or none."""
    keys = st.one_of(FIELDS, SCALARS)
    return st.one_of(SCALARS, st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5))


TREES = nested(nested(nested(SCALARS)))
SETTINGS = st.dictionaries(FIELDS, TREES, max_size=6).map(
    lambda data: yaml.safe_dump({"name": "tasks", **data}, allow_unicode=True)
)
READERS = {
    ".env": Reader(envfile.load, ENV, [".env.example"]),
    "manifest.yaml": Reader(
        lambda file: strictyaml.load_all(read_text(file), file=file),
        YAML,
        ["manifests/deployment.yaml.j2", "lab/node/cni.yaml"],
        TREES.map(lambda data: yaml.safe_dump(data, allow_unicode=True)),
    ),
    "kubekit.yaml": Reader(
        lambda file: project.parse(read_text(file, error=UsageError), file=file),
        YAML,
        ["kubekit.yaml"],
        SETTINGS,
    ),
    "Dockerfile": Reader(read_dockerfile, DOCKERFILE, ["backend/Dockerfile"]),
    ".dockerignore": Reader(read_ignore, IGNORE, ["backend/.dockerignore"]),
}


def put_together(words: Sequence[str]) -> st.SearchStrategy[str]:
    """Words of the format in any order, with what may stand in any file between them."""
    return st.lists(st.sampled_from((*words, *words, *ANYWHERE)), max_size=40).map("".join)


def damaged(files: Sequence[str], words: Sequence[str]) -> st.SearchStrategy[str]:
    """Real files: parts taken out, doubled or replaced, other line ends, an early end."""
    edit = st.tuples(
        st.floats(0, 1),
        st.integers(0, 30),
        st.sampled_from(("drop", "double", "put", "put", "cut")),
        st.sampled_from((*words, *ANYWHERE)),
    )
    texts = st.sampled_from([(ROOT / file).read_text() for file in files])
    ends = st.sampled_from(["\n", "\n", "\r\n", "\r"])
    return st.tuples(texts, st.lists(edit, min_size=1, max_size=6), ends).map(edited)


def edited(given: tuple[str, list[tuple[float, int, str, str]], str]) -> str:
    text, edits, end = given
    for at, length, how, word in edits:
        start = int(at * len(text))
        part = text[start : start + length]
        new = {"drop": "", "double": part * 2, "put": word, "cut": ""}[how]
        rest = "" if how == "cut" else text[start + len(part) :]
        text = text[:start] + new + rest
    return text.replace("\n", end)


def inputs(reader: Reader) -> st.SearchStrategy[str]:
    found = [put_together(reader.words), damaged(reader.files, reader.words)]
    return st.one_of([*found, reader.more] if reader.more is not None else found)


def lines(text: str) -> int:
    """As many as any reader may count: libyaml knows ends of lines that the others do not."""
    return len(re.split("\r\n|[\r\n\x85\u2028\u2029]", text))


def check(reader: Reader, file: Path, text: str) -> bool:
    """Read it; True if it was refused. Whatever is no KubekitError ends the test."""
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    error = refusal(reader, file)
    if error is None:
        return False
    assert error.place is not None, error.message
    assert error.place.file == file
    others = (found for found in map(PLACE.search, error.details) if found)
    told = [error.place.line, *(int(found[1]) for found in others)]
    last = lines(text)
    for line in told:
        assert line is not None, error.message
        assert 0 < line <= last, error.message
    return True


def refusal(reader: Reader, file: Path) -> KubekitError | None:
    try:
        reader.read(file)
    except KubekitError as error:
        return error
    return None


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", READERS)
def test_whatever_is_in_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    count = SAMPLE if request.config.getoption("--rounds") == 1 else WHOLE
    refused: list[bool] = []

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(inputs(READERS[name]))
    def each(text: str) -> None:
        refused.append(check(READERS[name], tmp_path / name, text))

    each()
    print(f"{name}: {len(refused)} inputs, {sum(refused)} refused")
    assert len(refused) >= count
    assert 0 < sum(refused) < len(refused)


N = 20_000
"""So often that what takes the square of it is a hang, and what does not takes a moment."""


def chain(first: str, each: str, count: int = N) -> str:
    return first + "".join(each.format(i=i, j=i - 1) for i in range(1, count))


def bombs() -> Iterator[tuple[str, str, str]]:
    letters = list(zip("abcdefghi", "bcdefghij", strict=True))
    laughs = [f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in letters]
    merges = [f"{new}: &{new} {{<<: [{','.join([f'*{old}'] * 10)}]}}\n" for old, new in letters]
    keys = ", ".join(f"k{i}: 1" for i in range(1000))
    found: dict[str, dict[str, str]] = {
        ".env": {
            "spaces": "A=" + " " * N * 5 + "x",
            "quotes": chain("", 'A{i}="x"\n'),
            "open": "A='x\n" * N,
            "escaped": 'A="\\"\n' * N,
            "last-open": "A='" + "x\n" * N,
        },
        "manifest.yaml": {
            "laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(laughs),
            "merges": f"a: &a {{{keys}}}\n" + "".join(merges),
            "aliases": chain("a0: &a0 [1]\n", "a{i}: &a{i} [*a{j}]\n", 3000),
            "merge-chain": chain("a0: &a0 {x: 1}\n", "a{i}: &a{i} {{<<: *a{j}}}\n", 3000),
            "deep-flow": "a: " + "[" * 10_000 + "]" * 10_000,
            "deep-mappings": "{a: " * 10_000,
            "deep-blocks": "".join(" " * i + "a:\n" for i in range(1000)),
            "deep-lists": "- " * 10_000,
            "long-line": "a: " + "x" * N * 50,
            "digits": "a: " + "9" * N * 5,
            "anchors": chain("", "a{i}: &a{i} x\n"),
        },
        "kubekit.yaml": {"keys": chain("name: x\n", "k{i}: 1\n", 3000)},
        "Dockerfile": {
            "continued": "FROM a\nRUN x \\\n" + "y \\\n" * N * 5,
            "heredocs": "FROM a\n" + "RUN <<EOF\n" * N,
            "heredocs-ended-above": "FROM a\nEOF\n" + "RUN <<EOF\n" * N,
            "heredocs-in-a-line": "FROM a\nRUN " + "<<A " * N + "\n" + "x\n" * N,
            "heredocs-in-quotes": "FROM a\nRUN <<A " + "'\"" * N + '\\"' * N,
            "directive": "# a=b" + " " * N * 5 + "x\nFROM a\n",
            "doubling": chain("", "ARG A{i}=$A{j}$A{j}x\n", 60) + "FROM $A59\n",
            "variables": "FROM " + "${a-" * N,
            "stages": chain("FROM a\n", "FROM a AS s{i}\nCOPY --from=s{j} a b\n", 3000),
            "any-stage": "FROM $x\n" * 5000,
            "flags": "FROM a\nRUN " + "--a=b " * N + "x",
        },
        ".dockerignore": {
            "stars": "*a" * 20 + "b",
            "folders": "**/a*/" * 20 + "b",
            "classes": "[ab]*" * 20 + "c",
            "characters": "*?" * 30 + "b",
            "brackets": "[a-" * N,
            "rules": chain("", "a{i}*b\n", 3000),
            "dots": "../" * N,
        },
    }
    for name, cases in found.items():
        for case, text in cases.items():
            yield name, case, text


BOMBS = list(bombs())


@pytest.mark.timeout(120)  # what hangs, hangs for hours
@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, _, text in BOMBS],
    ids=[f"{name}-{case}" for name, case, _ in BOMBS],
)
def test_what_grows_does_not_hang(name: str, text: str, tmp_path: Path) -> None:
    check(READERS[name], tmp_path / name, text)


PATHS = st.text("ab/", min_size=1, max_size=12)
GLOBS = st.lists(
    st.sampled_from(["*", "**", "**/", "/", "?", "a", "b", "[ab]", "[^a]", "[a-]", "\\a", "\\*"]),
    min_size=1,
    max_size=12,
).map("".join)


@hypothesis.given(glob=GLOBS, path=PATHS)
def test_many_stars_match_what_few_do(glob: str, path: str) -> None:
    """A glob that is read step by step means what its regular expression does."""
    from kubekit.image.files import dockerignore

    try:
        pattern: Any = re.compile(dockerignore._regex(glob), re.ASCII | re.DOTALL)
    except ValueError:
        hypothesis.reject()
    meant = pattern.fullmatch(path) is not None
    assert (dockerignore._expression(glob).fullmatch(path) is not None) == meant
