"""Expressions that make a path of parts: `BASE_DIR / "data"`, `os.path.join`, `Path(...)`. Pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

_JOINS = frozenset({"os.path.join", "path.join", "join", "Path", "pathlib.Path"})
_TEXTS = frozenset({"str", "os.fspath"})


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


def is_above(expr: ast.expr) -> bool:
    """Whether it is a folder above its own module, as `Path(__file__).resolve().parent` is."""
    if not isinstance(expr, ast.Call | ast.Attribute | ast.Subscript):
        return False
    nodes = list(ast.walk(expr))
    own = any(isinstance(one, ast.Name) and one.id == "__file__" for one in nodes)
    # With a text in it, it leads to something below.
    texts = (one for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str))
    return own and not any(texts)
