"""What changed since the last build, told from what that build was made of.

The record lies in the user's cache, one per project and cluster, and holds hashes alone. It serves
the sentence, and the name of the image before a cluster is asked; whether to build is decided by
asking for the image itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from kubekit.model import BuildPlan, Settings
from kubekit.text.cache import keep

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Record:
    """One build: its digest, and the digest of each thing it was made of."""

    digest: str
    dockerfile: str
    target: str | None
    args: str
    hashes: Mapping[str, str]
    bases: Mapping[str, str]

    @classmethod
    def of(cls, plan: BuildPlan, bases: Mapping[str, str]) -> Record:
        """Record a plan and the IDs of its base images; the values of arguments as one hash."""
        args = json.dumps(sorted(plan.settings.args.items()))
        return cls(
            digest=plan.digest,
            dockerfile=plan.dockerfile,
            target=plan.settings.target,
            args=hashlib.sha256(args.encode()).hexdigest(),
            hashes=plan.hashes,
            bases=bases,
        )


@dataclass(frozen=True)
class Memory:
    """Where the last record of one project and cluster is kept."""

    file: Path

    @classmethod
    def of(cls, settings: Settings) -> Memory:
        """Choose the file for this project at its place, in the cluster that is meant."""
        meant = [str(settings.file), settings.profile or "", settings.context or ""]
        key = "\0".join([*meant, settings.registry] if settings.registry else meant)
        short = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        name = f"{settings.name}-{short}.json"
        return cls(platformdirs.user_cache_path("kubekit") / "builds" / name)

    def read(self) -> Record | None:
        """Return the last record; None if there is none that can be read."""
        try:
            data = json.loads(self.file.read_bytes())
            if not isinstance(data["hashes"], dict) or not isinstance(data["bases"], dict):
                return None
            return Record(**data)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, record: Record) -> None:
        """Keep a record; a cache that cannot be written is no error."""
        keep(self.file, json.dumps(vars(record)))


def reason(before: Record | None, now: Record) -> str:
    """Say in one line why `now` is not what was built before.

    Args:
        before: the last build, None if nothing is known of one.
        now: what is wanted.
    """
    if before is None:
        return "first build"
    if (before.digest, before.bases) == (now.digest, now.bases):
        return "nothing changed"
    causes = [*_files(before, now), *_bases(before, now)]
    if before.args != now.args:
        causes.append("the build arguments changed")
    if before.target != now.target:
        causes.append(f"the target is now {f'`{now.target}`' if now.target else 'the last stage'}")
    return ", ".join(causes) or "the way kubekit builds changed"


def _files(before: Record, now: Record) -> list[str]:
    if before.dockerfile != now.dockerfile:
        return ["another Dockerfile"]
    paths = [
        path
        for path in sorted({*before.hashes, *now.hashes})
        if before.hashes.get(path) != now.hashes.get(path)
    ]
    # A folder changes with what is in it, which says more.
    paths = [path for path in paths if not _is_folder(path, before, now)] or paths
    if not paths:
        return []
    if len(paths) == 1:
        return [f"{paths[0]} {_what(paths[0], before, now)}"]
    rest = len(paths) - _SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return [f"{len(paths)} files changed: {', '.join(paths[:_SHOWN])}{more}"]


def _bases(before: Record, now: Record) -> list[str]:
    return [
        f"the base image `{name}` is another one"
        for name, id_ in now.bases.items()
        if before.bases.get(name, id_) != id_
    ]


def _is_folder(path: str, before: Record, now: Record) -> bool:
    return (now.hashes.get(path) or before.hashes[path]).startswith("folder:")


def _what(path: str, before: Record, now: Record) -> str:
    if path not in before.hashes:
        return "is new"
    if path not in now.hashes:
        return "is gone"
    old, new = before.hashes[path].split(":"), now.hashes[path].split(":")
    only_mode = old[0] == new[0] != "link" and old[2:] == new[2:]
    return f"has other permissions, {new[1]}" if only_mode else "changed"
