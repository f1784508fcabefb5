"""Applying the manifests: all of them tried first, then only those written that differ.

Server-side apply, strictly validated, as one field manager and never by force. What the API server
would make of each object is asked first (``dryRun=All``) and compared with what is live: an equal
one is not written, and one refusal means that nothing is written at all.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kubekit.api.deleting import holders, why_namespace
from kubekit.api.kube import Answer, ApiError, Kube
from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, OwnedSet, read_kinds, write_kinds
from kubekit.api.refusals import explained
from kubekit.api.resources import NAMESPACE, Resource, find
from kubekit.errors import (
    CancelledError,
    KubekitError,
    Place,
    RefusedError,
    UnreachableError,
    WorkloadError,
)
from kubekit.events import Emit, ObjectChanged, Progress, Warned
from kubekit.model import Applied, AppliedObject, Cancel, Manifest, Manifests, Object

DELETION_SECONDS = 60.0
_STEP_SECONDS = 0.2
_NAMESPACE_MANAGER = "kubekit-namespace"
_VOLATILE = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")


@dataclass(frozen=True, kw_only=True)
class Step:
    """What would happen to one object.

    Attributes:
        action: ``created``, ``configured`` or ``unchanged``.
        sent: the object as it is sent, a member of the project's set.
        live: the object after the apply as far as it is known.
        date: the server's time of the trial, seconds since the epoch.
    """

    manifest: Manifest
    resource: Resource
    action: str
    sent: Object
    live: Object
    date: float


def prepare_namespace(kube: Kube, namespace: str, *, emit: Emit, cancel: Cancel) -> str | None:
    """Make the namespace if it is missing; the new one's uid, None if it was there.

    One that is being deleted is waited for first.
    """
    path = NAMESPACE.path("", namespace)
    live = _settled(kube, path, f"namespace `{namespace}`", emit=emit, cancel=cancel)
    if live is not None:
        return None
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {MANAGED_BY_LABEL: MANAGER}},
    }
    # A manager of its own: a Namespace manifest applied later must not take the label away.
    query = {"fieldManager": _NAMESPACE_MANAGER}
    try:
        made = kube.request("POST", NAMESPACE.path(""), query=query, body=body, patience=0).data
    except ApiError as error:
        if error.reason == "AlreadyExists":  # another run was quicker
            return None
        raise
    emit(ObjectChanged(ref=f"Namespace/{namespace}", action="created"))
    return str(made["metadata"]["uid"])


def trial(
    kube: Kube, manifests: Manifests, *, owned: OwnedSet, emit: Emit, cancel: Cancel
) -> list[Step]:
    """Ask the API server what it would make of each object; nothing is written.

    Raises:
        RefusedError: it refuses at least one; all refusals are told at once.
    """

    def attempt(manifest: Manifest) -> Step | KubekitError:
        try:
            return _try(kube, manifest, owned=owned, emit=emit, cancel=cancel)
        except RefusedError as error:
            return explained(kube, error, manifest, namespace=owned.namespace)

    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(attempt, manifests.items))
    errors = [result for result in results if isinstance(result, KubekitError)]
    if errors:
        raise together(errors)
    return [result for result in results if isinstance(result, Step)]


def write(kube: Kube, steps: list[Step], *, owned: OwnedSet, emit: Emit) -> Applied:
    """Write the objects that differ, in order.

    Raises:
        RefusedError: one was refused after all; the details say which were written before it.
    """
    if any(step.action != "unchanged" for step in steps):
        _announce(kube, owned, steps)
    done: list[AppliedObject] = []
    for step in steps:
        live = step.live
        if step.action != "unchanged":
            live = _write(kube, step, done, namespace=owned.namespace)
        emit(ObjectChanged(ref=step.manifest.ref, action=step.action))
        done.append(AppliedObject(manifest=step.manifest, action=step.action, live=live))
    since = min((step.date for step in steps), default=0.0)
    return Applied(objects=tuple(done), since=since)


def comparable(obj: Object) -> Object:
    """The object without what the server counts and stamps, for comparison."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _VOLATILE}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _try(kube: Kube, manifest: Manifest, *, owned: OwnedSet, emit: Emit, cancel: Cancel) -> Step:
    resource = find(kube, manifest.data["apiVersion"], manifest.kind)
    path = resource.path(owned.namespace, manifest.name)
    live = _settled(kube, path, f"`{manifest.ref}`", emit=emit, cancel=cancel)
    if live is not None:
        owned.check_owner(live, context=kube.context)
    sent = owned.own(manifest.data)
    answer = kube.apply(path, sent, dry_run=True)
    for text in answer.warnings:
        emit(Warned(text=f"{manifest.ref}: {text}"))
    action = _action(live, answer)
    known = answer.data if live is None else live
    return Step(
        manifest=manifest,
        resource=resource,
        action=action,
        sent=sent,
        live=known,
        date=answer.date,
    )


