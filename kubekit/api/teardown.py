"""Teardown: every object of a project found, deleted, and waited for until its pods are gone, too.

Every delete names the object's uid, so that one which was replaced meanwhile is left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from kubekit.api.claims import let_go
from kubekit.api.deleting import grace, holders
from kubekit.api.kube import ApiError, Kube
from kubekit.api.lineage import is_of
from kubekit.api.ownership import (
    MANAGED_BY_LABEL,
    MANAGER,
    MEMBER_LABEL,
    PART_OF_LABEL,
    Member,
    OwnedSet,
    labelled,
    members,
    owned_sets,
    read_kinds,
    write_kinds,
)
from kubekit.api.removal import DATA_KINDS
from kubekit.api.resources import CONFIG_MAP, KNOWN, LEASES, PODS, Resource, listable, ref
from kubekit.api.sparing import holding, others
from kubekit.api.waiting import Wait
from kubekit.errors import UnreachableError
from kubekit.events import Emit, ObjectChanged, Warned
from kubekit.model import Cancel, Clock, Object

_GONE_SECONDS = 120.0
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What a teardown did: how many objects it deleted, and which it kept for their data."""

    deleted: int
    kept: tuple[str, ...]


def projects_in(kube: Kube, namespace: str, emit: Emit) -> list[OwnedSet]:
    """Every project kubekit has something of there, also where its parent was lost."""
    found = dict.fromkeys(owned_sets(kube, namespace))
    labels = []
    with contextlib.suppress(ApiError):
        left = kube.list(LEASES.path(namespace), selector=f"{MANAGED_BY_LABEL}={MANAGER}")
        labels = [lease["metadata"]["labels"] for lease in left]
    every = _every_kind(kube, emit)
    labels += [
        obj["metadata"]["labels"]
        for _, obj in labelled(kube, namespace, every, MEMBER_LABEL, lenient=True)
    ]
    for one in labels:
        owned = OwnedSet(project=one.get(PART_OF_LABEL, ""), namespace=namespace)
        if owned.project and one.get(MEMBER_LABEL, owned.id) == owned.id:
            found[owned] = None
    return list(found)


def teardown(
    kube: Kube, owned: OwnedSet, *, data: bool, emit: Emit, clock: Clock, cancel: Cancel
) -> Removed:
    """Delete every member of the set and wait until the objects and their pods are gone.

    All usual kinds are looked through beside those the parent names; where it was deleted by hand,
    or never written before a kill, every kind there is. What is another's by now stays.

    Args:
        data: claims, too; without, a StatefulSet that would take its own along lets go of them,
            and what else would is kept.

    Raises:
        ApiError: this user may not see whether claims would go along; nothing was deleted.
        UnreachableError: something is still there after two minutes; the details name it.
    """
    doomed, kept = _sorted_out(kube, owned, _found(kube, owned, emit), data=data, emit=emit)
    if not data:
        let_go(kube, owned.namespace, doomed, emit=emit, clock=clock, cancel=cancel)
    for resource, obj in _in_reverse(doomed):
        path = resource.path(owned.namespace, obj["metadata"]["name"])
        kube.delete(path, uid=obj["metadata"]["uid"])
    _await_gone(kube, owned, doomed, emit=emit, clock=clock, cancel=cancel)
    _close_set(kube, owned, {resource.group_kind for resource, _ in kept})
    return Removed(deleted=len(doomed), kept=tuple(ref(obj) for _, obj in kept))


def _found(kube: Kube, owned: OwnedSet, emit: Emit) -> list[Member]:
    named = read_kinds(kube, owned)
    found = members(kube, owned, named or ())
    wide = _every_kind(kube, emit) if named is None else KNOWN.values()
    rest = [kind for kind in wide if kind.group_kind not in (named or ())]
    return found + labelled(kube, owned.namespace, rest, owned.selector, lenient=True)


