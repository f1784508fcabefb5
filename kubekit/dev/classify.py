"""What a save asks for: files into the pods, another image, the objects again, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kubekit.dev.packed import Packed
from kubekit.dev.reload import env_path
from kubekit.dev.tree import is_noise
from kubekit.errors import KubekitError
from kubekit.image.changes import DEPENDENCIES
from kubekit.image.files import context
from kubekit.manifests.sources import SUFFIXES
from kubekit.model import BuildPlan, Settings


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to do about a save, and which files ask for it; all three may be asked for at once.

    Attributes:
        sync: files that lie in the containers.
        rebuild: files that are made into the image in another way.
        apply: files that the objects are made from.
    """

    sync: tuple[Path, ...] = ()
    rebuild: tuple[Path, ...] = ()
    apply: tuple[Path, ...] = ()


def roots(settings: Settings, plan: BuildPlan | None) -> Mapping[Path, bool]:
    """The folders to watch, and whether all below each is meant.

    Of the build context only the folders that are sent: what is ignored, such as `node_modules`,
    costs no watch.
    """
    found: dict[Path, bool] = {settings.root: False}
    for path in settings.manifests:
        if path.is_dir():
            found[path] = True
        else:
            found.setdefault(path.parent, False)
    if settings.env_file is not None:
        found.setdefault(settings.env_file.parent, False)
    for rule in settings.dev.sync:
        found[rule.src] = True
    if settings.build is not None:
        build = settings.build
        found.setdefault(build.dockerfile.parent, False)
        found.setdefault(build.context, False)
        for folder in _folders(build.context):  # what comes into one that is empty by now
            found.setdefault(folder, False)
        tops = {path.partition("/")[0] for path in plan.hashes if "/" in path} if plan else ()
        found |= {build.context / top: True for top in tops}
    return found


def _folders(context: Path) -> list[Path]:
    try:
        return [path for path in context.iterdir() if path.is_dir() and not is_noise(path.name)]
    except OSError:
        return []


def held(plan: BuildPlan, settings: Settings) -> BuildPlan:
    """What is asked of the plan of the image that runs, in little memory.

    None of its files, and no hashes of what is synced, of which one path tells each folder that
    is to be watched.
    """
    is_synced = _synced(settings)
    base = plan.settings.context
    kept: dict[str, str] = {}
    tops: set[str] = set()
    for path, fingerprint in plan.hashes.items():
        top, below, _ = path.partition("/")
        if (below and top not in tops) or not is_synced(f"{base}/{path}"):
            kept[path] = fingerprint
        if below:
            tops.add(top)
    return replace(plan, files=(), hashes=Packed(kept.items()))


def classify(
    paths: Iterable[Path],
    settings: Settings,
    plan: BuildPlan | None,
    *,
    failed: bool = False,
    known: Callable[[Path], bool] = lambda _: True,
) -> Change:
    """Tell what these touched files ask for.

    Whether a file of the build context matters is not guessed: the plan is made anew and compared.

    Args:
        paths: absolute.
        settings: of the project.
        plan: what the image that runs was built from; None if nothing is built.
        failed: the last release did: a file of the image that is put back asks for one, too.
        known: whether a path was synced before, so that it matters if nothing is there any more:
            what an editor writes beside a file has come and gone by now.
    """
    is_synced = _synced(settings)
    sync, apply, build = [], [], []
    for path in sorted(paths):
        if is_noise(path.relative_to(_root(path, settings)).as_posix()):
            continue
        if _is_applied(path, settings):
            apply.append(path)
        elif is_synced(str(path)):
            if os.path.lexists(path) or known(path):
                sync.append(path)
        elif _may_be_built(path, settings):
            build.append(path)
    return Change(
        sync=tuple(sync), rebuild=_rebuilt(build, settings, plan, failed=failed), apply=tuple(apply)
    )


def _root(path: Path, settings: Settings) -> Path:
    """The folder below which names are the project's own."""
    known = [settings.root, *(rule.src for rule in settings.dev.sync)]
    if settings.build is not None:
        known.append(settings.build.context)
    within = [root for root in known if path.is_relative_to(root)]
    return max(within, key=lambda root: len(root.parts), default=path.parent)


def _is_applied(path: Path, settings: Settings) -> bool:
    if path in (settings.file, env_path(settings), *settings.manifests):
        return True
    return path.suffix in SUFFIXES and any(path.is_relative_to(one) for one in settings.manifests)


def _synced(settings: Settings) -> Callable[[str], bool]:
    """Tell of a path whether it lies in a folder that is synced, and only the app is made of it."""
    build = settings.build
    others = (build.dockerfile, context.ignore_path(build)) if build is not None else ()
    apart = {str(path) for path in others}
    below = tuple(f"{rule.src}/" for rule in settings.dev.sync)

    def is_synced(path: str) -> bool:
        if path in apart or not f"{path}/".startswith(below):
            return False
        return not DEPENDENCIES.fullmatch(path.rpartition("/")[2])

    return is_synced


def _may_be_built(path: Path, settings: Settings) -> bool:
    build = settings.build
    return build is not None and (
        path == build.dockerfile
        or path == context.ignore_path(build)
        or path.is_relative_to(build.context)
    )


def _rebuilt(
    paths: list[Path], settings: Settings, plan: BuildPlan | None, *, failed: bool
) -> tuple[Path, ...]:
    """Those of the paths that would make another image, synced files aside."""
    if not paths or settings.build is None:
        return ()
    if plan is None:
        return _there(paths)
    ignoring = context.ignore_path(settings.build)
    if ignoring in paths:
        return (ignoring,)  # of synced files it decides, too, which no plan is compared for
    try:
        now = context.plan(settings.build, name=plan.name)
    except KubekitError:
        return _there(paths)  # the build will say what is wrong
    old, new = _unsynced(plan, settings), _unsynced(now, settings)
    base = settings.build.context
    differing = {base / path for path, _ in old.items() ^ new.items()}
    if differing:
        # What the Dockerfile takes from now on is not itself touched.
        return tuple(path for path in paths if path in differing) or _there(paths)
    made_of = {base / path for path in new} | {plan.settings.dockerfile}
    return tuple(path for path in paths if path in made_of) if failed else ()


def _there(paths: list[Path]) -> tuple[Path, ...]:
    """Those that are there, if any is: the others an editor may have written beside them."""
    return tuple(path for path in paths if os.path.lexists(path)) or tuple(paths)


def _unsynced(plan: BuildPlan, settings: Settings) -> Mapping[str, str]:
    """Path -> fingerprint of what is in the plan and is not synced."""
    is_synced, base = _synced(settings), plan.settings.context
    return {
        path: fingerprint
        for path, fingerprint in plan.hashes.items()
        if not fingerprint.startswith("folder:") and not is_synced(f"{base}/{path}")
    }
