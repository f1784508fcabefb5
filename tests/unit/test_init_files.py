"""Which files `init` writes and which it leaves alone, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import CancelledError, FilesError
from kubekit.init import files, stamp
from kubekit.init.files import Change, decide, write
from kubekit.model import Cancel

BODY = "FROM python:3.13-slim\nUSER 10001\n"
TEXT = stamp.stamped("Dockerfile", BODY)
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


def one(folder: Path, text: str = TEXT, *, force: bool = False) -> Change:
    (change,) = decide(folder, {"Dockerfile": text}, force=force)
    return change


def there(folder: Path, text: str) -> Path:
    (folder / "Dockerfile").write_bytes(text.encode())
    return folder / "Dockerfile"


# --- the first line


@given(body=LINES, path=st.sampled_from(["Dockerfile", "a.yaml.j2"]), told=st.sampled_from(["", "backend --name x"]))  # fmt: skip  # noqa: E501
def test_what_was_stamped_is_known(body: str, path: str, told: str) -> None:
    read = stamp.read(stamp.stamped(path, body, told=told))
    assert read is not None
    assert (read.body, read.told, read.edited) == (body, told, False)


@given(body=LINES, other=LINES)
def test_an_edit_is_seen(body: str, other: str) -> None:
    first, _, _ = stamp.stamped("Dockerfile", body).partition("\n")
    read = stamp.read(f"{first}\n{other}")
    assert read is not None
    assert read.edited == (body != other)


@given(text=st.text())
def test_any_text_can_be_read(text: str) -> None:
    read = stamp.read(text)
    assert read is None or "kubekit init" in text


@given(
    body=LINES,
    told=st.sampled_from(["", "--python 3.12", "api --name x"]),
    later=st.sampled_from(["", "--port 9000", "--name 'a: b'"]),
    ends=st.sampled_from([("", "\n"), ("\ufeff", "\r\n")]),
    path=st.sampled_from(["kubekit.yaml", "a.yaml.j2"]),
)
def test_what_was_told_can_be_changed_alone(
    body: str, told: str, later: str, ends: tuple[str, str], path: str
) -> None:
    mark, end = ends
    edited = stamp.stamped(path, body, told=told) + "mine\n"
    text = mark + edited.replace("\n", end)
    after = stamp.retold(text, later)
    read = stamp.read(after)
    assert read is not None
    assert (read.told, read.edited) == (later, True)
    assert after.partition("\n")[2] == text.partition("\n")[2]
    assert stamp.retold(after, told) == text
    assert stamp.retold(body, told) == body or "kubekit init" in body


def test_other_line_ends_are_no_edit(tmp_path: Path) -> None:
    there(tmp_path, TEXT.replace("\n", "\r\n"))
    assert one(tmp_path).action == "unchanged"


# --- what becomes of a file


def test_a_file_that_is_not_there_is_created(tmp_path: Path) -> None:
    assert one(tmp_path).action == "created"


@pytest.mark.parametrize("force", [False, True])
def test_what_is_as_it_should_be_is_not_written(tmp_path: Path, force: bool) -> None:
    there(tmp_path, TEXT)
    assert one(tmp_path, force=force).action == "unchanged"
    there(tmp_path, BODY)  # the same, written by a person
    assert one(tmp_path, force=force).action == "unchanged"


def test_another_version_of_kubekit_that_writes_the_same_writes_nothing(tmp_path: Path) -> None:
    there(tmp_path, TEXT.replace("kubekit init ", "kubekit init 9."))
    assert one(tmp_path).action == "unchanged"


@pytest.mark.parametrize("force", [False, True])
def test_what_init_was_told_is_kept_though_the_rest_is_the_same(
    tmp_path: Path, force: bool
) -> None:
    there(tmp_path, TEXT)
    told = stamp.stamped("Dockerfile", BODY, told="--python 3.12")
    assert one(tmp_path, told, force=force).action == "updated"
    there(tmp_path, BODY)  # a person's own has no such line
    assert one(tmp_path, told, force=force).action == "unchanged"


def test_what_was_edited_keeps_what_init_was_told(tmp_path: Path) -> None:
    edited = TEXT + "RUN mine\n"
    there(tmp_path, edited)
    told = stamp.stamped("Dockerfile", "FROM python:3.12\n", told="--python 3.12")
    change = one(tmp_path, told)
    assert (change.action, change.writes, change.diff) == ("kept", True, ())
    write([change], cancel=Cancel())
    first, _, rest = (tmp_path / "Dockerfile").read_text().partition("\n")
    assert first.endswith(": --python 3.12")
    assert rest == edited.partition("\n")[2]
    again = one(tmp_path, told)
    assert (again.action, again.writes) == ("kept", False)


def test_what_nobody_edited_is_renewed(tmp_path: Path) -> None:
    there(tmp_path, stamp.stamped("Dockerfile", "FROM python:3.11\n"))
    assert one(tmp_path).action == "updated"


@pytest.mark.parametrize("mine", ["FROM mine\n", TEXT + "RUN mine\n", "", "\0"])
def test_what_a_person_wrote_is_kept_and_with_force_shown(tmp_path: Path, mine: str) -> None:
    there(tmp_path, mine)
    kept = one(tmp_path)
    assert (kept.action, kept.writes, kept.diff) == ("kept", False, ())
    forced = one(tmp_path, force=True)
    assert (forced.action, forced.writes) == ("overwritten", True)
    removed = [line[1:] for line in forced.diff if line[0] == "-" and line[:3] != "---"]
    assert removed == [line for line in mine.splitlines() if line not in TEXT.splitlines()]
    assert forced.diff[0].endswith("Dockerfile (as it was)")


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("FROM shared\n")
    (tmp_path / "Dockerfile").symlink_to("shared")
    assert one(tmp_path).action == "kept"
    write([one(tmp_path, force=True)], cancel=Cancel())
    assert (tmp_path / "Dockerfile").is_symlink()
    assert (tmp_path / "shared").read_text() == TEXT


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").mkdir()
    with pytest.raises(FilesError, match="is a directory"):
        one(tmp_path)


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").symlink_to("nothing")
    with pytest.raises(FilesError, match="leads to nothing"):
        one(tmp_path)


# --- writing


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_all_is_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    wanted = {"Dockerfile": "a\n", "manifests/x.yaml.j2": "b\n"}
    write(decide(tmp_path, wanted, force=False), cancel=Cancel())
    assert listing(tmp_path) == ["Dockerfile", "manifests", "manifests/x.yaml.j2"]
    assert (tmp_path / "manifests/x.yaml.j2").read_text() == "b\n"


def test_permissions_stay(tmp_path: Path) -> None:
    there(tmp_path, "mine\n").chmod(0o640)
    write([one(tmp_path, force=True)], cancel=Cancel())
    assert (tmp_path / "Dockerfile").stat().st_mode & 0o777 == 0o640


def test_an_interruption_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(tmp_path, "mine\n")
    cancel, real = Cancel(), files._write_beside

    def interrupted(file: Path, text: str) -> Path:
        cancel.set()  # after the first
        return real(file, text)

    monkeypatch.setattr(files, "_write_beside", interrupted)
    wanted = {"Dockerfile": TEXT, "manifests/a.yaml": "a\n", "manifests/b.yaml": "b\n"}
    with pytest.raises(CancelledError, match="nothing was written"):
        write(decide(tmp_path, wanted, force=True), cancel=cancel)
    assert listing(tmp_path) == ["Dockerfile"]
    assert (tmp_path / "Dockerfile").read_text() == "mine\n"


def test_a_full_disk_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    wanted = {"manifests/a.yaml": "a\n", "manifests/b.yaml": "b\n"}
    with pytest.raises(FilesError, match="no space left"):
        write(decide(tmp_path, wanted, force=False), cancel=Cancel())
    assert listing(tmp_path) == []