def _sorted_out(
    kube: Kube, owned: OwnedSet, found: list[Member], *, data: bool, emit: Emit
) -> tuple[list[Member], list[Member]]:
    """Those to delete, and those to keep for their data; of what else stays it is told why."""
    whys = others(kube, owned.namespace, found, data=data)
    for _, obj in found:
        why = whys.get(obj["metadata"]["uid"])
        if why and (data or obj["kind"] not in DATA_KINDS):
            emit(Warned(text=f"{ref(obj)} stays: {why}"))
    ours = [pair for pair in found if pair[1]["metadata"]["uid"] not in whys]
    if data:
        return ours, []
    held = holding(kube, owned.namespace, ours)
    doomed: list[Member] = []
    kept: list[Member] = []
    for resource, obj in ours:
        claim = held.get(obj["metadata"]["uid"])
        if claim:
            emit(Warned(text=f"{ref(obj)} stays: {claim} would be deleted with it"))
        keeps = claim or obj["kind"] in DATA_KINDS
        (kept if keeps else doomed).append((resource, obj))
    return doomed, kept


def _every_kind(kube: Kube, emit: Emit) -> list[Resource]:
    try:
        return listable(kube)
    except (ApiError, UnreachableError) as error:
        emit(Warned(text=f"only the usual kinds are looked through: {error.message}"))
        return list(KNOWN.values())


def _in_reverse(found: Iterable[Member]) -> list[Member]:
    """Last applied, first deleted; kinds not in the usual order go before the rest."""
    order = {resource.group_kind: index for index, resource in enumerate(KNOWN.values())}
    return sorted(found, key=lambda pair: order.get(pair[0].group_kind, len(order)), reverse=True)


def _await_gone(
    kube: Kube,
    owned: OwnedSet,
    doomed: list[Member],
    *,
    emit: Emit,
    clock: Clock,
    cancel: Cancel,
) -> None:
    seconds = _GONE_SECONDS + max((grace(obj) for _, obj in doomed), default=0)
    wait = Wait(seconds, emit=emit, clock=clock, cancel=cancel)
    left = doomed
    while left := _still_there(kube, owned, left, emit):
        if wait.is_over:
            raise UnreachableError(
                f"{ref(left[0][1])} is still there after {seconds:.0f} s",
                hints=("see what holds it: `metadata.finalizers` of the objects named below",),
                details=tuple(_held(obj) for _, obj in left),
                id="still-deleting",
            )
        wait.on(_waiting(kube, owned.namespace, left))


def _still_there(kube: Kube, owned: OwnedSet, before: list[Member], emit: Emit) -> list[Member]:
    """Those that are still there, as they are now; of the others it is told that they are gone."""
    live: dict[str, Object] = {}
    for resource in dict.fromkeys(resource for resource, _ in before):
        for item in kube.list(resource.path(owned.namespace), selector=owned.selector):
            live[item["metadata"]["uid"]] = item
    left = []
    for resource, obj in before:
        now = live.get(obj["metadata"]["uid"])
        if now is None:
            emit(ObjectChanged(ref=ref(obj), action="deleted"))
        else:
            left.append((resource, {**obj, **now}))
    return left


def _waiting(kube: Kube, namespace: str, left: list[Member]) -> str:
    """What is waited for, and why, as far as it can be seen."""
    refs = {ref(obj) for _, obj in left}
    ending = [
        it for it in kube.list(PODS.path(namespace)) if it["metadata"].get("deletionTimestamp")
    ]
    pods = [pod for pod in ending if is_of(pod, refs)]
    named = [f"Pod/{pod['metadata']['name']} to end" for pod in pods]
    named = named or [_held(obj) for _, obj in left]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"waiting for {', '.join(named[:_NAMED])}{more}"


def _held(obj: Object) -> str:
    held = holders(obj)
    return f"{ref(obj)}, held by its finalizer {held}" if held else ref(obj)


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
