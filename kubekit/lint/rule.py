"""What a rule is, and what it finds: the ground that all rules of `kubekit lint` stand on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from kubekit.errors import Place
from kubekit.model import Manifest
from kubekit.text.strictyaml import FieldPath

Check = TypeVar("Check", bound=Callable[..., Iterator[Any]])

_FINDING_OF_A_STUDY = re.compile(r" \(X\d+\)")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change of a file that is safe: some of its lines become others.

    Attributes:
        first: the first line that goes, from 1; new lines come before it.
        old: the lines that go; none where lines are only put in.
        new: what comes in their place.
    """

    file: Path
    first: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A field that an object lacks, and that could be put into it without a change of meaning."""

    manifest: Manifest
    path: FieldPath
    value: bool | str


@dataclass(frozen=True, kw_only=True)
class Hit:
    """What a rule yields: where, why, and what to do.

    Attributes:
        edit: what `--fix` does; None where a person has to decide.
        annotations: of the object it is about, by which other tools are told to leave it alone.
        starts: the line where that begins which it is about, such as an instruction's first one.
    """

    place: Place
    text: str
    hint: str
    edit: Edit | Wish | None = None
    annotations: Mapping[str, object] = field(default_factory=dict)
    starts: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[Check]):
    """One rule.

    Attributes:
        also: what the same rule is called in other tools.
        error: it cannot work, leaks a secret, or PodSecurity `baseline` refuses it.
        extra: a matter of taste, or not for a Minikube: only looked for with `--all`.
        fixes: whether `--fix` may have something to do.
    """

    id: str
    also: tuple[str, ...]
    error: bool
    extra: bool
    fixes: bool
    check: Check

    @property
    def about(self) -> str:
        """What it finds, in one sentence, and why that matters: its docstring."""
        parts = (self.check.__doc__ or "").split("\n\n")
        text = " ".join(word for part in parts if "://" not in part[:30] for word in part.split())
        return _FINDING_OF_A_STUDY.sub("", text)


class Book(Generic[Check]):
    """The rules of one module, in the order in which they stand there."""

    def __init__(self) -> None:
        self.rules: list[Rule[Check]] = []

    def rule(
        self, id_: str, *also: str, error: bool = False, extra: bool = False, fixes: bool = False
    ) -> Callable[[Check], Check]:
        """Make a rule of a function; its docstring says what it finds, and who says so."""

        def register(check: Check) -> Check:
            self.rules.append(
                Rule(id=id_, also=also, error=error, extra=extra, fixes=fixes, check=check)
            )
            return check

        return register


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is told of one hit."""

    id: str
    also: tuple[str, ...]
    error: bool
    place: Place
    text: str
    hints: tuple[str, ...]
    edit: Edit | None = None
    wish: Wish | None = None

    @property
    def severity(self) -> str:
        """`error` or `warning`."""
        return "error" if self.error else "warning"
