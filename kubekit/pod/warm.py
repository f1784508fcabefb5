"""Keeping a process warm: which modules may be imported once for all, and the project's own.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later.
"""

from __future__ import annotations

import gc
import importlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType
from typing import Any

_FORK = "does not survive a fork"
_PATCHES = "changes modules as they are imported"
UNSAFE = {
    # What starts threads of its own, or holds what a child cannot use, as soon as it is imported.
    "grpc": _FORK,  # https://github.com/bblfsh/python-driver/issues/55
    "jax": _FORK,  # https://github.com/google/jax/issues/1805
    "polars": _FORK,  # https://docs.pola.rs/user-guide/misc/multiprocessing/
    "tensorflow": _FORK,  # https://github.com/tornadoweb/tornado/issues/2115
    "torch": _FORK,  # https://github.com/pytorch/pytorch/issues/40403
    # What changes other modules, and so must come before them in every process.
    "ddtrace": _PATCHES,
    "eventlet": "replaces modules of the standard library",
    "newrelic": _PATCHES,
}
"""Modules that no warm process may hold, why, and where that is known from."""

Codes = dict[str, tuple[bytes, CodeType]]
"""Path -> the bytes that were compiled, and what they were compiled to."""


class Fresh(SourceFileLoader):
    """Loads a module of the project from its source, whatever compiled file lies beside it.

    A compiled file is known by the time, in seconds, and the size of its source: two saves within
    a second may leave the old code. What is known here is known by the source itself.
    """

    codes: Codes = {}  # noqa: RUF012

    def path_stats(self, path: str) -> Mapping[str, object]:
        """There is nothing to compare: this is how no compiled file is read or written."""
        raise OSError(path)

    def source_to_code(  # type: ignore[override]
        self, data: bytes, path: str, *, _optimize: int = -1
    ) -> CodeType:
        """What these bytes were compiled to, if they were."""
        known = self.codes.get(path)
        if known and known[0] == data and _optimize == -1:
            return known[1]
        return super().source_to_code(data, path, _optimize=_optimize)


