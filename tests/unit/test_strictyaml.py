from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubekit.errors import FilesError, UsageError
from kubekit.text.strictyaml import dump_all, load_all
from kubekit.text.yamlscalars import resolve

FILE = Path("f.yaml")

# `kubectl annotate --local -o json` v1.32 on an object with this list, and what it made of it.
KUBECTL = """
y n Y N yes No ON off true True TRUE tRUE ~ null Null 1e3 1.0 1.50 08 0o17 017 0644 0x1F 0b101 -0b11
+5 -7 1_000 1_000.5 .5 +.5 5. 12:30 12:30:45 2001-01-01 2026-01-01T00:00:00Z = < 1.2.3 0x 0xg 1e e3
+ 0o8 0_7 1__0 -.5 1E5 1.5e-3 0.1e+2 00 007 09 0_ _1 1_ 0B1 0X1f 0O17 -0x1f -017 nan .e3 1.e3 0.0 -0
1e400x
""".split()  # noqa: SIM905 - a list of these would be a page long
KUBECTL_SAID = """
[true,false,true,false,true,false,true,false,true,true,true,"tRUE",null,null,null,1000,1,1.5,8,15,15,
420,31,5,-3,5,-7,1000,1000.5,0.5,0.5,5,"12:30","12:30:45","2001-01-01","2026-01-01T00:00:00Z","=",
"<","1.2.3","0x","0xg","1e","e3","+","0o8",7,10,-0.5,100000,0.0015,10,0,7,9,0,"_1",1,1,31,15,-31,
-15,"nan",".e3",1000,0,0,"1e400x"]
"""


def one(text: str) -> object:
    (document,) = load_all(text, file=FILE, mappings=False)
    return document.data


def refused(text: str) -> FilesError:
    with pytest.raises(FilesError) as caught:
        load_all(text, file=FILE)
    return caught.value


@pytest.mark.parametrize(
    ("text", "said"), list(zip(KUBECTL, json.loads(KUBECTL_SAID), strict=True)), ids=KUBECTL
)
def test_plain_scalars_are_what_kubectl_makes_of_them(text: str, said: object) -> None:
    value = one(f"- {text}\n")
    assert value == [said]
    assert isinstance(value, list)
    assert isinstance(value[0], bool) == isinstance(said, bool)


def test_quotes_and_tags_decide_before_the_look_of_a_value() -> None:
    assert one("[\"on\", 'no', !!str 5, ! 7, !!float 1, !!int 0x10]") == [
        "on",
        "no",
        "5",
        "7",
        1,
        16,
    ]


def test_whole_numbers_as_keys_become_text_as_in_json() -> None:
    assert one("8080: a\n0x10: b\n") == {"8080": "a", "16": "b"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("\ta: b", "1:1", "a tab is used for indentation"),
        ("a:\n\t- b", "2:1", "a tab is used for indentation"),
        ("a:\n  b: 1\n\tc: 2", "3:1", "a tab is used for indentation"),
        ("a: |\n  x\n\ty: 1", "3:1", "a tab is used for indentation"),
        ("a: 1\nb: 2\na: 3", "3:1", "`a` stands twice, first in line 1"),
        ("x:\n  a: 1\n  'a': 3", "3:3", "`a` stands twice, first in line 2"),
        ("1: x\n'1': y", "2:1", "`1` stands twice, first in line 1"),
        ("a: b: c", "1:5", "a `:` that does not belong here"),
        ("a:\n- 1\nb: [1,2\nc: 3", "3:4", "this `[` is not closed"),
        ("a: {x: 1\nb: 3", "1:4", "this `{` is not closed"),
        ("a: 'x\nb: 3\n", "1:4", "this quote is not closed"),
        (r'a: "\d"', "1:5", "an escape that YAML does not know"),
        ("a: - b", "1:4", "a list cannot begin in the line of its key"),
        ("a: @x", "1:4", "a value cannot begin with `@`"),
        ("a: [", "1:4", "the text ends where a value was expected"),
        ("b: 1\na: [\n\n", "2:4", "the text ends where a value was expected"),
        ("a: }", "1:4", "a value cannot begin with `}`"),
        ("a:\n   b: 1\n  c: 2", "3:3", "this does not fit the mapping it stands in"),
        ("a: 1\nfoo\nb: 2", "2:1", "expected `key: value`"),
        ("a: 1\n...\nb", "3:1", "expected `---` before another document"),
        ("a: {{ x }}", "1:5", "a mapping or list cannot be a key"),
        ("on: x", "1:1", "this key is true or false to YAML, not text"),
        ("a: *x", "1:4", "there is no anchor `&x` above this alias"),
        ("a: 1\n---\nb: *x", "3:4", "there is no anchor `&x` above this alias"),
        ("a: &x 1\n---\nb: *x", "3:4", "there is no anchor `&x` above this alias"),
        ("a: &a [*a]", "1:8", "the anchor `&a` contains itself"),
        ("a: !foo x", "1:4", "the tag `!foo` is not supported"),
        ("a: !!set {x: 1}", "1:4", "the tag `!!set` is not supported"),
        ("a: !!int x", "1:4", "the tag `!!int` does not fit this value"),
        ("a: .inf", "1:4", "`.inf` is a number that JSON does not have"),
        ("a: b\nc: \x07", "2:4", "the character U+0007 cannot be in YAML"),
        ("a: 1\n---\n- b", "3:1", "expected `key: value` pairs, got a list"),
        ("<<: 5", "1:5", "`<<` merges mappings, and this is none"),
        ("[" * 50_000, "1:102", "nested deeper than 100 levels"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, message: str) -> None:
    error = refused(text)
    assert (str(error.place), error.message) == (f"f.yaml:{place}", message)


def test_a_template_read_as_plain_yaml_is_told_so() -> None:
    assert any(".j2" in hint for hint in refused("a: {{ x }}").hints)


def test_the_caller_chooses_the_kind_of_error() -> None:
    with pytest.raises(UsageError):
        load_all("a: [", file=FILE, error=UsageError)


def test_alias_bombs_are_refused_before_they_grow() -> None:
    levels = "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]\n" for i in range(1, 10))
    assert "aliases add more than" in refused("k0: &k0 [x]\n" + levels).message