def _action(live: Object | None, answer: Answer) -> str:
    if live is None:
        return "created"
    return "unchanged" if comparable(live) == comparable(answer.data) else "configured"


def _settled(kube: Kube, path: str, what: str, *, emit: Emit, cancel: Cancel) -> Object | None:
    """The live object or None, once it is not one that is being deleted.

    Raises:
        KubekitError: it is still being deleted after a minute.
    """
    live: Object | None = None
    for _ in range(int(DELETION_SECONDS / _STEP_SECONDS)):
        live = kube.get(path)
        if live is None or not live["metadata"].get("deletionTimestamp"):
            return live
        emit(Progress(stage="apply", text=f"waiting for {what} to be deleted"))
        if cancel.wait(_STEP_SECONDS):
            raise CancelledError("interrupted")
    raise _still_there(live or {"metadata": {}}, what)


def _still_there(live: Object, what: str) -> KubekitError:
    why = why_namespace(live) if live.get("kind") == "Namespace" else ""
    if why:
        return RefusedError(
            f"{what} is being deleted, and after {DELETION_SECONDS:.0f} s still there: {why}",
            hints=("see what it names; what has set a finalizer must take it away",),
            id="namespace-terminating",
        )
    held = holders(live)
    if held:
        return WorkloadError(
            f"{what} is being deleted, and its finalizer holds it up: {held}",
            hints=("what has set the finalizer must take it away: see whether it runs",),
            id="deletion-blocked",
        )
    return UnreachableError(
        f"{what} is still being deleted after {DELETION_SECONDS:.0f} s",
        hints=("wait for it, and run kubekit again",),
        id="still-deleting",
    )


def _announce(kube: Kube, owned: OwnedSet, steps: list[Step]) -> None:
    """Let the parent name every kind that will have members, before the first of them is there."""
    known = read_kinds(kube, owned)
    wanted = set(known or ()).union(*(owned.kinds_of(step.sent, step.resource) for step in steps))
    if known is None or wanted != known:
        write_kinds(kube, owned, wanted)


def _write(kube: Kube, step: Step, done: list[AppliedObject], *, namespace: str) -> Object:
    try:
        return kube.apply(step.resource.path(namespace, step.manifest.name), step.sent).data
    except RefusedError as error:
        refusal = explained(kube, error, step.manifest, namespace=namespace)
        written = [item.manifest.ref for item in done if item.action != "unchanged"]
        state = f"written before it: {', '.join(written)}" if written else "nothing was written"
        refusal.details = (*refusal.details, state)
        raise refusal from error


def together(errors: list[KubekitError]) -> KubekitError:
    """One error for all of them: the first, with the others as its details."""
    first, *others = errors
    first.details = (*first.details, *(_line(error.place, error.message) for error in others))
    return first


def _line(place: Place | None, message: str) -> str:
    return f"{place}: {message}" if place else message
