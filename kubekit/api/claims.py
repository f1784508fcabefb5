"""The claims of StatefulSets that are about to be deleted, let go so that their data stays.

With ``persistentVolumeClaimRetentionPolicy.whenDeleted: Delete`` a StatefulSet owns its claims, and
Kubernetes deletes them with it. The policy goes first, as its controller would own them again; but
that lets go only of the claims of as many pods as there are now, so the rest is done here.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.api.ownership import Member
from kubekit.api.resources import KNOWN, ref
from kubekit.api.waiting import Wait
from kubekit.errors import UnreachableError
from kubekit.events import Emit, ObjectChanged
from kubekit.model import Cancel, Clock, Object

_CLAIMS = KNOWN["v1", "PersistentVolumeClaim"]
_POLICY = "persistentVolumeClaimRetentionPolicy"
_SECONDS = 60.0


def takes_its_claims(obj: Object) -> bool:
    """Whether what it keeps its data in is deleted with it."""
    return obj["kind"] == "StatefulSet" and (
        (_spec(obj).get(_POLICY) or {}).get("whenDeleted") == "Delete"
    )


def let_go(
    kube: Kube,
    namespace: str,
    doomed: Iterable[Member],
    *,
    emit: Emit,
    clock: Clock,
    cancel: Cancel,
) -> None:
    """See to it that no claim goes with one of these; only then may they be deleted.

    Raises:
        UnreachableError: a StatefulSet's controller does not let go of them within a minute.
        RefusedError: this user may not do that.
    """
    sets = [
        (resource, obj)
        for resource, obj in doomed
        if resource.kind == "StatefulSet" and _spec(obj).get("volumeClaimTemplates")
    ]
    wait = Wait(_SECONDS, emit=emit, clock=clock, cancel=cancel)
    while sets and (held := _held(kube, namespace, sets, emit)):
        if wait.is_over:
            raise UnreachableError(
                f"{held} after {_SECONDS:.0f} s, so nothing was deleted: its data would go, too",
                hints=("run it again; with `--data` the claims are deleted as well",),
                id="still-deleting",
            )
        wait.on(f"waiting: {held}")


def _spec(obj: Object) -> Object:
    """Its spec; of a kind that is only called so it may be anything."""
    spec = obj.get("spec")
    return spec if isinstance(spec, dict) else {}


def _held(kube: Kube, namespace: str, sets: list[Member], emit: Emit) -> str:
    """What would take data along still, in words; empty once nothing does."""
    for resource, obj in sets:
        path = resource.path(namespace, obj["metadata"]["name"])
        if not _is_retaining(kube, path, obj, emit):
            return f"the controller of {ref(obj)} has not seen yet that its claims are to be kept"
    uids = {obj["metadata"]["uid"] for _, obj in sets}
    claims = kube.list(_CLAIMS.path(namespace))
    owned = [claim for claim in claims if len(_others(claim, uids)) < len(_owners(claim))]
    for claim in owned:
        # A list is replaced whole: of a claim that has changed since, nothing may be lost.
        known = {key: claim["metadata"][key] for key in ("uid", "resourceVersion")}
        metadata = {**known, "ownerReferences": _others(claim, uids)}
        _patch(kube, _CLAIMS.path(namespace, claim["metadata"]["name"]), {"metadata": metadata})
    # They are listed once more: who owns them then is what counts.
    return f"PersistentVolumeClaim/{owned[0]['metadata']['name']} is still owned" if owned else ""


def _is_retaining(kube: Kube, path: str, obj: Object, emit: Emit) -> bool:
    """Whether its policy is to keep its claims, and its controller has seen that."""
    uid = obj["metadata"]["uid"]
    live = kube.get(path)
    if live is None or live["metadata"]["uid"] != uid:
        return True
    if takes_its_claims({**obj, **live}):
        spec = {_POLICY: {"whenDeleted": "Retain"}}
        if _patch(kube, path, {"metadata": {"uid": uid}, "spec": spec}):
            detail = "`whenDeleted` is `Retain` now: its claims are kept"
            emit(ObjectChanged(ref=ref(obj), action="configured", detail=detail))
        return False
    seen = (live.get("status") or {}).get("observedGeneration") or 0
    ends = bool(live["metadata"].get("deletionTimestamp"))  # nothing of it is done any more
    return ends or bool(seen >= live["metadata"].get("generation", 0))


def _owners(claim: Object) -> list[Object]:
    return claim["metadata"].get("ownerReferences") or []


def _others(claim: Object, uids: set[str]) -> list[Object]:
    """Its owners that are none of these."""
    return [one for one in _owners(claim) if one["uid"] not in uids]


def _patch(kube: Kube, path: str, body: Object) -> bool:
    """Change this very object; False where it has gone or changed meanwhile."""
    query = {"fieldManager": FIELD_MANAGER}
    content = "application/merge-patch+json"
    try:
        kube.request("PATCH", path, query=query, body=body, content_type=content)
    except ApiError as error:
        if error.status in (404, 409):
            return False
        raise
    return True