def load_fresh(synced: Sequence[str]) -> None:
    """Let modules below these folders be loaded by `Fresh`, from now on, in this process."""

    def hook(path: str) -> FileFinder:
        if not is_below(os.path.realpath(path or os.getcwd()), synced) or not os.path.isdir(
            path or os.curdir
        ):
            raise ImportError(path)
        return FileFinder(
            path or os.curdir,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (Fresh, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of these folders or lies in one."""
    return any(path == one or path.startswith(one.rstrip(os.sep) + os.sep) for one in folders)


class Modules:
    """Tells, in a program, the modules of others from those of the project."""

    def __init__(self, synced: Sequence[str]) -> None:
        paths = sysconfig.get_paths()
        roots = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
        roots.update(site.getsitepackages(), [site.getusersitepackages()])
        self._roots = {os.path.realpath(one) for one in roots}
        self._synced = synced
        self._known = set(sys.modules)
        self._start = dict(os.environ)

    def foreign(self, path: str) -> bool:
        """Whether a file is not the project's: an environment may lie below a synced folder."""
        real = os.path.realpath(path)
        inside = [len(one) for one in self._roots if is_below(real, [one])]
        synced = [len(one) for one in self._synced if is_below(real, [one])]
        return bool(inside) and max(inside) > max(synced, default=0)

    def own(self, path: str) -> bool:
        """Whether a file is below a synced folder, and not in an environment there."""
        return is_below(os.path.realpath(path), self._synced) and not self.foreign(path)

    def news(self) -> dict[str, object]:
        """What was imported since the last time, and what was changed beside that.

        Returns:
            `names`: modules of others, in their order; `files`: those of the project; `aliases`:
            modules known by another name; `path`: `sys.path`; `environ`: the variables that were
            set; `patched`: a reason to stay cold.
        """
        names, files, aliases = [], [], {}
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            if name in self._known or spec is None or name == "__main__":
                continue
            self._known.add(name)
            origin = spec.origin or ""
            if spec.name != name:
                aliases[name] = spec.name
                continue
            if origin in ("built-in", "frozen") or (spec.has_location and self.foreign(origin)):
                names.append(name)
            elif origin.endswith(".py") and self.own(origin):
                files.append(origin)
        environ = [key for key, value in os.environ.items() if self._start.get(key) != value]
        return {
            "names": names,
            "files": files,
            "aliases": aliases,
            "path": list(sys.path),
            "environ": environ,
            "patched": patched(),
        }


def patched() -> str:
    """What in this program has replaced parts of the standard library; "" if nothing has."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and getattr(monkey, "saved", None):
        return "`gevent` has replaced modules of the standard library"
    return ""


class _Reading(os._Environ):  # type: ignore[type-arg] # noqa: SLF001
    """The environment, which notes what is read."""

    reads: dict[str, str] = {}  # noqa: RUF012
    reader = ""

    def __getitem__(self, key: str) -> str:
        self.reads.setdefault(key, self.reader)
        value: str = super().__getitem__(key)
        return value


class Preload:
    """Imports in this process, one by one, what a program has imported from others.

    Attributes:
        cold: why no program may be forked from this process; "" while it may.
    """

    def __init__(self, synced: Sequence[str]) -> None:
        self.cold = ""
        self.added: list[str] = []
        self._synced = synced
        self._queue: list[str] = []
        self._files: list[str] = []
        self._environ: set[str] = set()
        self._aliases: dict[str, str] = {}
        self._base = dict(os.environ)
        self._frozen = True

    def learn(self, news: Mapping[str, Any]) -> None:
        """Take what a program says of itself: `Modules.news`."""
        self._files += news["files"]
        self._environ.update(news["environ"])
        self._aliases.update(news["aliases"])
        if news["patched"]:
            self.cold = self.cold or str(news["patched"])
        banned = next((one for one in news["names"] if one.split(".")[0] in UNSAFE), "")
        if banned:
            root = banned.split(".", maxsplit=1)[0]
            self.cold = self.cold or f"`{root}` {UNSAFE[root]}"
        if not self.cold and news["names"]:
            self._queue += news["names"]
            self._path = news["path"]
            self._frozen = False

    @property
    def busy(self) -> bool:
        """Whether a step is left."""
        return bool(self._files or (not self.cold and not self._frozen))

    def step(self) -> None:
        """Do one: import a module, or compile a file of the project."""
        if self._queue and not self.cold:
            self._import(self._queue.pop(0))
        elif not self._frozen and not self.cold:
            self._frozen = True
            self._judge()
        elif self._files:
            self._compile(self._files.pop(0))

    def _import(self, name: str) -> None:
        if name in sys.modules:
            return
        path, sys.path[:] = list(sys.path), self._path
        before = list(sys.path)
        environ = os.environ.__class__
        _Reading.reader = name
        os.environ.__class__ = _Reading
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: BLE001
            # What is not imported here is imported by the program itself, and fails there or not.
            sys.modules.pop(name, None)
        finally:
            os.environ.__class__ = environ
            self.added += [one for one in sys.path if one not in before]
            sys.path[:] = path

    def _compile(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                data = file.read()
            if Fresh.codes.get(path, (b"",))[0] != data:
                Fresh.codes[path] = (data, compile(data, path, "exec", dont_inherit=True))
        except (OSError, SyntaxError, ValueError):
            Fresh.codes.pop(path, None)

    def _judge(self) -> None:
        """See whether what was imported lets this process be forked."""
        modules = Modules(self._synced)
        own = next((name for name, path in _located() if modules.own(path)), "")
        changed = {key for key, value in os.environ.items() if self._base.get(key) != value}
        alias = next((one for one in self._aliases.items() if _alias(*one)), None)
        if own:
            self.cold = f"`{own}` is the project's, and a package of others imports it"
        elif alias:
            self.cold = f"the project puts `{alias[1]}` in the place of `{alias[0]}`"
        elif threads() > 1:
            self.cold = f"a thread is started by an import: {', '.join(_thread_names())}"
        elif early := sorted((self._environ - changed) & set(_Reading.reads)):
            reader = _Reading.reads[early[0]]
            self.cold = f"the project sets `{early[0]}`, which `{reader}` reads when it is imported"
        gc.collect()
        gc.freeze()


def _located() -> Iterator[tuple[str, str]]:
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin and not name.startswith("_kubekit_"):
            yield name, os.path.realpath(origin)


def threads() -> int:
    """How many threads this process has, those that Python does not know of among them."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        threading = sys.modules.get("threading")
        return int(threading.active_count()) if threading else 1


def _alias(name: str, real: str) -> bool:
    """Whether a module has this other name in the program and not here."""
    module = sys.modules.get(name)
    return real in sys.modules and getattr(getattr(module, "__spec__", None), "name", "") != real


def _thread_names() -> list[str]:
    threading = sys.modules.get("threading")
    names = [one.name for one in threading.enumerate()[1:]] if threading else []
    return names or ["one that Python does not know"]


def reseed() -> None:
    """Give a forked program random numbers of its own; Python's `random` does so by itself."""
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()
