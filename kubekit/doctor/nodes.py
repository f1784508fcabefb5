"""The nodes of the cluster: whether they take pods, and how full their disks are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kubekit.api.kube import ApiError, Kube
from kubekit.doctor.known import Known
from kubekit.doctor.verdict import Verdict, broken, left_out, ok, warning
from kubekit.model import Object

_NODES = "/api/v1/nodes"
_FORBIDDEN = 403
_GC_PERCENT = 85
"""From here on Kubernetes deletes images by itself, if it is not told otherwise; Minikube tells it
never to, and then a full disk is what a build or a pod finds."""
_FULL_PERCENT = 98
_GIB = 1 << 30


class Disk(NamedTuple):
    """One file system of a node, in bytes.

    Attributes:
        gc: percent from which on Kubernetes deletes images there; 100 means never.
    """

    node: str
    size: int
    free: int
    gc: int = _GC_PERCENT

    @property
    def used(self) -> int:
        """Percent, as the kubelet counts it."""
        return 100 - self.free * 100 // self.size


def nodes(known: Known) -> Verdict:
    """Whether the nodes are ready for pods."""
    assert known.kube is not None
    try:
        found = known.kube.list(_NODES, patience=0)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return left_out("this user may not look at nodes")
    return judge_nodes(found)


def judge_nodes(found: Sequence[Object]) -> Verdict:
    """What the conditions of the nodes say."""
    silent = [name for name, conditions in _conditions(found) if conditions.get("Ready") != "True"]
    pressed = [
        f"`{name}` has {kind}"
        for name, conditions in _conditions(found)
        for kind in ("DiskPressure", "MemoryPressure", "PIDPressure")
        if conditions.get(kind) == "True"
    ]
    if silent:
        names = ", ".join(f"`{name}`" for name in silent)
        hint = f"`kubectl describe node {silent[0]}` says what it lacks"
        return broken(f"not ready for pods: {names}", hint, cause="node-not-ready")
    if pressed:
        hint = "free some: `minikube ssh -- docker system prune`, or stop what else runs there"
        return broken(f"{', '.join(pressed)}: pods are put out", hint, cause="node-pressure")
    return ok("1 node is ready" if len(found) == 1 else f"{len(found)} nodes are ready")


def _conditions(found: Sequence[Object]) -> list[tuple[str, Mapping[str, str]]]:
    return [
        (
            str(node["metadata"]["name"]),
            {one["type"]: one["status"] for one in node["status"].get("conditions") or ()},
        )
        for node in found
    ]


def disk(known: Known) -> Verdict:
    """How full the disks of the nodes are, as the kubelets see them."""
    assert known.kube is not None
    try:
        names = [str(one["metadata"]["name"]) for one in known.kube.list(_NODES, patience=0)]
        disks = [one for name in names for one in _disks(known.kube, name)]
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return left_out("this user may not ask the nodes")
    return judge_disk(disks, profile=known.profile.name if known.profile else "")


def _disks(kube: Kube, node: str) -> list[Disk]:
    base = f"{_NODES}/{node}/proxy"
    settings = (kube.get(f"{base}/configz", patience=0) or {}).get("kubeletconfig") or {}
    stats = kube.get(f"{base}/stats/summary", patience=0) or {}
    return read_disks(node, stats, int(settings.get("imageGCHighThresholdPercent", _GC_PERCENT)))


def read_disks(node: str, stats: Mapping[str, Any], gc: int) -> list[Disk]:
    """The file systems in what a kubelet says; that of the images may be the node's own."""
    about = stats.get("node") or {}
    images = ((about.get("runtime") or {}).get("imageFs")) or {}
    found = {
        Disk(node, int(one["capacityBytes"]), int(one["availableBytes"]), gc)
        for one in (about.get("fs") or {}, images)
        if one.get("capacityBytes")
    }
    return sorted(found)


def judge_disk(disks: Sequence[Disk], *, profile: str) -> Verdict:
    """What the fullest of them means."""
    if not disks:
        return left_out("the nodes do not tell")
    worst = max(disks, key=lambda one: one.used)
    never = worst.gc >= 100  # noqa: PLR2004 - percent
    deletes = "Kubernetes deletes no images by itself there"
    if not never:
        deletes = f"Kubernetes deletes images that no pod uses from {worst.gc} % on"
    text = f"`{worst.node}` is {worst.used} % full: {worst.free / _GIB:.1f} GiB are free"
    at = f"-p {profile} " if profile else ""
    hints = (
        "delete images of kubekit that nobody needs: `kubekit teardown --images`",
        f"or all that no container uses: `minikube {at}ssh -- docker system prune -a`",
    )
    if worst.used >= _FULL_PERCENT:
        return broken(f"{text}, too little for a build", *hints, cause="disk-full")
    if worst.used >= min(worst.gc, _GC_PERCENT):
        return warning(f"{text}; {deletes}", *hints, cause="disk-nearly-full")
    return ok(f"{text}; {deletes}")
