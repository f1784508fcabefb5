"""What kubekit takes of a context, compared with what Docker takes of it, on generated cases.

Thirty of each kind; with `--rounds 3`, as in `make soak`, all of them. Docker is the current
BuildKit, of which nothing differs, and docker 20.10, whose client knows no newer rules: `**name` is
`**/name` there, and exceptions bring back something else.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kubekit.errors import FilesError
from kubekit.image.files import context
from kubekit.model import BuildSettings, DockerEndpoint
from tests.cluster.dockercli import BuildKit, Docker, Listing, buildkit, listing

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

SAMPLE, WHOLE = 30, 400
WORKERS = 4

_Case = TypeVar("_Case")
Taken = Listing | str | None

_NEWER = re.compile(r"\*\*[^/\s]|!")

names = st.sampled_from(["a", "b", "ab", "A", "a.b", ".x", "c.py", "d.md", "[a]", "a b", "é", "a*"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
trees = st.sets(paths, min_size=4, max_size=12)
globs = st.sampled_from(
    ["*", "**", "?", "*.py", "a*", "*b", "[ab]", "[^a]", "[a-c]", "[^b-z]*", "\\[a]", "\\*", "\\a"]
)
odd = st.sampled_from([*(["..", ".", "", " ", "a**", "**b", "**.py"] * 3), "[", "[a-", "a\\"])
parts = st.one_of(names, names, globs, globs, odd)
marks = st.sampled_from(["", "", "", "!", "!", "/", "!/", "#", " ", "! "])
rules = st.tuples(marks, st.lists(parts, min_size=1, max_size=3).map("/".join)).map("".join)
ends = st.sampled_from(["\n", "\n", "\r\n", " \n", "/\n", "\n\n"])
texts = st.lists(st.tuples(rules, ends).map("".join), min_size=1, max_size=5).map("".join)


@dataclass(frozen=True)
class Ignoring:
    """A tree and the rules of what is left out of it; `own` is `<Dockerfile>.dockerignore`."""

    tree: frozenset[str]
    rules: str
    own: bool


@dataclass(frozen=True)
class Copying:
    """A tree, and what of it a Dockerfile copies; links lead to the path that is named."""

    tree: frozenset[str]
    links: tuple[tuple[str, str], ...]
    dockerfile: str


ignoring = st.builds(
    Ignoring, tree=trees.map(frozenset), rules=texts, own=st.sampled_from([False, False, True])
)
sources = st.one_of(
    paths.filter(lambda path: " " not in path and "[" not in path),
    st.sampled_from(["*", "a*", "?", "*.py", "*/a", "a/*", "*/*.py", "a?/b", "[ab]", "a/[^b]"]),
    st.sampled_from([".", "./a", "/a", "../b", "a/../b", "b/", "//a//b", "$A", "l", "l/a", "**/a"]),
)
copies = st.one_of(
    st.lists(sources, min_size=1, max_size=3).map(lambda words: f"COPY {' '.join(words)} /x/"),
    st.lists(sources, min_size=1, max_size=2).map(lambda words: f"ADD {' '.join(words)} /x/"),
    paths.map(lambda path: f'COPY ["{path}", "/x/"]'),
    paths.map(lambda path: f'COPY "{path}" /x/'),
    paths.map(lambda path: f"COPY {path.replace(' ', '')}\\\n  b /x/"),
    sources.map(lambda path: f"COPY\t{path} \\\n# a comment\n\n  /x/"),
    sources.map(lambda path: f"COPY --chown=1:1 {path} /x/"),
)
stages = st.sampled_from(
    [
        "FROM scratch\n{0}\n{1}",
        "FROM scratch AS one\n{0}\nFROM one\n{1}",
        "FROM scratch AS one\n{0}\nFROM scratch\n{1}",
        "FROM scratch AS one\n{0}\nFROM scratch\nCOPY --from=ONE / /y/\n{1}",
        "ARG N=one\nFROM scratch AS one\n{0}\nFROM $N\n{1}",
        "FROM scratch AS one\n{0}\nFROM scratch\nENV A=a\n{1}",
    ]
)
copying = st.builds(
    Copying,
    tree=trees.map(frozenset),
    links=st.lists(st.tuples(st.sampled_from(["l", "a/l", "b"]), paths), max_size=2).map(tuple),
    dockerfile=st.builds(str.format, stages, copies, copies),
)


def generated(strategy: st.SearchStrategy[_Case], count: int) -> list[_Case]:
    """As many different cases, the same ones every time."""
    found: dict[_Case, None] = {}

    @settings(
        max_examples=2 * count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(strategy)
    def collect(case: _Case) -> None:
        found.setdefault(case)

    collect()
    assert len(found) >= count
    return list(found)[-count:]  # the first ones are the simplest


def differing(case: object, ours: Taken, theirs: Taken) -> str:
    """The difference for people; empty if there is none."""
    return "" if ours == theirs else f"{case}\n  ours   {ours}\n  theirs {theirs}"


def differences(cases: list[_Case], compare: Callable[[_Case, Path], str], folder: Path) -> str:
    """What differs, for people: nothing if all is well."""
    with ThreadPoolExecutor(WORKERS) as pool:
        folders = [folder / f"case{number}" for number in range(len(cases))]
        found = list(pool.map(compare, cases, folders))
    return "\n".join(text for text in found if text)


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    """How many cases are compared."""
    return SAMPLE if request.config.getoption("--rounds", default=1) == 1 else WHOLE


@pytest.fixture(scope="module")
def current(
    cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuildKit]:
    with buildkit(tmp_path_factory.mktemp("bk")) as found:
        yield found


@pytest.fixture(scope="module")
def docker(endpoint: DockerEndpoint) -> Docker:
    return Docker.of(endpoint)


def plant(root: Path, tree: frozenset[str], links: tuple[tuple[str, str], ...] = ()) -> None:
    """Make the files; a path that leads through a file is left out."""
    root.mkdir(parents=True)
    for path in sorted(tree):
        file = root / path
        if not any(parent.is_file() for parent in file.parents):
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text(path)
    for path, target in links:
        link = root / path
        if link.parent.is_dir() and not link.exists() and not link.is_symlink():
            link.symlink_to(target)


def taken(root: Path, dockerfile: Path, *, whole: bool = False) -> bytes:
    """What kubekit sends, without the Dockerfile, which lies elsewhere."""
    made = context.plan(
        BuildSettings(context=root, dockerfile=dockerfile), name="case", whole=whole
    )
    assert made.dockerfile == context.ALIAS
    return b"".join(context.tar(made))


def without_dockerfile(tar: bytes) -> Listing:
    found = listing(tar)
    del found[context.ALIAS]
    return found


def ignored(case: Ignoring, folder: Path, reference: Docker | BuildKit) -> tuple[Taken, Taken]:
    """What kubekit and the reference take; None is nothing, because of the rules or without."""
    root, dockerfile = folder / "context", folder / "Dockerfile"
    plant(root, case.tree)
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    own = dockerfile.with_name("Dockerfile.dockerignore")
    (own if case.own else root / ".dockerignore").write_text(case.rules)
    theirs = reference.made(root, dockerfile)
    try:
        ours = without_dockerfile(taken(root, dockerfile))
    except FilesError as error:
        if error.id != "dockerignore-pattern":
            raise
        # Docker refuses a malformed pattern only if some path makes it look at that one.
        return "malformed", "malformed" if theirs is None else "not looked at"
    return ours or None, theirs or None


def test_leaves_out_what_buildkit_leaves_out(current: BuildKit, tmp_path: Path, count: int) -> None:
    refused = []

    def compare(case: Ignoring, folder: Path) -> str:
        ours, theirs = ignored(case, folder, current)
        if ours == "malformed":
            refused.append(theirs)
            return ""
        return differing(case, ours, theirs)

    cases = generated(ignoring, count)
    assert differences(cases, compare, tmp_path) == ""
    compared = len(cases) - len(refused)
    looked = refused.count("malformed")
    print(f"{compared} cases alike; {len(refused)} refused, {looked} of them there too")
    assert compared > count * 3 / 4


def test_leaves_out_what_docker_leaves_out(docker: Docker, tmp_path: Path, count: int) -> None:
    def compare(case: Ignoring, folder: Path) -> str:
        ours, theirs = ignored(case, folder, docker)
        return "" if ours == "malformed" else differing(case, ours, theirs)

    cases = generated(ignoring.filter(lambda case: not _NEWER.search(case.rules)), count)
    assert differences(cases, compare, tmp_path) == ""


@pytest.mark.parametrize("reference", ["current", "docker"])
def test_what_is_not_sent_changes_no_image(
    request: pytest.FixtureRequest, reference: str, tmp_path: Path, count: int
) -> None:
    docker = request.getfixturevalue(reference)
    pruned = []

    def compare(case: Copying, folder: Path) -> str:
        root, dockerfile = folder / "context", folder / "Dockerfile"
        plant(root, case.tree, case.links)
        dockerfile.write_text(case.dockerfile)
        some, all_ = taken(root, dockerfile), taken(root, dockerfile, whole=True)
        pruned.append(some != all_)
        if some == all_:
            return ""
        with tarfile.open(fileobj=io.BytesIO(some)) as archive:
            archive.extractall(folder / "sent", filter="fully_trusted")
        ours, theirs = docker.made(folder / "sent", dockerfile), docker.made(root, dockerfile)
        return differing(case, ours, theirs)

    cases = generated(copying, count)
    assert differences(cases, compare, tmp_path) == ""
    print(f"{len(cases)} cases; in {sum(pruned)} only some of the context was sent")
    assert sum(pruned) > count / 3
