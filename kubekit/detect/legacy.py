"""setup.cfg, and setup.py without running it: what setuptools would be told."""

from __future__ import annotations

import ast
import configparser
import re
from dataclasses import dataclass, field
from pathlib import Path

from kubekit.detect.report import Report
from kubekit.errors import FilesError, Place, shown
from kubekit.text.read import read_text


@dataclass
class Said:
    """What one of the files says; `lines` tells where."""

    path: str
    name: str | None = None
    requires_python: str | None = None
    dependencies: list[str] = field(default_factory=list)
    extras: dict[str, list[str]] = field(default_factory=dict)
    folder: str | None = None
    extensions: bool = False
    installable: bool = False
    lines: dict[str, int] = field(default_factory=dict)


def read_setup_cfg(report: Report) -> Said | None:
    """What setup.cfg says; None where there is none, or where it is only of tools.

    Raises:
        FilesError: it cannot be read.
    """
    file = report.folder / "setup.cfg"
    if not file.is_file():
        return None
    text = read_text(file)
    parser = _parsed(file, text)
    if not (parser.has_section("metadata") or parser.has_section("options")):
        return None
    said = Said("setup.cfg", installable=True)
    said.name = _single(parser, "metadata", "name")
    said.requires_python = _single(parser, "options", "python_requires")
    said.dependencies = _several(parser, "options", "install_requires")
    if parser.has_section("options.extras_require"):
        extras = parser.options("options.extras_require")
        said.extras = {one: _several(parser, "options.extras_require", one) for one in extras}
    said.folder = _folder(parser)
    said.lines = _lines(text)
    return said


def _parsed(file: Path, text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        errors = getattr(error, "errors", None)
        line = errors[0][0] if errors else getattr(error, "lineno", None)
        cause = "a line that is neither a section nor `key = value`"
        if isinstance(
            error, configparser.DuplicateSectionError | configparser.DuplicateOptionError
        ):
            cause = "something that stands twice"
        place = Place(file=file, line=line)
        raise FilesError(f"`{shown(file)}` has {cause}", place=place) from None
    return parser


def _lines(text: str) -> dict[str, int]:
    lines = {}
    for key in ("name", "python_requires", "install_requires"):
        if found := re.search(rf"^{key}[ \t]*[=:]", text, re.MULTILINE):
            lines[key] = text.count("\n", 0, found.start()) + 1
    return lines


def _single(parser: configparser.RawConfigParser, section: str, key: str) -> str | None:
    return (parser.get(section, key, fallback=None) or "").strip() or None


def _several(parser: configparser.RawConfigParser, section: str, key: str) -> list[str]:
    value = parser.get(section, key, fallback=None) or ""
    return [
        one.strip()
        for one in re.split(r"[\n;]" if "\n" not in value else r"\n", value)
        if one.strip()
    ]


def _folder(parser: configparser.RawConfigParser) -> str | None:
    where = _single(parser, "options.packages.find", "where")
    package_dir = _single(parser, "options", "package_dir") or ""
    found = re.search(r"^\s*=\s*(\S+)", package_dir, re.MULTILINE)
    return where or (found[1] if found else None)


def read_setup_py(report: Report) -> Said | None:
    """What the call of `setup()` in setup.py says by literals; None where there is none.

    Raises:
        FilesError: it cannot be read, or is no Python.
    """
    file = report.folder / "setup.py"
    if not file.is_file():
        return None
    try:
        tree = ast.parse(read_text(file))
    except SyntaxError as error:
        raise FilesError(
            f"`{shown(file)}` is no Python: {error.msg}",
            place=report.place("setup.py", error.lineno),
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise FilesError(f"`{shown(file)}` is no Python", place=report.place("setup.py")) from None
    said = Said("setup.py")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_setup(node.func):
            said.installable = True
            for keyword in node.keywords:
                if keyword.arg is not None:
                    said.lines.setdefault(keyword.arg, keyword.value.lineno)
                    _keyword(said, keyword.arg, keyword.value)
    return said


def _is_setup(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "setup") or (
        isinstance(function, ast.Attribute) and function.attr == "setup"
    )


def _keyword(said: Said, key: str, value: ast.expr) -> None:
    if key == "ext_modules":
        said.extensions = not (isinstance(value, ast.List) and not value.elts)
        return
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return
    match key, literal:
        case "name", str():
            said.name = literal
        case "python_requires", str():
            said.requires_python = literal
        case "install_requires", list() | tuple():
            said.dependencies = [one for one in literal if isinstance(one, str)]
        case "extras_require", dict():
            for extra, needs in literal.items():
                if isinstance(extra, str) and isinstance(needs, list | tuple):
                    said.extras[extra] = [one for one in needs if isinstance(one, str)]
        case "package_dir", dict() if isinstance(literal.get(""), str):
            said.folder = literal[""]
        case _:
            pass
