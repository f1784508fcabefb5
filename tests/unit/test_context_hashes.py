"""Files that have not changed are not read again, and those that have always are."""

from __future__ import annotations

import os
import random
import shutil
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.image.files import context
from kubekit.image.files import hashes as filehashes
from kubekit.image.files.hashes import HashCache
from kubekit.image.files.walk import STAMP
from kubekit.model import BuildPlan, BuildSettings, ContextFile


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(filehashes, "_WORTH", -1)  # three files are enough
    root = tmp_path / "backend"
    (root / "app").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . .\n")
    (root / "app/main.py").write_text("print(1)\n")
    (root / os.fsdecode(b"\xff\n")).write_text("strange")
    return root


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []

    def opened(file: str, *args: object, **kwargs: object) -> object:
        names.append(Path(file).name)
        return open(file, *args, **kwargs)  # type: ignore[call-overload] # noqa: PTH123

    monkeypatch.setattr(filehashes, "open", opened, raising=False)
    return names


def later(monkeypatch: pytest.MonkeyPatch, seconds: float = 10) -> None:
    """As if all files had been written so long ago."""
    now = time.time_ns() + int(seconds * 10**9)
    monkeypatch.setattr(time, "time_ns", lambda: now)


def plan(root: Path) -> BuildPlan:
    settings = BuildSettings(context=root, dockerfile=root / "Dockerfile")
    return context.plan(settings, name="tasks")


def cache(root: Path) -> HashCache:
    return HashCache.of(root, root / "Dockerfile")


def remembered(root: Path) -> list[str]:
    return [path for path, _, _ in cache(root).read()]


def test_what_has_not_changed_is_not_read_again(
    root: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch)
    before = plan(root)
    assert len(read) == 2
    again = plan(root)
    assert len(read) == 2
    assert (again.digest, again.hashes) == (before.digest, before.hashes)
    (root / "app/main.py").write_text("print(2)\n")
    assert plan(root).digest != before.digest
    assert read[2:] == ["main.py"]


def test_the_size_and_the_time_may_be_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    file = root / "app/main.py"
    before, status = plan(root), file.stat()
    file.write_text("print(2)\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    assert plan(root).digest != before.digest


def test_another_file_in_its_place_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    before = plan(root)
    shutil.copy2(root / "app/main.py", root / "copy")
    (root / "copy").write_text("print(3)\n")
    (root / "copy").rename(root / "app/main.py")
    assert plan(root).digest != before.digest


def test_permissions_are_never_remembered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    before = plan(root)
    (root / "app/main.py").chmod(0o700)
    assert plan(root).hashes["app/main.py"].startswith("file:700:")
    assert plan(root).digest != before.digest


def test_of_what_was_just_written_nothing_is_kept(root: Path, read: list[str]) -> None:
    plan(root)
    plan(root)
    assert len(read) == 4
    assert remembered(root) == []


def test_of_the_dockerfile_what_was_read_counts_and_nothing_that_was_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its times tell nothing of a change, as on some file systems over a network."""
    later(monkeypatch)
    before = plan(root)
    kept = [
        (path, stamp, f"file:644:{'0' * 64}" if path == "Dockerfile" else print_)
        for path, stamp, print_ in cache(root).read()
    ]
    cache(root).write(kept)
    assert "Dockerfile" in remembered(root)
    assert plan(root).digest == before.digest


def test_what_is_gone_is_forgotten(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    plan(root)
    assert "app/main.py" in remembered(root)
    (root / "app/main.py").unlink()
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . .\n# edited\n")
    assert "app/main.py" not in plan(root).hashes
    assert "app/main.py" not in remembered(root)


def test_small_projects_keep_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "cache"))
    plan(root)
    assert not (root.parent / "cache").exists()


def test_it_is_private(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    plan(root)
    file = cache(root).file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_a_damaged_one_is_not_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    before = plan(root)
    file = cache(root).file
    whole = file.read_bytes()
    damaged = [b"", b"x", whole[:-1], whole[:30], whole + b"x", b"kubekit0" + whole[8:]]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    for data in damaged:
        file.write_bytes(data)
        assert remembered(root) == []
    assert plan(root).digest == before.digest


def test_anothers_is_not_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    plan(root)
    other = HashCache(cache(root).file, "another context")
    assert list(other.read()) == []


def test_where_nothing_can_be_kept_all_is_read(
    root: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch)
    (root.parent / "cache").write_text("a file where a folder should be")
    assert plan(root).digest == plan(root).digest
    assert len(read) == 4


names = st.text("a-/\U0010ffff", min_size=1, max_size=3)
changes = st.integers(0, 2)


@given(
    now=st.dictionaries(names, changes, max_size=8),
    before=st.dictionaries(names, changes, max_size=8),
    known=st.sets(names, max_size=2),
    seed=st.none() | st.integers(),
)
def test_whatever_came_went_or_changed_only_what_is_the_same_is_taken_from_what_was_kept(
    now: dict[str, int], before: dict[str, int], known: set[str], seed: int | None
) -> None:
    """Folders here, which nothing is read of: what was kept says 700, what is there 755."""
    mode = stat.S_IFDIR | 0o755
    kept = [
        (path, STAMP.pack(0, 0, changed, 0, mode), "folder:700")
        for path, changed in sorted(before.items())
    ]
    if seed is not None:
        random.Random(seed).shuffle(kept)
    files = [
        ContextFile(path, path, mode, 0, STAMP.pack(0, 0, changed, 0, mode))
        for path, changed in sorted(now.items())
    ]
    read = dict.fromkeys(known & now.keys(), "folder:711")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filehashes, "_WORTH", -1)
        patch.setattr(HashCache, "read", lambda _: kept)
        patch.setattr(HashCache, "write", lambda *_: None)
        found = filehashes.fingerprints(files, HashCache(Path("none"), "none"), read)
    assert list(found) == sorted(now)
    for path, fingerprint in found.items():
        same = before.get(path) == now[path]
        if path in read:
            assert fingerprint == "folder:711"
        elif not same or seed is None:  # out of order, more is read than need be
            assert fingerprint == ("folder:700" if same else "folder:755")
        else:
            assert fingerprint in {"folder:700", "folder:755"}


def test_one_file_more_or_less_and_only_that_is_read(
    root: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d"):
        (root / f"app/{name}").write_text(name)
    later(monkeypatch)
    plan(root)
    read.clear()
    (root / "app/b").unlink()
    (root / "app/bb").write_text("new")
    (root / "app/d").unlink()
    made = plan(root)
    assert read == ["bb"]
    monkeypatch.setattr(HashCache, "read", lambda _: ())
    assert (made.digest, made.hashes) == ((again := plan(root)).digest, again.hashes)
