"""Which clusters the kubeconfig knows, and which of them Minikube made. Reads only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubekit.errors import Place, UsageError

MINIKUBE_PROVIDER = "minikube.sigs.k8s.io"


@dataclass(frozen=True, kw_only=True)
class Context:
    """One context; `minikube` means that Minikube itself wrote the cluster's entry.

    Minikube marks the cluster it writes with an extension named ``cluster_info`` whose provider is
    ``minikube.sigs.k8s.io`` (minikube, pkg/minikube/kubeconfig/extension.go). `namespace` is empty
    where the context names none.
    """

    name: str
    cluster: str
    minikube: bool
    namespace: str = ""


def files() -> str:
    """The kubeconfig files in use, as KUBECONFIG writes them."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def contexts() -> dict[str, Context]:
    """All contexts by name; where two files define one, the first wins, as in kubectl.

    Raises:
        UsageError: a file cannot be read or is not a kubeconfig.
    """
    clusters: dict[str, Mapping[str, Any]] = {}
    found: dict[str, Mapping[str, Any]] = {}
    for file in map(Path, filter(None, files().split(os.pathsep))):
        data = _load(file)
        clusters = dict(_entries(data, "cluster", file)) | clusters
        found = dict(_entries(data, "context", file)) | found
    return {
        name: Context(
            name=name,
            cluster=(cluster := str(context.get("cluster") or "")),
            minikube=_is_minikube(clusters.get(cluster) or {}),
            namespace=str(context.get("namespace") or ""),
        )
        for name, context in found.items()
    }


def current() -> str | None:
    """The name of the current context, if one is chosen; the first file that names one wins."""
    for file in map(Path, filter(None, files().split(os.pathsep))):
        name = _load(file).get("current-context")
        if name:
            return str(name)
    return None


def _entries(
    data: Mapping[str, Any], kind: str, file: Path
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of `clusters` or `contexts`: the name, and what is under `cluster` or `context`.

    The last of a name comes first, so that a dict of all keeps the first.
    """
    entries = data.get(f"{kind}s") or []
    if not isinstance(entries, list):
        raise UsageError(f"`{kind}s` of the kubeconfig is not a list", place=Place(file=file))
    for index, entry in reversed(list(enumerate(entries))):
        name = entry.get("name") if isinstance(entry, dict) else None
        body = (entry.get(kind) or {}) if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(body, dict):
            raise UsageError(
                f"`{kind}s[{index}]` of the kubeconfig is not a `name` with a `{kind}`",
                place=Place(file=file),
            )
        yield name, body


def _load(file: Path) -> Mapping[str, Any]:
    try:
        data = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"the kubeconfig cannot be read: {error.strerror}", place=Place(file=file)
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date there is not
        raise UsageError("the kubeconfig is not YAML", place=Place(file=file)) from error
    if data is not None and not isinstance(data, dict):
        raise UsageError("the kubeconfig is not a mapping", place=Place(file=file))
    return data or {}


def _is_minikube(cluster: Mapping[str, Any]) -> bool:
    extensions = cluster.get("extensions")
    return any(
        isinstance(entry, dict)
        and entry.get("name") == "cluster_info"
        and isinstance(extension := entry.get("extension"), dict)
        and extension.get("provider") == MINIKUBE_PROVIDER
        for entry in (extensions if isinstance(extensions, list) else [])
    )
