"""What changed since the last build, told from what that build was made of.

The record lies in the user's cache, one per project and cluster, and holds hashes alone. It serves
the sentence, and the name of the image before a cluster is asked; whether to build is decided by
asking for the image itself.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from kubekit.model import BuildPlan, Settings
from kubekit.text.cache import keep

_SHOWN = 3
_HEAD = ("digest", "dockerfile", "target", "args", "secrets", "bases")
DEPENDENCIES = re.compile(
    r"(.*/)?(requirements[^/]*\.(txt|in)|requirements/[^/]+\.(txt|in)|constraints[^/]*\.txt"
    r"|pyproject\.toml|(uv|poetry|pdm)\.lock|pylock[^/]*\.toml|Pipfile(\.lock)?|setup\.(py|cfg))"
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One build: its digest, and the digest of each thing it was made of.

    Attributes:
        args: SHA-256, in hex, of the build arguments with their values.
        files: path, fingerprint, path, fingerprint: one text, with NUL between them, because few
            runs look into it.
        bases: reference -> ID of each image it starts and copies from.
        secrets: the IDs of the build secrets that are given, with commas; never a value.
    """

    digest: str
    dockerfile: str
    target: str | None
    args: str
    files: str
    bases: Mapping[str, str]
    secrets: str = ""

    @classmethod
    def of(cls, plan: BuildPlan, bases: Mapping[str, str]) -> Record:
        """Record a plan and the IDs of its base images; the values of arguments as one hash."""
        args = json.dumps(sorted(plan.settings.args.items()))
        return cls(
            digest=plan.digest,
            dockerfile=plan.dockerfile,
            target=plan.settings.target,
            args=hashlib.sha256(args.encode()).hexdigest(),
            files="\0".join(itertools.chain.from_iterable(plan.hashes.items())),
            bases=bases,
            secrets=", ".join(plan.settings.secret_names),
        )

    @functools.cached_property
    def hashes(self) -> Mapping[str, str]:
        """Path -> what it holds, as in BuildPlan."""
        parts = self.files.split("\0")
        return dict(zip(parts[::2], parts[1::2], strict=False))


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
        name = f"{settings.name}-{short}.record"
        return cls(platformdirs.user_cache_path("kubekit") / "builds" / name)

    def read(self) -> Record | None:
        """Return the last record; None if there is none that can be read."""
        try:
            head, _, files = self.file.read_bytes().partition(b"\n")
            record = Record(**json.loads(head), files=files.decode("utf-8", "surrogateescape"))
        except (OSError, ValueError, TypeError):
            return None
        return record if isinstance(record.bases, dict) else None

    def write(self, record: Record) -> None:
        """Keep a record; a cache that cannot be written is no error."""
        head = {key: getattr(record, key) for key in _HEAD}
        files = record.files.encode("utf-8", "surrogateescape")
        keep(self.file, json.dumps(head).encode() + b"\n" + files)


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
    if before.secrets != now.secrets:
        causes.append("other build secrets are given")
    if before.target != now.target:
        causes.append(f"the target is now {f'`{now.target}`' if now.target else 'the last stage'}")
    return ", ".join(causes) or "the way kubekit builds changed"


def unchanged(before: Record | None, now: Record) -> str:
    """What to add to the reason of a build: that the dependencies are not among the changes."""
    if before is None or before.hashes == now.hashes:
        return ""
    if replace(before, digest=now.digest, files=now.files) != now:
        return ""
    paths = _changed(before, now)
    is_there = any(DEPENDENCIES.fullmatch(path) for path in now.hashes)
    is_changed = any(path == now.dockerfile or DEPENDENCIES.fullmatch(path) for path in paths)
    return "; dependencies unchanged" if is_there and not is_changed else ""


def _files(before: Record, now: Record) -> list[str]:
    if before.dockerfile != now.dockerfile:
        return ["another Dockerfile"]
    paths = _changed(before, now)
    # A folder changes with what is in it, which says more.
    paths = [path for path in paths if not _is_folder(path, before, now)] or paths
    # What costs most comes first: the Dockerfile, then the dependencies.
    paths.sort(key=lambda path: (path != now.dockerfile, not DEPENDENCIES.fullmatch(path)))
    if not paths:
        return []
    if len(paths) == 1:
        return [f"{paths[0]} {_what(paths[0], before, now)}"]
    rest = len(paths) - _SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return [f"{len(paths)} files changed: {', '.join(paths[:_SHOWN])}{more}"]


def _changed(before: Record, now: Record) -> list[str]:
    """The paths that hold something else, in their order."""
    differing = dict(before.hashes.items() ^ now.hashes.items())
    return sorted(differing)


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
