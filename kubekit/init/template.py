"""The templates of this package -> text; their marks are `[% %]` and `[[ ]]`.

What they make may be a template of Jinja2 itself, whose `{{ }}` must come through as it is.
"""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

# What YAML reads as text, also within `{}`, and never as a number, a boolean or nothing.
_PLAIN = re.compile(r"[A-Za-z./_][A-Za-z0-9./_-]*")
_NOT_TEXT = re.compile(r"(?i)[.]|~|null|true|false|yes|no|on|off|y|n|[.](inf|nan)")
_BARE = re.compile(r"[^\s#'\"\\][^\s#'\"\\]*")


def fill(name: str, variables: Mapping[str, Any]) -> str:
    """Fill in one template of `kubekit/templates`."""
    return _environment().get_template(name).render(variables)


def names(folder: str) -> Iterator[str]:
    """All templates below a folder of `kubekit/templates`, by their paths in it."""
    yield from sorted(_below(_root().joinpath(folder), ""))


def text_of(name: str) -> str:
    """A file of `kubekit/templates` as it is."""
    return _root().joinpath(name).read_text("utf-8")


def _root() -> Traversable:
    return resources.files("kubekit") / "templates"


def _below(folder: Traversable, above: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _below(entry, f"{above}{entry.name}/")
        else:
            yield above + entry.name


def yaml_word(value: str) -> str:
    """Text as YAML takes it within a flow mapping: as it is, or in quotes."""
    plain = _PLAIN.fullmatch(value) and not (_NOT_TEXT.fullmatch(value) and value != ".")
    return value if plain else json.dumps(value, ensure_ascii=False)


def _words(command: Sequence[str]) -> str:
    """The exec form of CMD and HEALTHCHECK, which is JSON."""
    return json.dumps(list(command), ensure_ascii=False)


def _copied(words: Sequence[str]) -> str:
    """What COPY is given: in the form of JSON where a blank would make two names of one."""
    return _words(words) if any(" " in word for word in words) else " ".join(words)


def _env_value(value: str) -> str:
    """A value as `.env` takes it."""
    if not value or _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _image_value(value: str) -> str:
    """A value as ENV takes it: a `$` would begin the name of a variable."""
    escaped = re.sub(r'(["\\$])', r"\\\1", value)
    return value if value == escaped and _BARE.fullmatch(value) else f'"{escaped}"'


@functools.cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - neither Dockerfiles nor YAML are HTML
        loader=FunctionLoader(text_of),
        undefined=StrictUndefined,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "word": yaml_word,
        "list_of_words": _words,
        "copied": _copied,
        "shell_word": shlex.quote,
        "env_value": _env_value,
        "image_value": _image_value,
        "rows": lambda text: str(text).rstrip("\n"),
    }
    return environment
