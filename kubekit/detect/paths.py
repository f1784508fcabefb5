"""Expressions that make a path of parts: `BASE_DIR / "data"`, `os.path.join`, `Path(...)`. Pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

_JOINS = frozenset({"os.path.join", "path.join", "join", "Path", "pathlib.Path"})
_TEXTS = frozenset({"str", "os.fspath"})
_SAME = _TEXTS | {
    *("Path", "pathlib.Path", "os.path.abspath", "os.path.realpath", "os.path.normpath"),
    *("abspath", "realpath", "normpath"),
}
_DEEPEST = 99
_ABOVE = frozenset({"os.path.dirname", "path.dirname", "dirname"})


def path_parts(expr: ast.expr) -> Sequence[ast.expr]:
    """The parts that are put together; none where it is no such expression."""
    match expr:
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return (left, right)
        case ast.Call(func=function, args=[_, *_] as parts, keywords=[]):
            name = _dotted(function)
            return parts if name in _JOINS or (name in _TEXTS and len(parts) == 1) else ()
        case _:
            return ()


def _dotted(function: ast.expr) -> str:
    """The name of a function with its modules; empty where it is made on the spot."""
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name() | ast.Attribute() as owner, attr=name):
            above = _dotted(owner)
            return f"{above}.{name}" if above else ""
        case _:
            return ""


def climbed(expr: ast.expr) -> tuple[ast.expr, int]:
    """What a path starts from, and how many folders it climbs: `Path(x).resolve().parents[1]`."""
    up = 0
    while True:
        match expr:
            case ast.Attribute(value=inner, attr="parent"):
                up += 1
            case ast.Subscript(
                value=ast.Attribute(value=inner, attr="parents"),
                slice=ast.Constant(value=int() as index),
            ) if index < _DEEPEST:
                up += index + 1
            case ast.Call(func=ast.Attribute(value=inner, attr="resolve" | "absolute"), args=[]):
                pass
            case ast.Call(func=function, args=[inner], keywords=[]):
                name = _dotted(function)
                if name not in _SAME | _ABOVE:
                    return expr, up
                up += name in _ABOVE
            case _:
                return expr, up
        expr = inner
