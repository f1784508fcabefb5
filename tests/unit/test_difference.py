"""What makes one tree into another: told purely, and done by the real agent in a real folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubekit.dev.difference import Difference, difference
from kubekit.dev.entries import Entries, Entry
from kubekit.dev.packed import Packed
from kubekit.dev.tree import read
from kubekit.model import SyncRule
from tests.unit.agents import bring, send, session

NAMES = st.sampled_from(["a", "b", "c.py", "a b", "line\nend", "caf\udce9", "x" * 200])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
LEAVES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=40), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(["a", "../b", "/nowhere", "."]), st.just(False)),
    st.tuples(st.just("folder"), st.just(""), st.just(False)),
)
_STAMP = "_" * 48
TREES = st.dictionaries(PATHS, LEAVES, max_size=8)


def whole(leaves: dict[str, tuple[str, object, bool]]) -> dict[str, tuple[str, object, bool]]:
    """With the folders of all it holds; what lies below a file or a link is left out."""
    tree: dict[str, tuple[str, object, bool]] = {}
    for path in sorted(leaves, key=lambda path: path.count("/")):
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts))]
        if all(tree.get(one, ("folder",))[0] == "folder" for one in above) and path not in tree:
            tree |= dict.fromkeys(above, ("folder", "", False))
            tree[path] = leaves[path]
    return tree


def entries(leaves: dict[str, tuple[str, object, bool]]) -> dict[str, Entry]:
    return {path: Entry(kind, str(what), x) for path, (kind, what, x) in whole(leaves).items()}


def fingerprint(kind: str, what: object, x: bool) -> str:
    """As the walk over such a tree would name it."""
    if kind == "file":
        return f"file:{'755' if x else '644'}:{what!s}"
    return "folder:755" if kind == "folder" else f"link:{what!s}"


def packed(leaves: dict[str, tuple[str, object, bool]]) -> Entries:
    """The same as a tree holds it."""
    items = whole(leaves).items()
    return Entries([Packed((path, _STAMP + fingerprint(*leaf)) for path, leaf in items)])


def played(have: dict[str, Entry], wanted: dict[str, Entry], todo: Difference) -> dict[str, Entry]:
    """The difference done to a tree in memory, as strictly as a file system would."""
    now = dict(have)

    def gone(path: str) -> None:
        below = [other for other in now if other.startswith(f"{path}/")]
        assert not below, f"{path} is deleted before {below}"
        del now[path]

    def comes(path: str, *over: str) -> None:
        above = path.rpartition("/")[0]
        assert not above or now[above].kind == "folder"
        assert path not in now or now[path].kind in over
        now[path] = wanted[path]

    for path in todo.clears:
        gone(path)
    for path in todo.folders:
        comes(path)
    for path in (*todo.puts, *todo.links):
        comes(path, "file", "link", "other")
    for path in todo.modes:
        assert now[path].content == wanted[path].content
        now[path] = wanted[path]
    for path in todo.deletes:
        gone(path)
    return now


@given(TREES, TREES)
def test_the_difference_makes_one_tree_into_the_other(
    first: dict[str, tuple[str, object, bool]], second: dict[str, tuple[str, object, bool]]
) -> None:
    have, wanted = entries(first), entries(second)
    assert played(have, wanted, difference(have, wanted)) == wanted
    assert difference(wanted, wanted).count == 0
    had, want = packed(first), packed(second)
    assert dict(want) == wanted
    assert difference(had, want) == difference(have, want) == difference(have, wanted)
    assert (had == want) == (have == wanted)


def test_what_is_not_in_the_way_goes_last() -> None:
    have = {"old.py": Entry("file", "1"), "x": Entry("folder"), "x/y": Entry("file", "2")}
    wanted = {"new.py": Entry("file", "1"), "x": Entry("file", "2")}
    todo = difference(have, wanted)
    assert todo.clears == ("x/y", "x")
    assert todo.puts == ("new.py", "x")
    assert todo.deletes == ("old.py",)


def make(folder: Path, leaves: dict[str, tuple[str, object, bool]]) -> None:
    for path, (kind, what, executable) in whole(leaves).items():
        at = folder / path
        if kind == "folder":
            at.mkdir(exist_ok=True)
        elif kind == "link":
            at.symlink_to(str(what))
        else:
            assert isinstance(what, bytes)
            at.write_bytes(b"# " + what.hex().encode() if path.endswith(".py") else what)
            at.chmod(0o755 if executable else 0o644)


def seen(folder: Path) -> dict[str, object]:
    """What really lies in a folder."""
    found: dict[str, object] = {}
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            at = Path(base, name)
            shown = str(at.relative_to(folder))
            if at.is_symlink():
                found[shown] = str(at.readlink())
            elif at.is_dir():
                found[shown] = None
            else:
                found[shown] = (at.read_bytes(), bool(at.stat().st_mode & 0o100))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TREES, min_size=2, max_size=4))
def test_the_agent_brings_a_folder_to_each_tree_and_is_then_done(
    steps: list[dict[str, tuple[str, object, bool]]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        dest, known = Path(name, "dest"), set[str]()
        with session(dest) as agent:
            for number, leaves in enumerate(steps):
                src = Path(name, f"src{number}")
                src.mkdir()
                make(src, leaves)
                tree = read([SyncRule(src=src, dest=str(dest))], None)
                known |= set(tree.entries)
                assert [answer["re"] for answer in bring(agent, tree, known)] == ["written"]
                assert seen(dest) == seen(src)
                have = agent.find(sorted(known))
                assert have == dict(tree.entries)
                assert difference(have, tree.entries).count == 0
                send(agent, have, tree)
                assert seen(dest) == seen(src)
