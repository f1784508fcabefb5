"""What libyaml's problems mean to the person who wrote the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

_QUOTE = ("put the value in quotes",)

# A part of libyaml's problem -> the cause, and what to do; the first that fits counts.
_PROBLEMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "mapping values are not allowed",
        "a `:` that does not belong here",
        ("put a value that has `: ` in it in quotes, or check the indentation of this line",),
    ),
    (
        "block sequence entries are not allowed",
        "a list cannot begin in the line of its key",
        ("begin the list in the next line",),
    ),
    (
        "found unexpected end of stream",
        "this quote is not closed",
        ("add the closing quote",),
    ),
    ("expected ',' or ']'", "this `[` is not closed", ("add `]`, or the missing `,`",)),
    ("expected ',' or '}'", "this `{{` is not closed", ("add `}`, or the missing `,`",)),
    (
        "could not find expected ':'",
        "expected `key: value`",
        ("check the indentation, and that `: ` stands after the key",),
    ),
    (
        "did not find expected key",
        "this does not fit the mapping it stands in",
        ("check the indentation, and the quotes in this line",),
    ),
    (
        "did not find expected '-'",
        "this does not fit the list it stands in",
        ("check the indentation",),
    ),
    (
        "found unknown escape character",
        "an escape that YAML does not know",
        ("write `\\\\` for a backslash, or use single quotes",),
    ),
    (
        "did not find expected <document start>",
        "expected `---` before another document",
        (),
    ),
    ("did not find expected node content", "a value cannot begin with `{character}`", _QUOTE),
    ("cannot start any token", "a value cannot begin with `{character}`", _QUOTE),
)

# Problems that libyaml finds far below the opening quote or bracket, where the fault is.
_AT_OPENING = ("found unexpected end of stream", "did not find expected ',' or", "could not find")


def explain(caught: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str, tuple[str, ...]]:
    """Line and column from 0, the cause and what to do, for an error of libyaml."""
    problem = str(caught.problem)
    opening = problem.startswith(_AT_OPENING)
    mark = (caught.context_mark if opening else None) or caught.problem_mark
    assert mark is not None  # libyaml's scanner and parser always give one
    character = _character(text, mark.line, mark.column)
    if "tab character" in problem or (character == "\t" and "start any token" in problem):
        return mark.line, mark.column, "a tab is used for indentation", ("indent with spaces",)
    if not character and "expected node content" in problem:
        end = text.rstrip()
        column = len(end) - end.rfind("\n") - 2
        hint = "close the `[` or `{` above"
        return end.count("\n"), column, "the text ends where a value was expected", (hint,)
    for part, message, hints in _PROBLEMS:
        if part in problem:
            return mark.line, mark.column, message.format(character=character), hints
    return mark.line, mark.column, problem, ()


def _character(text: str, line: int, column: int) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[line][column : column + 1] if line < len(lines) else ""
