"""Which cluster a run may touch, proved before anything is done to it.

A context is acted on only if Minikube made it, or if `allow_contexts` names it; never because it
happens to be the current one.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubekit.cluster.kubeconfig import Context, contexts, current
from kubekit.errors import Place, UnreachableError, UsageError
from kubekit.model import ClusterTarget, Settings, Where

INSTALL_MINIKUBE = "install it: https://minikube.sigs.k8s.io/docs/start/"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A Minikube profile as its config.json describes it, running or not.

    Attributes:
        machines: its nodes, as `minikube ssh -n` and Kubernetes call them; the one that builds
            first.
    """

    name: str
    runtime: str
    machines: tuple[str, ...]
    file: Path
    driver: str = ""

    @property
    def nodes(self) -> int:
        """How many nodes it has."""
        return len(self.machines)

    @property
    def has_docker(self) -> bool:
        """Whether Minikube leads to a Docker where all its pods find what is built there."""
        return self.runtime == "docker" and self.nodes == 1


def minikube_home() -> Path:
    """Minikube's folder: MINIKUBE_HOME, with ``.minikube`` added unless it is named so.

    Source: minikube, pkg/minikube/localpath/localpath.go.
    """
    home = os.environ.get("MINIKUBE_HOME")
    if not home:
        return Path.home() / ".minikube"
    path = Path(home)
    return path if path.name == ".minikube" else path / ".minikube"


def active_profile() -> str | None:
    """The profile `minikube profile NAME` chose, if any."""
    file = minikube_home() / "config" / "config.json"
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    name = data.get("profile") if isinstance(data, dict) else None
    return str(name) if name else None


def profiles() -> list[str]:
    """The names of all profiles of this user."""
    return sorted(file.parent.name for file in minikube_home().glob("profiles/*/config.json"))


