from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import FilesError, shown
from kubekit.text.envfile import is_world_readable, load, parse

FILE = Path(".env")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A=''\nB=\"\"", {"A": "", "B": ""}),
        ("  export A=b\nexport  B = c d ", {"A": "b", "B": "c d"}),
        ("exportA=b", {"exportA": "b"}),
        ("# x\n\nA=b # c\n  # d\nB=b#c\nC=#c\nD= # c", {"A": "b", "B": "b#c", "C": "#c", "D": ""}),
        ("A='b # c' # d\nB=\"b # c\"# d", {"A": "b # c", "B": "b # c"}),
        (
            r"A='a\n\'" + "\n" + r'B="a\n\"\\\d"' + "\n" + r"C=a\n",
            {"A": r"a\n" + "\\", "B": 'a\n"\\\\d', "C": r"a\n"},
        ),
        ('A=$HOME${X}\nB="$A"', {"A": "$HOME${X}", "B": "$A"}),
        ("A=b=c==\n", {"A": "b=c=="}),
        ('K="-----BEGIN\nx\n\nEND"\nB=1', {"K": "-----BEGIN\nx\n\nEND", "B": "1"}),
        ("K='a\nb' # c\nB=1", {"K": "a\nb", "B": "1"}),
        ('\ufeffA=b\r\nB="x\r\ny"\r\n', {"A": "b", "B": "x\ny"}),
        ("A=ü'x\"", {"A": "ü'x\""}),
        ("", {}),
    ],
)
def test_values(text: str, values: dict[str, str]) -> None:
    assert parse(text, file=FILE).values == values


def test_places_count_over_values_of_several_lines() -> None:
    places = parse('A="x\ny"\n# c\nB=1\n', file=FILE).places
    assert {name: str(place) for name, place in places.items()} == {"A": ".env:1", "B": ".env:4"}


def test_all_bad_lines_are_named_at_once_and_none_is_shown() -> None:
    text = (
        "GOOD=1\nhunter2\nhun-ter2=hunter2\n=hunter2\nA='hunter2\nGOOD=hunter2\n"
        'B="hunter2" hunter2\n1A=x\nC=hunter2\0\n'
    )
    with pytest.raises(FilesError) as caught:
        parse(text, file=FILE)
    error = caught.value
    name = "no valid name before `=`: letters, digits and `_`, no digit first"
    assert (str(error.place), error.message) == (".env:2", "no `=` in this line")
    assert error.details == (
        f".env:3: {name}",
        f".env:4: {name}",
        ".env:5: the quote ' is not closed",
        ".env:6: `GOOD` is set twice, first in line 1",
        ".env:7: text after the closing quote",
        f".env:8: {name}",
        ".env:9: the value has a NUL character, which no environment can hold",
    )
    assert "hunter2" not in repr((error.message, error.hints, error.details))


def test_the_values_stay_out_of_repr() -> None:
    assert "hunter2" not in repr(parse("A=hunter2", file=FILE))


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))


@given(st.dictionaries(NAMES, VALUES))
def test_whatever_is_quoted_comes_back(values: dict[str, str]) -> None:
    text = "\n".join(f"{name}={quoted(value)} # c" for name, value in values.items())
    assert parse(text, file=FILE).values == values


def trouble(text: str) -> FilesError | None:
    try:
        parse(text, file=FILE)
    except FilesError as error:
        return error
    return None


@given(st.lists(st.text("A='\"\\ #\n", max_size=6)))
def test_any_text_is_read_or_refused_with_lines(pieces: list[str]) -> None:
    text = "".join(pieces)
    error = trouble(text)
    if error is None:
        assert len(parse(text, file=FILE).values) <= text.count("=")
    else:
        assert error.place is not None
        assert error.place.line is not None
        assert error.place.line <= text.count("\n") + 1


def failing(path: Path) -> FilesError:
    with pytest.raises(FilesError) as caught:
        load(path)
    assert caught.value.place is not None
    assert caught.value.place.file == path
    return caught.value


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ".env"
    assert failing(path).message == "`.env` does not exist"
    path.write_bytes(b"A=1\nB=\xff\n")
    error = failing(path)
    assert (str(error.place), error.message) == (".env:2", "`.env` is not UTF-8 text")
    assert failing(tmp_path).message == "`.` is a folder, not a file"


def test_a_file_without_permission_says_how_to_get_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything
    try:
        error = failing(path)
    finally:
        if root:
            os.seteuid(0)
    assert error.message.startswith("no permission to read")
    assert f"chmod u+r {shown(path)}" in error.hints[0]


def test_world_readable(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o604)
    assert is_world_readable(path)
    path.chmod(0o660)
    assert not is_world_readable(path)