def test_merge_bombs_are_refused_before_they_grow() -> None:
    levels = "".join(
        f"k{i}: &k{i}\n  <<: [{', '.join([f'*k{i - 1}'] * 9)}]\n" for i in range(1, 20)
    )
    assert "aliases add more than" in refused("k0: &k0 {x: 1}\n" + levels).message


def test_merges_keep_what_the_mapping_says_itself() -> None:
    text = "a: &a {x: 1, y1: 1}\nb: &b {x: 2, z: 2}\nc:\n  x: 9\n  <<: [*a, *b]\n"
    assert one(text) == {
        "a": {"x": 1, "y1": 1},
        "b": {"x": 2, "z": 2},
        "c": {"x": 9, "y1": 1, "z": 2},
    }


def test_each_use_of_an_alias_is_a_copy() -> None:
    data = one("a: &a {x: 1}\nb: *a\n")
    assert isinstance(data, dict)
    data["a"]["x"] = 2
    assert data["b"] == {"x": 1}


def test_empty_documents_are_left_out() -> None:
    documents = load_all("# nothing\n---\n---\na: 1\n---\n", file=FILE)
    assert [document.data for document in documents] == [{"a": 1}]
    assert load_all("", file=FILE) == []


def test_places_name_keys_items_and_the_nearest_above() -> None:
    text = "a: 1\n---\nspec:\n  ports:\n  - port: 80\n    name: x\n  -\n    port: 81\n"
    _, document = load_all(text, file=FILE)
    where = {path: str(place) for path, place in document.places.items()}
    assert where[()] == "f.yaml:3:1"
    assert where["spec", "ports"] == "f.yaml:4:3"
    assert where["spec", "ports", 0] == "f.yaml:5:5"
    assert where["spec", "ports", 1, "port"] == "f.yaml:8:5"
    assert str(document.place(("spec", "ports", 0, "name", "no", "such"))) == "f.yaml:6:5"
    assert str(document.place(("none",))) == "f.yaml:3:1"


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"))
KEYS = st.text("abcyYnN0158.:=~<-_ {[#'\"", max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | KEYS
    | st.sampled_from(
        [*KUBECTL, "<<", " x", "x ", "\n", "a\n", "\na", " a\nb", "a \nb\n\n", "- a"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(KEYS, VALUES, min_size=1))
def test_what_is_dumped_reads_back_the_same(data: dict[str, object]) -> None:
    (document,) = load_all(dump_all([data]), file=FILE)
    assert document.data == data
    assert list(document.data) == list(data)


def trouble(text: str) -> FilesError | None:
    try:
        load_all(text, file=FILE)
    except FilesError as error:
        return error
    return None


@given(st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    error = trouble(text)
    assert error is None or (error.place is not None and error.place.line is not None)


@given(st.text("-+.0123456789_xobeE", max_size=9))
def test_resolve_never_fails(text: str) -> None:
    assert isinstance(resolve(text), str | int | float | None)


def test_dump_is_for_people() -> None:
    data = {"b": {"on": "no", "version": "1e3"}, "a": ["two\nlines\n", "2026-01-01", 420, None]}
    assert dump_all([data, {"x": 1}]) == (
        '---\nb:\n  "on": "no"\n  version: "1e3"\na:\n- |\n  two\n  lines\n'
        "- '2026-01-01'\n- 420\n- null\n---\nx: 1\n"
    )