def read_profile(name: str) -> Profile | None:
    """The profile, or None where there is none; asks no program.

    Raises:
        UnreachableError: its config.json is damaged.
    """
    file = minikube_home() / "profiles" / name / "config.json"
    try:
        data = json.loads(file.read_bytes())
        kubernetes: Mapping[str, Any] = data["KubernetesConfig"]
        return Profile(
            name=name,
            # Profiles written before Minikube knew other runtimes leave it empty and mean docker.
            runtime=str(kubernetes.get("ContainerRuntime") or "docker"),
            machines=_machines(name, data.get("Nodes") or ()),
            file=file,
            driver=str(data.get("Driver") or ""),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreachableError(
            f"the config of Minikube profile `{name}` is damaged",
            hints=(f"make it anew: `minikube delete -p {name}`, then `kubekit up`",),
            place=Place(file=file),
            id="profile-damaged",
        ) from error


def _machines(profile: str, nodes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the machines; source: minikube, pkg/minikube/config/profile.go, MachineName."""
    names = [
        str(node.get("Name") or "")
        for node in sorted(nodes, key=lambda node: not node.get("ControlPlane"))
    ]
    if len(names) < 2:  # noqa: PLR2004 - a single node is called as the profile is
        return (profile,)
    return tuple(f"{profile}-{name}" if name else profile for name in names)


def resolve(settings: Settings) -> ClusterTarget:
    """The cluster these settings mean, if kubekit may act on it.

    Raises:
        UsageError: the context is not known or not allowed.
        UnreachableError: the profile is missing or stopped.
    """
    known = contexts()
    if settings.context is not None:
        return _by_context(settings.context, known, settings.allow_contexts)
    name = settings.profile
    if name is None:
        raise AssertionError("Settings without a context have a profile")
    profile = read_profile(name)
    if profile is None:
        raise no_profile(name)
    context = known.get(name)
    if context is None:
        raise _stopped(name)
    if not context.minikube or context.cluster != name:
        raise _refused(name)
    return ClusterTarget(context=name, profile=name)


def resolve_for_reading(where: Where) -> tuple[ClusterTarget, str]:
    """The cluster and the namespace to look at, for a command that changes nothing.

    Looking is harmless, so the cluster need not be one that Minikube made, and where nothing is
    said the kubeconfig's current context and its namespace are meant.

    Raises:
        UsageError: the context is not known, or none is chosen.
        UnreachableError: the profile is missing or stopped.
    """
    known = contexts()
    name = where.context or where.profile or current()
    if name is None:
        raise UsageError(
            "the kubeconfig has no current context, and no cluster was named",
            hints=("name one with `--context`, or a Minikube profile with `--profile`",),
            id="context-missing",
        )
    context = known.get(name)
    if context is None and where.profile is not None:
        raise _stopped(name) if read_profile(name) else no_profile(name)
    if context is None:
        raise _unknown(name, known)
    made = context.minikube and read_profile(context.cluster) is not None
    target = ClusterTarget(context=name, profile=context.cluster if made else None)
    return target, where.namespace or context.namespace or "default"


def no_profile(name: str) -> UnreachableError:
    """The error for a profile that does not exist, with the ones that do."""
    names = profiles()
    close = difflib.get_close_matches(name, names, n=1)
    hints = [f"did you mean `{one}`?" for one in close]
    if names and not close:
        told = ", ".join(f"`{one}`" for one in names)
        hints.append(f"there are {told}: name one with `--profile` or KUBEKIT_PROFILE")
    return UnreachableError(
        f"there is no Minikube profile `{name}`",
        hints=(*hints, f"create it with `kubekit up --profile {name}`"),
        id="profile-missing",
    )


def need_profile(target: ClusterTarget) -> Profile:
    """The Minikube profile of the target, in which images can be built.

    Raises:
        UnreachableError: the target is another cluster.
    """
    profile = read_profile(target.profile) if target.profile else None
    if profile is None:
        raise UnreachableError(
            f"context `{target.context}` has no Minikube profile in which an image could be built",
            hints=(
                "name a registry that its nodes can pull from: `--registry HOST/PATH`",
                "or leave `build` out of kubekit.yaml",
            ),
            id="no-docker",
        )
    return profile


def need_docker_runtime(target: ClusterTarget) -> Profile:
    """The target's profile, once it is one with a Docker to speak to: runtime docker, one node.

    Raises:
        UnreachableError: it is not, with what to do.
    """
    profile = need_profile(target)
    if profile.runtime != "docker":
        raise UnreachableError(
            f"Minikube profile `{profile.name}` runs {profile.runtime}: it has no Docker",
            hints=(
                f"its images: `minikube -p {profile.name} image ls`",
                f"its containers: `minikube -p {profile.name} ssh -- sudo crictl ps`",
            ),
            id="runtime-not-docker",
        )
    if not profile.has_docker:
        node = profile.machines[-1]
        raise UnreachableError(
            f"Minikube profile `{profile.name}` has {profile.nodes} nodes, "
            "each with a Docker of its own, and Minikube leads to none of them",
            hints=(f"speak to one: `minikube -p {profile.name} ssh -n {node} -- docker ps`",),
            id="several-nodes",
        )
    return profile


def _by_context(name: str, known: Mapping[str, Context], allowed: tuple[str, ...]) -> ClusterTarget:
    context = known.get(name)
    if context is None:
        raise _unknown(name, known)
    if context.minikube:
        profile = read_profile(context.cluster)
        if profile is not None:
            return ClusterTarget(context=name, profile=profile.name)
    if name in allowed:
        return ClusterTarget(context=name, profile=None)
    raise _refused(name)


def _unknown(name: str, known: Mapping[str, Context]) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1)
    names = ", ".join(sorted(known)) or "none"
    hint = f"did you mean `{close[0]}`?" if close else f"contexts there: {names}"
    return UsageError(
        f"the kubeconfig has no context `{name}`", hints=(hint,), id="context-unknown"
    )


def _stopped(name: str) -> UnreachableError:
    return UnreachableError(
        f"Minikube profile `{name}` is stopped: the kubeconfig has no context for it",
        hints=("start it with `kubekit up`",),
        id="profile-stopped",
    )


def _refused(name: str) -> UsageError:
    return UsageError(
        f"context `{name}` is not a cluster that Minikube made, so kubekit does not touch it",
        hints=(f"if you mean it, add `{name}` to `allow_contexts` in kubekit.yaml",),
        id="context-refused",
    )
