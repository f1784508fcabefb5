"""Taking away what kubekit made: pruning after an apply, and teardown.

Every delete names the object's uid, so that one which was replaced meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kubekit.api.kube import ApiError, Kube
from kubekit.api.ownership import (
    MANAGED_BY_LABEL,
    MANAGER,
    OwnedSet,
    members,
    read_kinds,
    write_kinds,
)
from kubekit.api.resources import (
    CONFIG_MAP,
    DEPLOYMENTS,
    KNOWN,
    NAMESPACE,
    PODS,
    REPLICA_SETS,
    Resource,
    listable,
    ref,
)
from kubekit.errors import CancelledError, UnreachableError
from kubekit.events import Emit, ObjectChanged, Progress
from kubekit.model import Applied, Cancel, Clock, Object

DATA_KINDS = frozenset({"PersistentVolumeClaim"})
"""Kinds that hold a person's data: never pruned, and kept by a teardown without `--data`."""

_CONFIG_KINDS = frozenset({"Secret", "ConfigMap"})
_STEP_SECONDS = 0.1
_GONE_SECONDS = 120.0

# Made by Kubernetes itself in every namespace, and gone with it.
_NATIVE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
_NATIVE_KINDS = frozenset({"Event", "Endpoints", "EndpointSlice", "Lease", "PodMetrics"})


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What a teardown did: how many objects it deleted, and which it kept for their data."""

    deleted: int
    kept: tuple[str, ...]
    namespace: bool


def prune(kube: Kube, applied: Applied, *, owned: OwnedSet, emit: Emit) -> int:
    """Delete members of the set that this apply did not contain; how many there were.

    Secrets and ConfigMaps stay as long as any ReplicaSet still names them: a rollback needs them.
    """
    kinds = read_kinds(kube, owned)
    if kinds is None:
        return 0
    kept = {item.live["metadata"]["uid"] for item in applied.objects}
    live = members(kube, owned, kinds)
    stale = [pair for pair in live if _prunable(pair, kept)]
    if any(obj["kind"] in _CONFIG_KINDS for _, obj in stale):
        used = _named_configs(kube, owned.namespace)
        stale = [
            pair for pair in stale if (pair[1]["kind"], pair[1]["metadata"]["name"]) not in used
        ]
    for resource, obj in stale:
        path = resource.path(owned.namespace, obj["metadata"]["name"])
        if kube.delete(path, uid=obj["metadata"]["uid"]):
            emit(ObjectChanged(ref=ref(obj), action="pruned"))
    gone = {obj["metadata"]["uid"] for _, obj in stale}
    left = {pair[0].group_kind for pair in live if pair[1]["metadata"]["uid"] not in gone}
    if left != kinds:
        write_kinds(kube, owned, left)
    return len(stale)


def teardown(
    kube: Kube, owned: OwnedSet, *, data: bool, emit: Emit, clock: Clock, cancel: Cancel
) -> Removed:
    """Delete every member of the set and wait until the objects and their pods are gone.

    Raises:
        UnreachableError: something is still there after two minutes; the details name it.
    """
    kinds = read_kinds(kube, owned)
    if kinds is None:
        # Killed before the parent was written, or it was deleted by hand: look everywhere usual.
        kinds = frozenset(resource.group_kind for resource in KNOWN.values())
    found = members(kube, owned, kinds)
    kept = [pair for pair in found if pair[1]["kind"] in DATA_KINDS and not data]
    doomed = [pair for pair in found if pair not in kept]
    for resource, obj in _in_reverse(doomed):
        path = resource.path(owned.namespace, obj["metadata"]["name"])
        kube.delete(path, uid=obj["metadata"]["uid"])
    _await_gone(kube, owned, doomed, emit=emit, clock=clock, cancel=cancel)
    _close_set(kube, owned, {resource.group_kind for resource, _ in kept})
    return Removed(deleted=len(doomed), kept=tuple(ref(obj) for _, obj in kept), namespace=False)


def remove_namespace(
    kube: Kube, namespace: str, *, emit: Emit, clock: Clock, cancel: Cancel
) -> bool:
    """Delete the namespace if kubekit made it and nothing of anyone is in it; wait for its end."""
    path = NAMESPACE.path("", namespace)
    live = kube.get(path)
    if live is None or (live["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) != MANAGER:
        return False
    if next(_foreign(kube, namespace), None) is not None:
        return False
    discard_namespace(kube, namespace, uid=live["metadata"]["uid"])
    emit(ObjectChanged(ref=f"Namespace/{namespace}", action="deleted"))
    deadline = clock.now() + _GONE_SECONDS
    while (now := kube.get(path)) is not None and clock.now() < deadline:
        emit(Progress(stage="teardown", text=f"waiting for {_why_namespace(namespace, now)}"))
        _pause(cancel)
    return True


def discard_namespace(kube: Kube, namespace: str, *, uid: str) -> None:
    """Delete this very namespace without waiting."""
    kube.delete(NAMESPACE.path("", namespace), uid=uid, propagation="Background")


def _prunable(pair: tuple[Resource, Object], kept: set[str]) -> bool:
    _, obj = pair
    data_or_namespace = obj["kind"] in DATA_KINDS or obj["kind"] == "Namespace"
    return obj["metadata"]["uid"] not in kept and not data_or_namespace


def _named_configs(kube: Kube, namespace: str) -> set[tuple[str, str]]:
    """Every Secret and ConfigMap that a pod, ReplicaSet or Deployment of the namespace names."""
    used: set[tuple[str, str]] = set()
    for resource in (PODS, REPLICA_SETS, DEPLOYMENTS):
        for item in kube.list(resource.path(namespace)):
            used.update(_mentions(item["spec"]))
    return used


def _mentions(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _mentions(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("secretRef", "secretKeyRef", "secret") and isinstance(value, dict):
                yield "Secret", str(value.get("secretName") or value.get("name"))
            elif key in ("configMapRef", "configMapKeyRef", "configMap") and isinstance(
                value, dict
            ):
                yield "ConfigMap", str(value.get("name"))
            yield from _mentions(value)


def _in_reverse(found: Iterable[tuple[Resource, Object]]) -> list[tuple[Resource, Object]]:
    """Last applied, first deleted; kinds not in the usual order go before the rest."""
    order = {resource.group_kind: index for index, resource in enumerate(KNOWN.values())}
    return sorted(found, key=lambda pair: order.get(pair[0].group_kind, len(order)), reverse=True)


def _await_gone(
    kube: Kube,
    owned: OwnedSet,
    doomed: list[tuple[Resource, Object]],
    *,
    emit: Emit,
    clock: Clock,
    cancel: Cancel,
) -> None:
    deadline = clock.now() + _GONE_SECONDS
    left = doomed
    while True:
        left = [pair for pair in left if _still_there(kube, owned.namespace, pair, emit)]
        if not left:
            return
        if clock.now() > deadline:
            raise UnreachableError(
                f"{ref(left[0][1])} is still there after {_GONE_SECONDS:.0f} s",
                hints=("see what holds it: `metadata.finalizers` of the objects named below",),
                details=tuple(_held(obj) for _, obj in left),
                id="still-deleting",
            )
        emit(
            Progress(stage="teardown", text=f"waiting for {', '.join(ref(obj) for _, obj in left)}")
        )
        _pause(cancel)


def _still_there(kube: Kube, namespace: str, pair: tuple[Resource, Object], emit: Emit) -> bool:
    resource, obj = pair
    live = kube.get(resource.path(namespace, obj["metadata"]["name"]))
    if live is not None and live["metadata"]["uid"] == obj["metadata"]["uid"]:
        return True
    emit(ObjectChanged(ref=ref(obj), action="deleted"))
    return False


def _held(obj: Object) -> str:
    finalizers = obj["metadata"].get("finalizers")
    return f"{ref(obj)}: finalizers {finalizers}" if finalizers else ref(obj)


def _close_set(kube: Kube, owned: OwnedSet, kinds: set[str]) -> None:
    """Shrink the parent to the kinds that are kept, or delete it with the last of them."""
    path = CONFIG_MAP.path(owned.namespace, owned.parent)
    parent = kube.get(path)
    if parent is None:
        return
    if kinds:
        write_kinds(kube, owned, kinds)
    else:
        kube.delete(path, uid=parent["metadata"]["uid"], propagation="Background")


def _foreign(kube: Kube, namespace: str) -> Iterator[str]:
    for resource in listable(kube):
        if resource.kind in _NATIVE_KINDS:
            continue
        try:
            items = kube.list(resource.path(namespace))
        except ApiError:  # a kind that may not be listed is not known to be empty
            yield resource.kind
            continue
        for item in items:
            if (resource.kind, item["metadata"]["name"]) not in _NATIVE:
                yield f"{resource.kind}/{item['metadata']['name']}"


def _why_namespace(namespace: str, live: Object) -> str:
    conditions = (live.get("status") or {}).get("conditions") or ()
    held = [
        condition["message"]
        for condition in conditions
        if condition["status"] == "True" and condition["type"] != "NamespaceDeletionContentFailure"
    ]
    return f"namespace `{namespace}`: {held[0]}" if held else f"namespace `{namespace}` to be gone"


def _pause(cancel: Cancel) -> None:
    if cancel.wait(_STEP_SECONDS):
        raise CancelledError("interrupted")
