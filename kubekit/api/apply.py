"""Applying the manifests: all of them tried first, then only those written that differ.

Server-side apply, strictly validated, as one field manager. What the API server would make of each
object is asked first (``dryRun=All``) and compared with what is live: an equal one is not written,
and one refusal means that nothing is written at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kubekit.api import autoscaled, handover
from kubekit.api.attempt import Attempt
from kubekit.api.difference import changes, comparable
from kubekit.api.kube import Answer, ApiError, Kube
from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, OwnedSet, read_kinds, write_kinds
from kubekit.api.podsecrets import of_set
from kubekit.api.refusals import explained, of_parent
from kubekit.api.resources import NAMESPACE, Resource, find
from kubekit.api.settling import settled
from kubekit.api.withheld import Withheld
from kubekit.api.workers import each
from kubekit.errors import KubekitError, Place, RefusedError
from kubekit.events import Emit, ObjectChanged, Warned
from kubekit.model import Applied, AppliedObject, Consent, Manifest, Manifests, Object

_NAMESPACE_MANAGER = "kubekit-namespace"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What would happen to one object.

    Attributes:
        action: ``created``, ``configured``, ``recreated`` or ``unchanged``.
        sent: the object as it is sent, a member of the project's set.
        live: the object after the apply as far as it is known.
        date: the server's time of the trial, seconds since the epoch.
        force: fields of other managers are taken.
        detail: why, where that is not the manifest alone.
        changes: each field that differs.
    """

    manifest: Manifest
    resource: Resource
    action: str
    sent: Object
    live: Object
    date: float
    force: bool = False
    detail: str = ""
    changes: tuple[str, ...] = ()


def prepare_namespace(kube: Kube, namespace: str, *, emit: Emit) -> str | None:
    """Make the namespace if it is missing; the new one's uid, None if it was there.

    One that is being deleted is waited for first.
    """
    path = NAMESPACE.path("", namespace)
    live = settled(kube, path, f"namespace `{namespace}`", emit=emit)
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
        made = kube.request("POST", NAMESPACE.path(""), query=query, body=body).data
    except ApiError as error:
        if error.reason == "AlreadyExists":  # another run was quicker, or the answer was lost
            return None
        raise
    emit(ObjectChanged(ref=f"Namespace/{namespace}", action="created"))
    return str(made["metadata"]["uid"])


def trial(
    kube: Kube,
    manifests: Manifests,
    *,
    owned: OwnedSet,
    emit: Emit,
    consent: Consent = Consent(),  # noqa: B008 - frozen
    rehearses: bool = False,
) -> list[Step]:
    """Ask the API server what it would make of each object; nothing is written.

    Args:
        rehearses: nothing will be afterwards either, so no Job is waited for.

    Raises:
        RefusedError: it refuses at least one; all refusals are told at once.
    """
    by_autoscalers = autoscaled.scaled(manifests.items)
    withheld = Withheld(lambda: manifests.secret_values.union(of_set(kube, owned)))

    def step(manifest: Manifest) -> Step | KubekitError:
        try:
            attempt = _attempt(
                kube, manifest, by_autoscalers, owned=owned, emit=emit, consent=consent
            )
            attempt.rehearses = rehearses
            return _try(attempt, withheld)
        except RefusedError as error:
            return explained(kube, error, manifest, namespace=owned.namespace)

    results = each(step, manifests.items, at_once=8)
    errors = [result for result in results if isinstance(result, KubekitError)]
    if errors:
        raise together(errors)
    return [result for result in results if isinstance(result, Step)]


def write(
    kube: Kube,
    steps: Sequence[Step],
    *,
    owned: OwnedSet,
    emit: Emit,
    earlier: Sequence[AppliedObject] = (),
    later: Sequence[Step] = (),
) -> Applied:
    """Write the objects that differ, in order.

    Args:
        earlier: what was written before these.
        later: what will be written after these.

    Raises:
        KubekitError: one could not be written; the details say which were and which were not.
    """
    if any(step.action != "unchanged" for step in (*steps, *later)):
        _announce(kube, owned, (*steps, *later), earlier)
    done: list[AppliedObject] = []
    for index, step in enumerate(steps):
        live = step.live
        try:
            if step.action != "unchanged":
                live = _write(kube, step, namespace=owned.namespace, emit=emit)
        except KubekitError as error:
            failure = _refusal(kube, error, step, namespace=owned.namespace)
            failure.details += halfway((*earlier, *done), step, (*steps[index + 1 :], *later))
            raise failure from error
        emit(told(step))
        done.append(AppliedObject(manifest=step.manifest, action=step.action, live=live))
    since = min((step.date for step in steps), default=0.0)
    return Applied(objects=tuple(done), since=since)


def told(step: Step, action: str | None = None) -> ObjectChanged:
    """What is said of a step, done or to be done."""
    return ObjectChanged(
        ref=step.manifest.ref,
        action=action or step.action,
        detail=step.detail,
        changes=step.changes,
    )


