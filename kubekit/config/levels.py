"""The levels above and beside kubekit.yaml: flags, variables, and what Minikube says."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kubekit.errors import Place, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILE_NAME = "kubekit.yaml"
_BACKEND_FILES = ("pyproject.toml", "requirements.txt", "manage.py", "*.py")
T = TypeVar("T")


def absolute_path(text: str, base: Path) -> Path:
    """A path of the user's, which starts at `base` if it is relative."""
    return Path(os.path.normpath(base / text))


@dataclass(frozen=True)
class Given:
    """Flags and variables, the two levels above kubekit.yaml."""

    flags: Mapping[str, object]
    environ: Mapping[str, str]
    cwd: Path

    def levels(self, key: str) -> list[tuple[object, str]]:
        """The flag's and the variable's value, None where not given, each with its origin.

        Raises:
            UsageError: the flag is empty, which a script may mean as anything but the default.
        """
        variable_name = f"KUBEKIT_{key.upper()}"
        flag, flag_name = self.flags.get(key), f"--{key.replace('_', '-')}"
        if flag is not None and not str(flag).strip():
            raise UsageError(f"flag `{flag_name}` is empty")
        return [
            (flag, f"flag {flag_name}"),
            (self.environ.get(variable_name) or None, f"environment {variable_name}"),
        ]

    def pick(self, key: str, check: Callable[[Any], T], origins: dict[str, str]) -> T | None:
        """The checked value of the higher level; None if neither is given.

        Args:
            key: of the setting.
            check: returns the value, or raises ValueError saying what is wrong with it.
            origins: gets where it came from.

        Raises:
            UsageError: what is given is wrong.
        """
        for value, origin in self.levels(key):
            if value is not None:
                origins[key] = origin
                try:
                    return check(value)
                except ValueError as caught:
                    raise UsageError(f"{origin}: {caught}") from None
        return None


def find_file(given: Given) -> tuple[Path, str]:
    """The kubekit.yaml to read, and why that one.

    Raises:
        UsageError: there is none.
    """
    found = look_for_file(given)
    if found is not None:
        return found
    minimal = f"name: {_name_for(given.cwd)}"
    hints = (
        *_writes_it(given.cwd),
        f"write one: `{minimal}` applies `manifests`; `build: {{context: .}}` builds an image too",
        "or name another file with `--file` or KUBEKIT_FILE",
    )
    raise UsageError(
        f"no `{FILE_NAME}` in `{given.cwd}` or any folder above it", hints=hints, id="no-project"
    )


def _writes_it(folder: Path) -> tuple[str, ...]:
    """Who stands in a Python backend need not write anything by hand."""
    if not any(any(folder.glob(one)) for one in _BACKEND_FILES):
        return ()
    return ("`kubekit init` writes it, and all else that a Python backend needs",)


def look_for_file(given: Given) -> tuple[Path, str] | None:
    """The kubekit.yaml that is named, there or not, else the nearest one, and why that one."""
    for value, origin in given.levels("file"):
        if value is not None:
            return absolute_path(str(value), given.cwd), origin
    for folder in (given.cwd, *given.cwd.parents):
        if (file := folder / FILE_NAME).is_file():
            return (
                file,
                "found in this folder" if folder == given.cwd else "found in a folder above",
            )
    return None


def _name_for(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:63] or "my-app"


def choose_cluster(
    given: Given,
    project: tuple[str | None, str | None],
    place: Callable[[str], Place],
    active_profile: Callable[[], str | None],
) -> tuple[str | None, str | None, str]:
    """Profile or context, never both, and where it came from.

    A context of one level beats a profile of a lower one, and the other way round.

    Args:
        given: the levels above the file.
        project: profile and context as kubekit.yaml has them.
        place: where a key stands in kubekit.yaml.
        active_profile: Minikube's own, asked when nothing else names a cluster.

    Raises:
        UsageError: one level names both.
    """
    in_file = [
        (value, f"{place(key).file.name}:{place(key).line}")
        for key, value in zip(("profile", "context"), project, strict=True)
    ]
    named = named_cluster(given, in_file)
    if named is not None:
        return named
    if profile_variable := given.environ.get("MINIKUBE_PROFILE"):
        return profile_variable, None, "environment MINIKUBE_PROFILE"
    if active := active_profile():
        return active, None, "Minikube's active profile"
    return "minikube", None, "default"


def named_cluster(
    given: Given, *lower: list[tuple[Any, str]]
) -> tuple[str | None, str | None, str] | None:
    """The profile or the context that the highest level names, and that level; None without any.

    Args:
        given: the two levels above the file.
        lower: further levels, each the profile and the context with their origins.

    Raises:
        UsageError: one level names both.
    """
    levels = zip(given.levels("profile"), given.levels("context"), strict=True)
    for profile, context in [*levels, *lower]:
        if profile[0] is not None and context[0] is not None:
            raise UsageError(
                f"{profile[1]} and {context[1]} name a cluster each, by profile and by context",
                hints=("keep one: `profile` for a Minikube, `context` for any other cluster",),
            )
        if profile[0] is not None:
            return str(profile[0]), None, profile[1]
        if context[0] is not None:
            return None, str(context[0]), context[1]
    return None
