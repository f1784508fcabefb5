"""Where a command that only reads is to look: with a kubekit.yaml, and without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubekit.config.levels import Given, look_for_file, named_cluster
from kubekit.config.load import load
from kubekit.config.validators import label
from kubekit.model import Where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def find_where(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    cwd: Path,
    active_profile: Callable[[], str | None],
) -> Where:
    """What flags, variables and kubekit.yaml say of the cluster and the namespace.

    The arguments are those of `load`. Without a kubekit.yaml, what neither flag nor variable
    names is None: it is then the kubeconfig's to say.

    Raises:
        UsageError: a kubekit.yaml that is there, or a flag or a variable, is wrong.
    """
    given = Given(flags, environ, cwd)
    if look_for_file(given) is not None:
        settings = load(
            flags=flags, environ=environ, cwd=cwd, active_profile=active_profile, check=False
        )
        return Where(
            profile=settings.profile,
            context=settings.context,
            namespace=settings.namespace,
            settings=settings,
        )
    profile, context, _ = named_cluster(given) or (None, None, "")
    return Where(profile=profile, context=context, namespace=given.pick("namespace", label, {}))
