"""How a command gets the flags every command has, and the settings that they make."""

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from kubekit.cli.flags import COMMON, CONSENT, SETTINGS
from kubekit.cli.running import execute

if TYPE_CHECKING:
    from kubekit.console import View
    from kubekit.model import Cancel, Settings, Where


def command(
    where: typer.Typer,
    name: str,
    *,
    files: bool = True,
    reading: bool = False,
    loading: bool = False,
    settings: Mapping[str, Any] = MappingProxyType({}),
    **extra: Any,
) -> Callable[[Callable[..., None]], None]:
    """Register a command that takes Settings and a Run, with the flags every command has.

    The function's own parameters after those two become its own flags. Without `files`, the files
    that kubekit.yaml names need not be there: a teardown must not fail for a missing Dockerfile.
    With `reading` it takes Where instead of Settings, and there need be no kubekit.yaml; with
    `loading` what reads the Settings, as often as it likes, and after the Run the keyboard.
    `settings` are flags that, like the common ones, are settings of this command.
    """

    def register(function: Callable[..., None]) -> None:
        flags = {**settings, **COMMON, **settings}
        own = list(inspect.signature(function).parameters.values())[3 if loading else 2 :]

        @functools.wraps(function)
        def called(**given: Any) -> None:
            common = {key: given.pop(key) for key in flags}
            if "yes" in {parameter.name for parameter in own}:
                given["yes"] = common["yes"]

            def work(view: "View", cancel: "Cancel") -> None:
                from kubekit.session import Run

                run, load = Run(emit=view, cancel=cancel), functools.partial(_load, common)
                if loading:
                    function(functools.partial(load, files=files), run, view.keys, **given)
                else:
                    function(_where(common) if reading else load(files=files), run, **given)

            verbosity = int(common["verbose"]) - int(common["quiet"])
            execute(work, output=common["output"], verbosity=verbosity)

        kind = inspect.Parameter.KEYWORD_ONLY
        shown = [parameter.replace(kind=kind) for parameter in own if parameter.name != "yes"]
        shown += [
            inspect.Parameter(key, kind, annotation=annotation, default=default)
            for key, (annotation, default) in flags.items()
        ]
        called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        where.command(name, **extra)(called)

    return register


def _where(common: dict[str, Any]) -> "Where":
    from kubekit.cluster import target as cluster
    from kubekit.config.where import find_where

    return find_where(
        flags=_flags(common),
        environ=os.environ,
        cwd=Path.cwd(),
        active_profile=cluster.active_profile,
    )


def _flags(common: dict[str, Any]) -> dict[str, Any]:
    return {key: common[key] for key in SETTINGS if common.get(key) is not None}


def _load(common: dict[str, Any], *, files: bool, bare: bool = False) -> "Settings":
    """The settings; `bare` ones need no kubekit.yaml."""
    from kubekit.cluster import target as cluster
    from kubekit.config import load as config
    from kubekit.model import Consent

    read = config.load_bare if bare else functools.partial(config.load, check=files)
    settings = read(
        flags=_flags(common),
        environ=os.environ,
        cwd=Path.cwd(),
        active_profile=cluster.active_profile,
    )
    given = {key: common[key] for key in CONSENT if key in common}
    return dataclasses.replace(settings, consent=Consent(**given))
