"""Which clusters the kubeconfig knows, and which of them Minikube made. Reads only."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    ``minikube.sigs.k8s.io`` (minikube, pkg/minikube/kubeconfig/extension.go).
    """

    name: str
    cluster: str
    server: str
    minikube: bool


def files() -> str:
    """The kubeconfig files in use, as KUBECONFIG writes them."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def contexts() -> dict[str, Context]:
    """All contexts by name; where two files define one, the first wins, as in kubectl.

    Raises:
        UsageError: a file cannot be read or is not a kubeconfig.
    """
    clusters: dict[str, Mapping[str, Any]] = {}
    found: dict[str, str] = {}
    for file in filter(None, files().split(os.pathsep)):
        data = _load(Path(file))
        for entry in data.get("clusters") or []:
            clusters.setdefault(entry["name"], entry.get("cluster") or {})
        for entry in data.get("contexts") or []:
            found.setdefault(entry["name"], (entry.get("context") or {}).get("cluster", ""))
    return {
        name: Context(
            name=name,
            cluster=cluster,
            server=str(clusters.get(cluster, {}).get("server", "")),
            minikube=_is_minikube(clusters.get(cluster, {})),
        )
        for name, cluster in found.items()
    }


def _load(file: Path) -> Mapping[str, Any]:
    try:
        data = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"the kubeconfig cannot be read: {error.strerror}", place=Place(file=file)
        ) from error
    except yaml.YAMLError as error:
        raise UsageError("the kubeconfig is not YAML", place=Place(file=file)) from error
    if data is not None and not isinstance(data, dict):
        raise UsageError("the kubeconfig is not a mapping", place=Place(file=file))
    return data or {}


def _is_minikube(cluster: Mapping[str, Any]) -> bool:
    return any(
        entry.get("name") == "cluster_info"
        and (entry.get("extension") or {}).get("provider") == MINIKUBE_PROVIDER
        for entry in cluster.get("extensions") or []
    )
