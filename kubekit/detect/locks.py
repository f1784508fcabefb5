"""uv.lock: what production installs, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubekit.detect.report import Report
from kubekit.detect.requirements import normalized
from kubekit.detect.toml import read_toml, table, tables, text_at
from kubekit.errors import FilesError

PATH = "uv.lock"


@dataclass
class Lock:
    """What is installed without the groups of development.

    Attributes:
        names: of the distributions.
        sources: those of them that have no wheel and so are built, from source.
        cloned: those of them that come out of a git repository.
        installed: whether the project itself is installed, too.
        direct: what the project asks for by itself; None where the lock is of another project.
    """

    names: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    cloned: set[str] = field(default_factory=set)
    installed: bool = False
    direct: set[str] | None = None


def read_lock(report: Report) -> Lock:
    """Read uv.lock beside pyproject.toml.

    Raises:
        FilesError: it is broken, or needs projects beside this one.
    """
    data, _ = read_toml(report.folder / PATH)
    packages: dict[str, list[dict[str, object]]] = {}
    lock = Lock()
    wanted: list[str] = []
    for package in tables(data.get("package")):
        if (name := text_at(package, "name")) is None:
            continue
        packages.setdefault(normalized(name), []).append(package)
        source = table(package, "source")
        if "." in (source.get("editable"), source.get("virtual")):
            lock.installed = source.get("editable") == "."
            wanted += _needs(package, ())
            lock.direct = {one.partition(":")[0] for one in wanted}
    _close(report, lock, packages, wanted)
    return lock


def _close(
    report: Report, lock: Lock, packages: dict[str, list[dict[str, object]]], wanted: list[str]
) -> None:
    seen: set[str] = set()
    while wanted:
        one = wanted.pop()
        if one in seen:
            continue
        seen.add(one)
        name, _, extra = one.partition(":")
        for package in packages.get(name, ()):
            lock.names.add(name)
            _origin(report, lock, name, package)
            wanted += _needs(package, (extra,))


def _origin(report: Report, lock: Lock, name: str, package: dict[str, object]) -> None:
    source = table(package, "source")
    if "git" in source:
        lock.cloned.add(name)
    elif not tables(package.get("wheels")) and "registry" in source:
        lock.sources.add(name)
    for kind in ("editable", "directory", "virtual"):
        path = source.get(kind)
        if isinstance(path, str) and path != ".":
            raise FilesError(
                f"`{name}` is installed from `{path}`, and the image holds one project",
                hints=(f"publish `{name}` as a wheel, or write the Dockerfile by hand",),
                place=report.place(PATH),
                id="lock-of-many",
            )


def _needs(package: dict[str, object], extras: Iterable[str]) -> list[str]:
    """What a package needs, as `name:` and, for each extra of it, `name:extra`."""
    entries = tables(package.get("dependencies"))
    for extra in extras:
        entries += tables(table(package, "optional-dependencies").get(extra))
    needs: list[str] = []
    for entry in entries:
        if (name := text_at(entry, "name")) is None:
            continue
        asked = entry.get("extra")
        needs.append(f"{normalized(name)}:")
        if isinstance(asked, list):
            needs += [f"{normalized(name)}:{one}" for one in asked if isinstance(one, str)]
    return needs
