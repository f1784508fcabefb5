"""YAML read strictly: as kubectl reads it, with the place of every field, and no silent guesses.

Scalars resolve as in ``sigs.k8s.io/yaml``, which kubectl uses: ``no`` and ``on`` are booleans,
``0644`` is octal, ``12:30`` and ``2026-01-01`` are text. PyYAML's own loaders differ in each of
these, keep the last of two equal keys, and crash the process on deep nesting; so only libyaml's
parser is used here, and the values are built from its events.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from kubekit.errors import FilesError, KubekitError, Place, nearest
from kubekit.text.yamlerrors import explain
from kubekit.text.yamlscalars import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FieldPath = tuple[str | int, ...]
"""The way to a field: keys and indexes from the root of a document."""

_MAX_DEPTH = 100
_MAX_ALIASED = 20_000  # values that aliases may add: enough for any real file, not for a bomb
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document of a YAML file.

    Attributes:
        places: where each field stands: the key of a mapping, the item of a list; ``()`` is the
            root. A field that came by an alias or a merge stands where its anchor is.
    """

    data: Any
    file: Path
    places: Mapping[FieldPath, Place]

    def place(self, path: FieldPath) -> Place:
        """Where the field stands, or the nearest one above it that is in the file."""
        return nearest(self.places, path) or Place(file=self.file)


def dotted(path: FieldPath) -> str:
    """A field as people write it: ``spec.containers[0].image``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def load_all(
    text: str, *, file: Path, error: type[KubekitError] = FilesError, mappings: bool = True
) -> list[Document]:
    """Read all documents of a YAML text; empty ones are left out.

    Args:
        text: the YAML; a file's byte order mark is already removed.
        file: for the places only.
        error: what to raise, since a broken kubekit.yaml ends with another exit code.
        mappings: refuse documents that are no mapping at the root.

    Raises:
        KubekitError: `error`, with the place of the first thing that is wrong.
    """
    reader = _Reader(text, file, error)
    documents = []
    for node in reader.roots():
        builder = _Builder(reader)
        data = builder.build(node, ())
        if data is None:
            continue
        if mappings and not isinstance(data, dict):
            raise reader.fail(node, f"expected `key: value` pairs, got {noun(data)}")
        documents.append(Document(data=data, file=file, places=builder.places))
    return documents


def noun(value: Any) -> str:
    """What a value is, in the words of a person who writes YAML."""
    for types, word in (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        (list, "a list"),
        (dict, "a mapping"),
    ):
        if isinstance(value, types):
            return word
    return "nothing"


def dump_all(objects: Iterable[Any]) -> str:
    """Write objects as YAML for people, one document each, in their own order of keys.

    Text that any YAML 1.1 reader would take for something else is quoted, several lines of text
    become a block.
    """
    return str(
        yaml.dump_all(
            objects,
            Dumper=_Dumper,
            allow_unicode=True,
            default_flow_style=False,
            explicit_start=True,
            sort_keys=False,
            width=4096,
        )
    )


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    style = None
    if "\n" in text:
        style = "|"
    elif resolve(text) is not text:
        style = '"'
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_Dumper.add_representer(str, _represent_text)


@dataclass(frozen=True, slots=True)
class _Node:
    """A value before it is built: `value` is the scalar's own, a list of nodes or of pairs."""

    value: Any
    line: int
    column: int
    merge: bool = False  # the plain key `<<`
    alias: bool = False  # `value` is the node of the anchor


