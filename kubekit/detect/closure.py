"""Which modules an application imports, over any number of steps, and which packages they import.

Told from the lines that begin with `import` and `from`, which is a hundred times faster than
parsing; a package is believed only after one of the modules that seem to import it was parsed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator

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
        paths: the modules of the project, sorted.
        votes: how many absolute imports were found from each folder.
    """

    def __init__(self, modules: Modules, starts: list[str]) -> None:
        self._modules = modules
        self.votes: Counter[str] = Counter()
        self._foreign: dict[str, list[str]] = {}
        reached: set[str] = set()
        waiting = list(starts)
        while waiting:
            path = waiting.pop()
            if path not in reached:
                reached.add(path)
                waiting += self._imports(path)
        self.paths = sorted(reached)

    def _imports(self, path: str) -> Iterator[str]:
        for found in _LINE.finditer(self._modules.tree.files[path]):
            dots, module, names, plain = found.groups()
            if plain is not None:
                for one in plain.split(b","):
                    yield from self._import(path, one.split(b" as ")[0].strip(), 0)
                continue
            module = module or b""
            yield from self._import(path, module, len(dots))
            for name in names.split(b","):
                if inner := _NAME.search(name):
                    dotted = module + b"." + inner[0] if module else inner[0]
                    yield from self._import(path, dotted, len(dots), member=True)

    def _import(self, path: str, name: bytes, level: int, *, member: bool = False) -> Iterator[str]:
        dotted = name.decode("ascii", "ignore")
        found = self._modules.locate(path, dotted, level)
        if found is not None:
            if not level:
                self.votes[found[1]] += 1
            yield found[0]
        elif not level and not member:
            self._foreign.setdefault(dotted, []).append(path)
        if level == 0 and "." in dotted and not member:
            # `import a.b.c` runs a and a.b, too.
            yield from self._import(path, dotted.rpartition(".")[0].encode(), 0, member=True)

    def packages(self, *, whole: bool) -> tuple[str, ...]:
        """Packages that are imported whenever the application is, sorted; `whole`: by name alone.

        Where `sqlalchemy.orm` is imported, so is `sqlalchemy`, which then is not listed.
        """
        names: set[str] = set()
        for dotted, paths in sorted(self._foreign.items()):
            top = dotted.partition(".")[0]
            if not top or top in sys.stdlib_module_names:
                continue
            if any(dotted in self._of(path) for path in paths[:_TRIED]):
                names.add(top if whole else dotted)
        return tuple(
            sorted(name for name in names if not any(one.startswith(f"{name}.") for one in names))
        )

    def _of(self, path: str) -> set[str]:
        parsed = self._modules.tree.parse(path)
        return imported(parsed) if parsed is not None else set()

    def drivers(self) -> set[str]:
        """The tops of all that is imported anywhere, in functions and on conditions, too."""
        return {dotted.partition(".")[0] for dotted in self._foreign}


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