def halfway(
    done: Sequence[AppliedObject], failed: Step | None, left: Sequence[Step]
) -> tuple[str, ...]:
    """What was written and what was not, of an apply that ends in the middle. Pure."""
    written = [item.manifest.ref for item in done if item.action != "unchanged"]
    missing = [step.manifest.ref for step in left if step.action != "unchanged"]
    if failed is not None and failed.action == "recreated":
        written.append(f"{failed.manifest.ref} perhaps deleted")
    said = [f"written before it: {', '.join(written)}" if written else "nothing was written"]
    if missing:
        said.append(f"not written: {', '.join(missing)}; the next run goes on with them")
    return tuple(said)


def _attempt(
    kube: Kube,
    manifest: Manifest,
    by_autoscalers: frozenset[str],
    *,
    owned: OwnedSet,
    emit: Emit,
    consent: Consent,
) -> Attempt:
    """How this object is to be tried, once what is there by its name is known, and ours."""
    resource = find(kube, manifest.data["apiVersion"], manifest.kind)
    path = resource.path(owned.namespace, manifest.name)
    live = settled(kube, path, f"`{manifest.ref}`", emit=emit)
    if live is not None:
        owned.check_owner(live, context=kube.context)
    sent = owned.own(manifest.data)
    return Attempt(
        kube=kube,
        owned=owned,
        manifest=manifest,
        resource=resource,
        sent=autoscaled.left_alone(sent, live) if manifest.ref in by_autoscalers else sent,
        live=live,
        consent=consent,
        emit=emit,
    )


def _try(attempt: Attempt, withheld: Withheld) -> Step:
    manifest, live = attempt.manifest, attempt.live
    if live is not None and comparable(live) == comparable(attempt.sent):
        return _same(attempt, live)
    try:
        answer = attempt.ask()
    except RefusedError as error:
        namespace = attempt.owned.namespace
        raise explained(attempt.kube, error, manifest, namespace=namespace, live=live) from error
    for text in answer.warnings:
        attempt.emit(Warned(text=f"{manifest.ref}: {text}"))
    return _step(attempt, answer, withheld)


def _same(attempt: Attempt, live: Object) -> Step:
    """What is live is just what is sent, as a hashed ConfigMap is: there is nothing to ask."""
    return Step(
        manifest=attempt.manifest,
        resource=attempt.resource,
        action="unchanged",
        sent=attempt.sent,
        live=live,
        date=math.floor(attempt.kube.server_now()) - 1,
    )


def _step(attempt: Attempt, answer: Answer, withheld: Withheld) -> Step:
    live = attempt.live
    action, detail = _action(live, answer), ""
    differing = changes(live, answer.data, withheld) if live else ()
    if attempt.anew:
        action, detail = "recreated", f"since {attempt.anew}"
    elif live is not None and handover.pending(live):
        action, detail = "configured", "and taken over from `kubectl apply`"
        differing += tuple(f"{path}: removed" for path in handover.dropped(live, attempt.sent))
    return Step(
        manifest=attempt.manifest,
        resource=attempt.resource,
        action=action,
        sent=attempt.sent,
        live=answer.data if live is None else live,
        date=answer.date,
        force=attempt.force,
        detail=detail,
        changes=differing if action == "configured" else (),
    )


def _action(live: Object | None, answer: Answer) -> str:
    if live is None:
        return "created"
    return "unchanged" if comparable(live) == comparable(answer.data) else "configured"


def _announce(
    kube: Kube, owned: OwnedSet, steps: Sequence[Step], earlier: Sequence[AppliedObject]
) -> None:
    """Let the parent name every kind that will have members, before the first of them is there."""
    try:
        known = read_kinds(kube, owned)
        coming = (owned.kinds_of(step.sent, step.resource) for step in steps)
        wanted = set(known or ()).union(*coming)
        if known is None or wanted != known:
            write_kinds(kube, owned, wanted)
    except KubekitError as error:
        failure = of_parent(error, owned.parent) if isinstance(error, ApiError) else error
        failure.details += halfway(earlier, None, steps)
        raise failure from error


def _write(kube: Kube, step: Step, *, namespace: str, emit: Emit) -> Object:
    path = step.resource.path(namespace, step.manifest.name)
    if step.action == "recreated":
        kube.delete(path, uid=step.live["metadata"]["uid"])
        if settled(kube, path, f"`{step.manifest.ref}`", emit=emit) is not None:
            raise RefusedError(
                f"somebody else has made `{step.manifest.ref}` meanwhile",
                hints=("run kubekit again: it looks whose it is",),
                id="not-ours",
            )
    elif handover.pending(step.live):
        handover.take_over(kube, path)
    return kube.apply(path, step.sent, force=step.force).data


def _refusal(kube: Kube, error: KubekitError, step: Step, *, namespace: str) -> KubekitError:
    if isinstance(error, RefusedError):
        return explained(kube, error, step.manifest, namespace=namespace, live=step.live)
    return error


def together(errors: list[KubekitError]) -> KubekitError:
    """One error for all of them: the first, with the others as its details."""
    first, *others = errors
    first.details = (*first.details, *(_line(error.place, error.message) for error in others))
    return first


def _line(place: Place | None, message: str) -> str:
    return f"{place}: {message}" if place else message