class _Reader:
    """libyaml's events as trees of nodes, with limits where libyaml has none."""

    def __init__(self, text: str, file: Path, error: type[KubekitError]) -> None:
        self._text = text
        self._file = file
        self._error = error
        self._anchors: dict[str, _Node | None] = {}  # None: the anchor's own value is being read

    def roots(self) -> Iterator[_Node]:
        """The root of each document.

        Raises:
            KubekitError: the text is no YAML, or nests or refers in ways that are refused.
        """
        if (match := _UNPRINTABLE.search(self._text)) is not None:
            line = self._text.count("\n", 0, match.start())
            column = match.start() - self._text.rfind("\n", 0, match.start()) - 1
            code = f"U+{ord(match[0]):04X}"
            raise self.fail(_Node(None, line, column), f"the character {code} cannot be in YAML")
        self._events = yaml.parse(self._text, Loader=yaml.CSafeLoader)
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors.clear()
                    yield self._node(next(self._events), 0)
        except yaml.MarkedYAMLError as caught:
            line, column, message, hints = explain(caught, self._text)
            raise self.fail(_Node(None, line, column), message, *hints) from None

    def fail(self, node: _Node, message: str, *hints: str) -> KubekitError:
        """The error to raise for something wrong with this node."""
        return self._error(message, place=self.place(node), hints=hints)

    def place(self, node: _Node) -> Place:
        """Where the node begins."""
        return Place(file=self._file, line=node.line + 1, column=node.column + 1)

    def _node(self, event: yaml.Event, depth: int) -> _Node:
        assert isinstance(event, yaml.NodeEvent)
        mark = event.start_mark
        assert mark is not None  # libyaml marks every event
        at = (mark.line, mark.column)
        if depth > _MAX_DEPTH:
            raise self.fail(_Node(None, *at), f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(str(event.anchor), at)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.CollectionStartEvent):
            node = self._collection(event, at, depth)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            node = self._scalar(event, at)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _aliased(self, anchor: str, at: tuple[int, int]) -> _Node:
        if anchor not in self._anchors:
            raise self.fail(_Node(None, *at), f"there is no anchor `&{anchor}` above this alias")
        target = self._anchors[anchor]
        if target is None:
            raise self.fail(_Node(None, *at), f"the anchor `&{anchor}` contains itself")
        return _Node(target, *at, alias=True)

    def _collection(
        self, start: yaml.CollectionStartEvent, at: tuple[int, int], depth: int
    ) -> _Node:
        tag = "map" if isinstance(start, yaml.MappingStartEvent) else "seq"
        if start.tag not in {None, "!", _TAG + tag}:
            raise self._unknown_tag(start.tag, at)
        nodes = []
        while not isinstance(event := next(self._events), yaml.CollectionEndEvent):
            nodes.append(self._node(event, depth + 1))
        if tag == "seq":
            return _Node(nodes, *at)
        return _Node(tuple(zip(nodes[::2], nodes[1::2], strict=True)), *at)

    def _scalar(self, event: yaml.ScalarEvent, at: tuple[int, int]) -> _Node:
        text, tag = event.value, event.tag
        if tag in {"!", f"{_TAG}str"} or (tag is None and not event.implicit[0]):
            return _Node(text, *at)
        value = resolve(text)
        if tag is not None and tag not in _SCALAR_TAGS:
            raise self._unknown_tag(tag, at)
        if tag is not None and type(value) not in _SCALAR_TAGS[tag]:
            raise self.fail(_Node(None, *at), f"the tag `{_short(tag)}` does not fit this value")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.fail(
                _Node(None, *at),
                f"`{text}` is a number that JSON does not have",
                "put it in quotes",
            )
        return _Node(value, *at, merge=text == "<<")

    def _unknown_tag(self, tag: str, at: tuple[int, int]) -> KubekitError:
        hint = "put the value in quotes if it is text that starts with `!`"
        return self.fail(_Node(None, *at), f"the tag `{_short(tag)}` is not supported", hint)


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


class _Builder:
    """Plain values from nodes; every use of an alias becomes a copy of its own."""

    def __init__(self, reader: _Reader) -> None:
        self.places: dict[FieldPath, Place] = {}
        self._reader = reader
        self._aliased = 0
        self._within_alias = False

    def build(self, node: _Node, path: FieldPath) -> Any:
        """The node's value; notes the places of it and of all below it."""
        self.places.setdefault(path, self._reader.place(node))
        if node.alias:
            outer, self._within_alias = self._within_alias, True
            value = self.build(node.value, path)
            self._within_alias = outer
            return value
        self._count(node)
        if isinstance(node.value, list):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if not isinstance(node.value, tuple):
            return node.value
        data = {}
        for key, (key_node, value_node) in self._pairs(node).items():
            self.places[*path, key] = self._reader.place(key_node)
            data[key] = self.build(value_node, (*path, key))
        return data

    def _count(self, node: _Node) -> None:
        self._aliased += self._within_alias
        if self._aliased > _MAX_ALIASED:
            raise self._reader.fail(node, f"aliases add more than {_MAX_ALIASED} values")

    def _pairs(self, node: _Node) -> dict[str, tuple[_Node, _Node]]:
        """The pairs of a mapping, its own before what `<<` merges into it."""
        own: dict[str, tuple[_Node, _Node]] = {}
        merged: dict[str, tuple[_Node, _Node]] = {}
        for key_node, value_node in node.value:
            if key_node.merge:
                merged = self._merged(value_node) | merged
                continue
            key = self._key(key_node)
            if key in own:
                first = own[key][0].line + 1
                raise self._reader.fail(key_node, f"`{key}` stands twice, first in line {first}")
            own[key] = (key_node, value_node)
        return merged | own

    def _merged(self, node: _Node) -> dict[str, tuple[_Node, _Node]]:
        target = node.value if node.alias else node
        self._within_alias, outer = True, self._within_alias
        self._count(node)
        merged: dict[str, tuple[_Node, _Node]] = {}
        if isinstance(target.value, tuple):
            self._aliased += len(target.value)
            merged = self._pairs(target)
        elif isinstance(target.value, list):
            for item in target.value:
                merged = self._merged(item) | merged
        else:
            raise self._reader.fail(node, "`<<` merges mappings, and this is none")
        self._within_alias = outer
        return merged

    def _key(self, node: _Node) -> str:
        key = node.value.value if node.alias else node.value
        if isinstance(key, str):
            return key
        if isinstance(key, int) and not isinstance(key, bool):
            return str(key)
        if isinstance(key, tuple | list):
            hint = "only files that end in `.j2` are templates; elsewhere put `{{` in quotes"
            raise self._reader.fail(node, "a mapping or list cannot be a key", hint)
        raise self._reader.fail(
            node, f"this key is {noun(key)} to YAML, not text", "put the key in quotes"
        )
