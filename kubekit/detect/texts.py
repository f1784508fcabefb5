"""What an expression is as text: literals, constants, defaults of settings; None if unknown."""

from __future__ import annotations

import ast
import posixpath

from kubekit.detect.paths import climbed, path_parts
from kubekit.detect.symbols import Defined, Modules

_DEEP = 8
_LARGEST = 10**9
"""Numbers up to which one may be a port, a limit or a time."""


def text_of(
    modules: Modules, path: str, expr: ast.expr, scope: str = "", deep: int = 0
) -> str | None:
    """The text of an expression; None if there is no telling."""
    found: str | None = None
    match expr:
        case _ if deep > _DEEP:
            pass
        case ast.Constant(value=str() as text):
            found = text
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            found = str(number) if abs(number) < _LARGEST else None
        case ast.JoinedStr(values=parts):
            found = _joined([text_of(modules, path, part, scope, deep + 1) for part in parts])
        case ast.FormattedValue(value=inner, format_spec=None):
            found = text_of(modules, path, inner, scope, deep + 1)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            both = (text_of(modules, path, one, scope, deep + 1) for one in (left, right))
            found = _joined(list(both))
        case ast.Name(id="__file__"):
            found = path
        case ast.Name():
            found = _named(modules, path, expr, scope, deep)
        case ast.Attribute(attr=attribute) if attribute != "parent":
            found = _named(modules, path, expr, scope, deep) or _field(modules, attribute, deep)
        case _:
            found = _of_path(modules, path, expr, scope, deep)
    return found


def _of_path(modules: Modules, path: str, expr: ast.expr, scope: str, deep: int) -> str | None:
    """The text of a path; what it is of the source itself is relative to the backend's folder."""
    start, up = climbed(expr)
    if start is not expr:
        text = text_of(modules, path, start, scope, deep + 1)
        return posixpath.normpath(text + "/.." * up) if up and text is not None else text
    texts = [text_of(modules, path, part, scope, deep + 1) for part in path_parts(expr)]
    known = [text for text in texts if text is not None]
    return posixpath.join(*known) if texts and len(known) == len(texts) else None


def _joined(parts: list[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def _named(modules: Modules, path: str, expr: ast.expr, scope: str, deep: int) -> str | None:
    meaning = modules.meaning(path, expr, scope)
    if not isinstance(meaning, Defined):
        return None
    module = modules.get(meaning.path)
    values = module.scopes[meaning.scope].values.get(meaning.name, []) if module else []
    if len(values) != 1:
        return None  # given twice: which of them holds is only known when it runs
    return text_of(modules, meaning.path, values[0], meaning.scope, deep + 1)


def _field(modules: Modules, attribute: str, deep: int) -> str | None:
    """`settings.API_PREFIX`: the default of the one class that has such a field."""
    found: set[str] = set()
    for one in modules.tree.having(attribute.encode("utf-8", "ignore")):
        if b"class " not in modules.tree.files[one]:
            continue
        module = modules.get(one)
        for body in (entry.body for entry in module.classes.values()) if module else ():
            for statement in body:
                match statement:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                        | ast.Assign(targets=[ast.Name(id=name)], value=value)
                    ) if name == attribute:
                        text = text_of(modules, one, value, "", deep + 1)
                        found.add(text if text is not None else "\0")
    text = found.pop() if len(found) == 1 else None
    return None if text == "\0" else text
