"""Taking away what kubekit made and nobody needs any more: pruning, and the empty namespace.

Every delete names the object's uid, so that one which was replaced meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubekit.api.claims import takes_its_claims
from kubekit.api.deleting import why_namespace
from kubekit.api.kube import HICCUP_SECONDS, ApiError, Kube
from kubekit.api.ownership import (
    MANAGED_BY_LABEL,
    MANAGER,
    Member,
    OwnedSet,
    members,
    read_kinds,
    write_kinds,
)
from kubekit.api.references import references
from kubekit.api.resources import (
    KNOWN,
    NAMESPACE,
    REPLICA_SETS,
    find,
    listable,
    ref,
)
from kubekit.api.waiting import Wait
from kubekit.errors import KubekitError, UnreachableError
from kubekit.events import Emit, ObjectChanged, Warned
from kubekit.model import Applied, Cancel, Clock, Manifest, Object

DATA_KINDS = frozenset({"PersistentVolumeClaim"})
"""Kinds that hold a person's data: never pruned, and kept by a teardown without `--data`."""

_CONFIG_KINDS = frozenset({"Secret", "ConfigMap"})
_HOLDERS = [
    KNOWN[api, kind]
    for api, kind in (
        ("v1", "Pod"),
        ("v1", "ServiceAccount"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("networking.k8s.io/v1", "Ingress"),
    )
] + [REPLICA_SETS]
_GONE_SECONDS = 120.0

# Made by Kubernetes itself in every namespace, and gone with it.
_NATIVE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
_NATIVE_KINDS = frozenset({"Event", "Endpoints", "EndpointSlice", "PodMetrics"})


def stale(kube: Kube, manifests: Iterable[Manifest], *, owned: OwnedSet) -> list[Member]:
    """Members of the set that these manifests do not contain, and that may be pruned.

    What holds data, or is another's by now, never is.
    Secrets and ConfigMaps stay as long as any pod, or any template of one, still names them: a
    rollback needs them. They all stay where this user may not see everything that could name them.
    """
    return _stale(kube, members(kube, owned, read_kinds(kube, owned) or ()), manifests, owned=owned)


def prune(kube: Kube, applied: Applied, *, owned: OwnedSet, emit: Emit) -> int:
    """Delete members of the set that this apply did not contain; how many there were."""
    manifests = [item.manifest for item in applied.objects]
    kinds = read_kinds(kube, owned) or frozenset()
    found = members(kube, owned, kinds)
    doomed = _stale(kube, found, manifests, owned=owned)
    for resource, obj in doomed:
        path = resource.path(owned.namespace, obj["metadata"]["name"])
        if kube.delete(path, uid=obj["metadata"]["uid"]):
            emit(ObjectChanged(ref=ref(obj), action="pruned"))
    left = {resource.group_kind for resource, obj in found if (resource, obj) not in doomed}
    if kinds - left:  # also of a run before, which was cut off
        _shrink(kube, owned, manifests, kinds, left)
    return len(doomed)


def _stale(
    kube: Kube, found: Iterable[Member], manifests: Iterable[Manifest], *, owned: OwnedSet
) -> list[Member]:
    kept = {(manifest.kind, manifest.name) for manifest in manifests}
    found = [
        (resource, obj)
        for resource, obj in found
        if obj["kind"] not in DATA_KINDS and _key(obj) not in kept and not _is_spared(obj)
    ]
    if any(obj["kind"] in _CONFIG_KINDS for _, obj in found):
        used = _named_configs(kube, owned.namespace)
        found = [pair for pair in found if not _may_be_named(pair[1], used)]
    return found


def remove_namespace(
    kube: Kube, namespace: str, *, emit: Emit, clock: Clock, cancel: Cancel
) -> bool:
    """Delete the namespace if kubekit made it and nothing of anyone is in it; wait for its end.

    Raises:
        UnreachableError: it is still there after two minutes, with what holds it.
    """
    path = NAMESPACE.path("", namespace)
    live = kube.get(path)
    if live is None or (live["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) != MANAGER:
        return False
    try:
        if next(_foreign(kube, namespace), None) is not None:
            return False
    except KubekitError as error:
        text = f"namespace `{namespace}` stays: what is in it cannot be listed: {error.message}"
        emit(Warned(text=text))
        return False
    uid = live["metadata"]["uid"]
    discard_namespace(kube, namespace, uid=uid)
    wait = Wait(_GONE_SECONDS, emit=emit, clock=clock, cancel=cancel)
    while (now := kube.get(path)) is not None and now["metadata"]["uid"] == uid:
        why = _why_namespace(namespace, now)
        if wait.is_over:
            raise UnreachableError(
                f"namespace `{namespace}` is still there after {_GONE_SECONDS:.0f} s: {why}",
                hints=("see its `status.conditions` and the finalizers they name",),
                id="still-deleting",
            )
        wait.on(f"waiting for {why}")
    emit(ObjectChanged(ref=f"Namespace/{namespace}", action="deleted"))
    return True


def discard_namespace(kube: Kube, namespace: str, *, uid: str) -> None:
    """Delete this very namespace without waiting."""
    kube.delete(NAMESPACE.path("", namespace), uid=uid, propagation="Background")


def _is_spared(obj: Object) -> bool:
    """Whether it goes already, is another's own by now, or would take its data with it."""
    metadata = obj["metadata"]
    manager = (metadata.get("labels") or {}).get(MANAGED_BY_LABEL, MANAGER)
    return bool(
        manager != MANAGER
        or metadata.get("ownerReferences")
        or metadata.get("deletionTimestamp")
        or takes_its_claims(obj)
    )


def _key(obj: Object) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def _shrink(
    kube: Kube,
    owned: OwnedSet,
    manifests: Iterable[Manifest],
    kinds: frozenset[str],
    left: set[str],
) -> None:
    """Let the parent name only the kinds that are applied or still have members."""
    for manifest in manifests:
        resource = find(kube, manifest.data["apiVersion"], manifest.kind)
        left |= owned.kinds_of(manifest.data, resource)
    if left != kinds:
        write_kinds(kube, owned, left)


def _may_be_named(obj: Object, used: set[tuple[str, str]] | None) -> bool:
    return obj["kind"] in _CONFIG_KINDS if used is None else _key(obj) in used


def _named_configs(kube: Kube, namespace: str) -> set[tuple[str, str]] | None:
    """Every Secret and ConfigMap that a pod of the namespace, or a template of one, names.

    None where some of what could name them may not be listed.
    """
    try:
        return {
            (reference.kind, reference.name)
            for resource in _HOLDERS
            for item in kube.list(resource.path(namespace))
            for reference in references(item)
        }
    except ApiError:
        return None


def _foreign(kube: Kube, namespace: str) -> Iterator[str]:
    for resource in listable(kube):
        if resource.kind in _NATIVE_KINDS:
            continue
        try:
            items = kube.list(resource.path(namespace), patience=HICCUP_SECONDS)
        except ApiError:  # a kind that may not be listed is not known to be empty
            yield resource.kind
            continue
        for item in items:
            if not _is_native(resource.kind, item["metadata"]):
                yield f"{resource.kind}/{item['metadata']['name']}"


def _is_native(kind: str, metadata: Object) -> bool:
    """Whether it goes with the namespace: Kubernetes' own, or a Lease of a run of kubekit."""
    own = (metadata.get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER
    return (kind, metadata["name"]) in _NATIVE or (kind == "Lease" and own)


def _why_namespace(namespace: str, live: Object) -> str:
    why = why_namespace(live)
    return f"namespace `{namespace}`: {why}" if why else f"namespace `{namespace}` to be gone"
