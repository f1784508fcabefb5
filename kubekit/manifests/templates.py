"""Jinja2 templates -> text, with the template's line behind every rendered line and every error."""

from __future__ import annotations

import base64
import difflib
import functools
import json
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, nodes
from jinja2.exceptions import (
    SecurityError,
    TemplateNotFound,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.loaders import split_template_path
from jinja2.meta import find_referenced_templates, find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from kubekit.errors import FilesError, Place
from kubekit.text.read import read_text

# Private characters around `LINE NAME`; a render with them is only used to find lines.
_MARK = re.compile("\ue000(\\d+) ([^\ue001]*)\ue001")
_YAML_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True)
class RenderedText:
    """What a template became.

    Attributes:
        lines: the place behind each line of `text`; None where the marks would have changed the
            text, as inside ``{% filter %}``, so that nothing certain can be said.
    """

    text: str
    lines: tuple[Place, ...] | None


class Templates:
    """The templates of one folder, which may include and import each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plain = _environment(folder)
        self._marked = _environment(folder, _LineMarks)

    def uses(self, name: str) -> dict[str, Place]:
        """The variables a template and all it includes take from outside, and where first.

        Raises:
            FilesError: a syntax error.
        """
        found: dict[str, Place] = {}
        todo, seen = [name], {name}
        while todo:
            current = todo.pop()
            tree, variables = self._parse(current)
            for variable in variables:
                names = (node for node in tree.find_all(nodes.Name) if node.name == variable)
                line = min((node.lineno for node in names), default=None)
                found.setdefault(variable, Place(file=self._folder / current, line=line))
            # One that is not there is for the render to report, with the line that asks for it.
            more = {
                other
                for other in find_referenced_templates(tree)
                if other is not None and _inside(self._folder, other) is not None
            } - seen
            seen |= more
            todo += sorted(more)
        return found

    def render(self, name: str, variables: Mapping[str, Any]) -> RenderedText:
        """Render a template.

        Raises:
            FilesError: names the template's line, and what is undefined or wrong there.
        """
        try:
            text = self._plain.get_template(name).render(variables)
        except TemplateSyntaxError as caught:
            raise _syntax(caught, Path(caught.filename or self._folder / name)) from None
        except Exception as caught:  # noqa: BLE001 - a template can raise whatever Python can
            raise self._failure(name, caught, variables) from None
        try:
            marked = self._marked.get_template(name).render(variables)
        except Exception:  # noqa: BLE001 - the marks broke it, not the template
            return RenderedText(text, None)
        if _MARK.sub("", marked) != text:
            return RenderedText(text, None)
        return RenderedText(text, tuple(self._lines(name, marked)))

    def _parse(self, name: str) -> tuple[nodes.Template, set[str]]:
        source = read_text(self._folder / name)
        try:
            tree = self._plain.parse(source, name, str(self._folder / name))
            return tree, find_undeclared_variables(tree)
        except TemplateSyntaxError as caught:
            raise _syntax(caught, self._folder / name) from None

    def _lines(self, name: str, marked: str) -> Iterator[Place]:
        """For each line the mark before its first visible character, or else the last one above."""
        current = Place(file=self._folder / name, line=1)
        for line in marked.split("\n"):
            begin = None
            for match in _MARK.finditer(line):
                current = Place(file=self._folder / match[2], line=int(match[1]))
                if begin is None or not _MARK.sub("", line[: match.start()]).strip():
                    begin = current
            yield begin or current

    def _failure(self, name: str, caught: Exception, variables: Mapping[str, Any]) -> FilesError:
        place = Place(file=self._folder / name)
        for frame, line in traceback.walk_tb(caught.__traceback__):
            if frame.f_code.co_filename.startswith(f"{self._folder}/"):
                place = Place(file=Path(frame.f_code.co_filename), line=line)
        if isinstance(caught, _UndefinedVariableError):
            return caught.explain(place, variables)
        if isinstance(caught, TemplateNotFound):
            return FilesError(f"no template `{caught.name}` beside this one", place=place)
        if isinstance(caught, SecurityError):
            return FilesError("template: not allowed in a template", place=place)
        return FilesError(f"template: {type(caught).__name__}: {caught}", place=place)


def _syntax(caught: TemplateSyntaxError, file: Path) -> FilesError:
    message = " ".join(str(caught.message).rstrip(".").split())
    return FilesError(f"template: {message}", place=Place(file=file, line=caught.lineno))


class _UndefinedVariableError(UndefinedError):
    """Something a template asks for is not there."""

    def __init__(self, message: str | None, *, obj: Any, name: Any) -> None:
        super().__init__(message)
        self._obj = obj
        self._name = name

    def explain(self, place: Place, variables: Mapping[str, Any]) -> FilesError:
        """The error for people: what is missing, what was probably meant, what there is."""
        if self._obj is missing:
            text, names = f"`{self._name}` is not defined", sorted(variables)
            fix = "variables of your own belong under `values` in kubekit.yaml"
        elif isinstance(self._obj, Mapping):
            holder = next((key for key, value in variables.items() if value is self._obj), None)
            text, names = f"`{holder or 'this mapping'}` has no `{self._name}`", sorted(self._obj)
            where = ".env" if holder == "env" else "kubekit.yaml"
            fix = f"add it to `{where}`, or write `| default(...)` if it may be absent"
        else:
            return FilesError(f"template: {self.message}", place=place)
        if close := difflib.get_close_matches(str(self._name), names, n=1):
            text += f"; did you mean `{close[0]}`?"
        hint = f"there is {', '.join(f'`{name}`' for name in names) or 'nothing'}"
        return FilesError(text, place=place, hints=(hint, fix))


class _Undefined(StrictUndefined):
    """Keeps what was looked up where, which the exception of Jinja2 only has as prose."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        if exc is UndefinedError:
            exc = functools.partial(_UndefinedVariableError, obj=obj, name=name)  # type: ignore[assignment]
        super().__init__(hint, obj, name, exc)


class _LineMarks(Extension):
    """Puts the line's number before each line and each `{{`, after white space was controlled."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        for token in stream:
            if token.type == "data":
                lines = str(token.value).split("\n")
                marked = [
                    f"{_mark(token.lineno + index, stream.name)}{line}"
                    for index, line in enumerate(lines)
                ]
                yield Token(token.lineno, "data", "\n".join(marked))
                continue
            if token.type == "variable_begin":
                yield Token(token.lineno, "data", _mark(token.lineno, stream.name))
            yield token


def _mark(line: int, name: str | None) -> str:
    return f"\ue000{line} {name}\ue001"


def _inside(folder: Path, name: str) -> Path | None:
    """The file of a template's name; None when there is none or it would leave the folder."""
    try:
        path = folder.joinpath(*split_template_path(name))
    except TemplateNotFound:
        return None
    return path if path.is_file() else None


def _environment(folder: Path, *extensions: type[Extension]) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> tuple[str, str, None] | None:
        path = _inside(folder, name)
        return None if path is None else (read_text(path), str(path), None)

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=_Undefined,
        # YAML, not HTML: what belongs in quotes is for the `tojson` of the template.
        autoescape=False,
        keep_trailing_newline=True,
        extensions=extensions,
    )
    environment.filters |= {"b64": _b64, "tojson": _tojson}
    return environment


def _b64(value: object) -> str:
    """Text as the base64 that `data` of a Secret wants."""
    return base64.b64encode(str(value).encode()).decode()


def _tojson(value: object) -> str:
    """Any value as one line of JSON, which is YAML too; Jinja2's own is escaped for HTML."""
    text = json.dumps(value, ensure_ascii=False)
    return _YAML_BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
