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
    POD_MAKERS,
    find,
    listable,
    ref,
)
from kubekit.api.sparing import holding, may_hold, taken_over
from kubekit.api.waiting import Wait
from kubekit.errors import KubekitError, UnreachableError
from kubekit.events import Emit, ObjectChanged, Warned
from kubekit.model import Applied, Cancel, Clock, Manifest, Object

DATA_KINDS = frozenset({"PersistentVolumeClaim"})
"""Kinds that hold a person's data: never pruned, and kept by a teardown without `--data`."""

_CONFIG_KINDS = frozenset({"Secret", "ConfigMap"})
_HOLDERS = (
    *POD_MAKERS,
    KNOWN["v1", "ServiceAccount"],
    KNOWN["networking.k8s.io/v1", "Ingress"],
)
_GONE_SECONDS = 120.0

# Made by Kubernetes itself in every namespace, and gone with it.
_NATIVE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
_NATIVE_KINDS = frozenset({"Event", "Endpoints", "EndpointSlice", "PodMetrics"})


def stale(kube: Kube, manifests: Iterable[Manifest], *, owned: OwnedSet) -> list[Member]:
    """Members of the set that these manifests do not contain, and that may be pruned.

    What holds data, or is another's by now, never is; nor does a teardown take the latter.
    Secrets and ConfigMaps stay as long as any pod, or any template of one, still names them: a
    rollback needs them. They all stay where this user may not see everything that could name them.
    """
    return _stale(kube, members(kube, owned, read_kinds(kube, owned) or ()), manifests, owned=owned)


def prune(kube: Kube, applied: Applied, *, owned: OwnedSet, emit: Emit) -> int:
    """Delete members of the set that this apply did not contain; how many were deleted."""
    manifests = [item.manifest for item in applied.objects]
    kinds = read_kinds(kube, owned) or frozenset()
    # One object may be served by two groups: what was applied is known by its uid, too.
    applied_uids = {item.live.get("metadata", {}).get("uid") for item in applied.objects}
    found = members(kube, owned, kinds)
    doomed = [
        pair
        for pair in _stale(kube, found, manifests, owned=owned)
        if pair[1]["metadata"]["uid"] not in applied_uids
    ]
    count = 0
    for resource, obj in doomed:
        path = resource.path(owned.namespace, obj["metadata"]["name"])
        if kube.delete(path, uid=obj["metadata"]["uid"]):
            emit(ObjectChanged(ref=ref(obj), action="pruned"))
            count += 1
    left = {pair[0].group_kind for pair in found if pair not in doomed or _may_linger(pair)}
    if kinds - left:  # also of a run before, which was cut off
        _shrink(kube, owned, manifests, kinds, left)
    return count


def _stale(
    kube: Kube, found: Iterable[Member], manifests: Iterable[Manifest], *, owned: OwnedSet
) -> list[Member]:
    kept = {
        (_group(manifest.data["apiVersion"]), manifest.kind, manifest.name)
        for manifest in manifests
    }
    found = [
        (resource, obj)
        for resource, obj in found
        if (_group(resource.api_version), *_key(obj)) not in kept
        and obj["kind"] not in DATA_KINDS
        and not _is_spared(obj)
    ]
    if any(obj["kind"] in _CONFIG_KINDS for _, obj in found):
        used = _named_configs(kube, owned.namespace)
        found = [pair for pair in found if not _may_be_named(pair[1], used)]
    return _without_data(kube, owned.namespace, found)


def _without_data(kube: Kube, namespace: str, found: list[Member]) -> list[Member]:
    """Those of which no claim goes along; where that cannot be told, none that might have one."""
    try:
        held = holding(kube, namespace, found)
    except ApiError:
        return [pair for pair in found if not may_hold(pair)]
    return [pair for pair in found if pair[1]["metadata"].get("uid") not in held]


def _may_linger(member: Member) -> bool:
    """Whether it may be there still after it was deleted, and be found by its kind alone."""
    resource, obj = member
    return bool(obj["metadata"].get("finalizers")) or resource not in KNOWN.values()


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
    kube.delete(path, uid=uid, propagation="Background")
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


def take_back_namespace(kube: Kube, owned: OwnedSet, *, uid: str, emit: Emit) -> None:
    """Delete this very namespace, which a run has just made for the set, without waiting.

    It stays if anybody has put anything into it since, also another run of kubekit its Lease.

    Raises:
        KubekitError: what is in it cannot be seen, so it stays; or it cannot be deleted.
    """
    there = next(_foreign(kube, owned.namespace, lease=owned.parent), None)
    if there is not None:
        text = f"namespace `{owned.namespace}` stays, though this run made it"
        emit(Warned(text=f"{text}: {there} may be another's"))
    elif kube.delete(NAMESPACE.path("", owned.namespace), uid=uid, propagation="Background"):
        emit(ObjectChanged(ref=f"Namespace/{owned.namespace}", action="deleted"))


def _is_spared(obj: Object) -> bool:
    """Whether it goes already, is another's own by now, or would take its data with it."""
    ends = obj["metadata"].get("deletionTimestamp")
    return bool(ends or taken_over(obj) or takes_its_claims(obj))


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


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


def _foreign(kube: Kube, namespace: str, *, lease: str = "") -> Iterator[str]:
    """What is in the namespace that does not go with it: of kubekit's Leases only this one does.

    Without a name each of them does.
    """
    for resource in listable(kube):
        if resource.kind in _NATIVE_KINDS:
            continue
        try:
            items = kube.list(resource.path(namespace), patience=HICCUP_SECONDS)
        except ApiError:  # a kind that may not be listed is not known to be empty
            yield resource.kind
            continue
        for item in items:
            if not _is_native(resource.kind, item["metadata"], lease=lease):
                yield f"{resource.kind}/{item['metadata']['name']}"


def _is_native(kind: str, metadata: Object, *, lease: str = "") -> bool:
    """Whether it goes with the namespace: Kubernetes' own, or a Lease of a run of kubekit."""
    own = (metadata.get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER
    of_run = kind == "Lease" and own and lease in ("", metadata["name"])
    return of_run or (kind, metadata["name"]) in _NATIVE


def _why_namespace(namespace: str, live: Object) -> str:
    why = why_namespace(live)
    return f"namespace `{namespace}`: {why}" if why else f"namespace `{namespace}` to be gone"
