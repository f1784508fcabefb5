"""Which modules an application imports, over any number of steps, and which packages they import.

Told from the lines that begin with `import` and `from`, which is a hundred times faster than
parsing; a package is believed only after one of the modules that seem to import it was parsed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from kubekit.detect.symbols import Modules, statements

_LINE = re.compile(
    rb"^[ \t]*+(?:from[ \t]++(\.*+)(?:[ \t]*+([\w.]++))?[ \t]++import[ \t]*+(\([^)]*+\)?|[^\n#;]*+)"
    rb"|import[ \t]++([^\n#;]++))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[A-Za-z_]\w*")
_TRIED = 5
"""Modules that are parsed for one package before it is taken for a word in a docstring."""


class Closure:
    """What is reached from some modules.

    Attributes:
        votes: how many absolute imports were found from each folder.
    """

    def __init__(self, modules: Modules, starts: Iterable[str]) -> None:
        self._modules = modules
        self.votes: Counter[str] = Counter()
        self._foreign: dict[str, set[str]] = {}
        self._anywhere: set[str] = set()
        self._reached: set[str] = set()
        self._of: dict[str, set[str]] = {}
        self.follow(starts)

    @property
    def paths(self) -> list[str]:
        """The modules of the project, sorted."""
        return sorted(self._reached)

    def follow(self, starts: Iterable[str]) -> None:
        """Add what is reached from further modules."""
        waiting = list(starts)
        while waiting:
            path = waiting.pop()
            if path not in self._reached:
                self._reached.add(path)
                waiting += self._imports(path)

    def _imports(self, path: str) -> Iterator[str]:
        for found in _LINE.finditer(self._modules.tree.files[path]):
            dots, module, names, plain = found.groups()
            indented = found[0][:1] in {b" ", b"\t"}
            if plain is not None:
                for one in plain.split(b","):
                    dotted = one.split(b" as ")[0].strip().decode("ascii", "ignore")
                    yield from self._import(path, dotted, 0, indented=indented)
                continue
            dotted = (module or b"").decode("ascii", "ignore")
            within = list(self._import(path, dotted, len(dots), indented=indented))
            yield from within
            if within and not within[0].endswith("__init__.py"):
                continue  # what it gives is in that file
            for name in _NAME.findall(names) if not _standard(dotted) else ():
                member = name.decode()
                inner = f"{dotted}.{member}" if dotted else member
                yield from self._located(path, inner, len(dots))

    def _located(self, path: str, dotted: str, level: int) -> Iterator[str]:
        found = self._modules.locate(path, dotted, level)
        if found is not None:
            if not level:
                self.votes[found[1]] += 1
            yield found[0]

    def _import(self, path: str, dotted: str, level: int, *, indented: bool) -> Iterator[str]:
        if not level and _standard(dotted):
            self._anywhere.add(dotted.partition(".")[0])
            return
        located = list(self._located(path, dotted, level))
        yield from located
        if not located and not level:
            self._anywhere.add(dotted.partition(".")[0])
            if not indented:
                self._foreign.setdefault(dotted, set()).add(path)
        if level == 0 and "." in dotted:
            # `import a.b.c` runs a and a.b, too.
            yield from self._located(path, dotted.rpartition(".")[0], 0)

    def packages(self, *, whole: bool) -> tuple[str, ...]:
        """Packages that are imported whenever the application is, sorted; `whole`: by name alone.

        Where `sqlalchemy.orm` is imported, so is `sqlalchemy`, which then is not listed.
        """
        names: set[str] = set()
        for dotted, paths in sorted(self._foreign.items()):
            if dotted and self._is_import(dotted, paths):
                names.add(dotted.partition(".")[0] if whole else dotted)
        return tuple(
            sorted(name for name in names if not any(one.startswith(f"{name}.") for one in names))
        )

    def _is_import(self, dotted: str, paths: set[str]) -> bool:
        files = self._modules.tree.files
        # What was parsed already costs nothing, and the short ones little.
        order = sorted(paths, key=lambda path: (path not in self._of, len(files[path]), path))
        for path in order[:_TRIED]:
            if path not in self._of:
                parsed = self._modules.tree.parse(path)
                self._of[path] = imported(parsed) if parsed is not None else set()
            if dotted in self._of[path]:
                return True
        return False

    def drivers(self) -> set[str]:
        """The tops of all that is imported anywhere, in functions and on conditions, too."""
        return self._anywhere


def _standard(dotted: str) -> bool:
    return dotted.partition(".")[0] in sys.stdlib_module_names


def imported(parsed: ast.Module) -> set[str]:
    """What a module imports by itself, without what it merely tries to."""
    names: set[str] = set()
    tried = {
        id(inner)
        for node in parsed.body
        if isinstance(node, ast.Try | ast.TryStar)
        for inner in ast.walk(node)
    }
    for one in statements(parsed.body):
        if id(one) in tried:
            continue
        if isinstance(one, ast.Import):
            names.update(alias.name for alias in one.names)
        elif isinstance(one, ast.ImportFrom) and not one.level and one.module:
            names.add(one.module)
    return names
