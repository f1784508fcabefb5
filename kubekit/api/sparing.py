"""What of a set is not deleted, and why: what is another's by now, and what has data with it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence

from kubekit.api.kube import ApiError, Kube
from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, Member, is_our_word
from kubekit.api.resources import KNOWN
from kubekit.model import Object

_CLAIMS = KNOWN["v1", "PersistentVolumeClaim"]
_SETS = KNOWN["apps/v1", "StatefulSet"]
_OF_SETS = frozenset({_SETS.kind, "Pod"})
"""What Kubernetes lets own a claim that it has made from a StatefulSet's template."""


def taken_over(obj: Object, ours: Collection[str] = ()) -> str:
    """Why it is another's by now, though kubekit made it; empty where it is not.

    Args:
        ours: uids of objects that are kubekit's: what they own is, too.
    """
    manager = _manager(obj)
    if manager != MANAGER:
        return f"`{manager}` manages it by now, as its label says"
    for owner in _owners(obj):
        is_usual = obj["kind"] == _CLAIMS.kind and owner["kind"] in _OF_SETS
        if not is_usual and owner.get("uid") not in ours:
            return f"`{owner['kind']}/{owner['name']}` owns it by now"
    return ""


def others(kube: Kube, namespace: str, found: Sequence[Member], *, data: bool) -> dict[str, str]:
    """Those of these that are another's by now, by their uids; each with the reason in words.

    Args:
        data: claims are among what is to go.
    """
    ours = {_uid(obj) for _, obj in found if _manager(obj) == MANAGER}
    whys = {_uid(obj): taken_over(obj, ours) for _, obj in found}
    claims = [obj for _, obj in found if obj["kind"] == _CLAIMS.kind]
    if data and claims:
        doomed = {uid for uid, why in whys.items() if not why}
        for name, made in _made_elsewhere(kube, namespace, doomed):
            for claim in claims:
                if made.fullmatch(claim["metadata"]["name"]):
                    whys[_uid(claim)] = f"`StatefulSet/{name}`, which stays, uses it"
    return {uid: why for uid, why in whys.items() if why}


def holding(kube: Kube, namespace: str, found: Sequence[Member]) -> dict[str, str]:
    """Those of these that own a claim, which would go with them: their uids, each with its name.

    Of the usual kinds only a StatefulSet does so, which can be made to let go of them.

    Raises:
        ApiError: this user may not list claims, so that it cannot be told.
    """
    if not any(may_hold(member) for member in found):
        return {}
    held = {
        owner["uid"]: f"{_CLAIMS.kind}/{claim['metadata']['name']}"
        for claim in kube.list(_CLAIMS.path(namespace))
        for owner in _owners(claim)
    }
    # An operator's object may own the StatefulSet that owns them.
    for one in _live_sets(kube, namespace):
        if _uid(one) in held:
            held |= {owner["uid"]: held[_uid(one)] for owner in _owners(one)}
    uids = (_uid(member[1]) for member in found if may_hold(member))
    return {uid: held[uid] for uid in uids if uid in held}


def may_hold(member: Member) -> bool:
    """Whether it is of a kind of which nothing is known, as that of an operator."""
    resource, _ = member
    return resource not in KNOWN.values() and resource.kind != _SETS.kind


def _made_elsewhere(
    kube: Kube, namespace: str, doomed: Collection[str]
) -> list[tuple[str, re.Pattern[str]]]:
    """The StatefulSets that stay, and what the claims are called that each of them makes."""
    found = []
    for one in _live_sets(kube, namespace):
        if _uid(one) in doomed:
            continue
        name = one["metadata"]["name"]
        templates = [it["metadata"]["name"] for it in one["spec"].get("volumeClaimTemplates") or ()]
        either = "|".join(map(re.escape, templates))
        found += [(name, re.compile(rf"(?:{either})-{re.escape(name)}-\d+"))] if either else []
    return found


def _live_sets(kube: Kube, namespace: str) -> list[Object]:
    """Every StatefulSet there; who may not see any has none."""
    with contextlib.suppress(ApiError):
        return kube.list(_SETS.path(namespace))
    return []


def _owners(obj: Object) -> list[Object]:
    return obj["metadata"].get("ownerReferences") or []


def _manager(obj: Object) -> str:
    """Who manages it by its label; kubekit where it has set that label itself, as it is."""
    manager = (obj["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL, MANAGER)
    return MANAGER if is_our_word(obj["kind"], obj, MANAGED_BY_LABEL) else str(manager)


def _uid(obj: Object) -> str:
    return str(obj["metadata"]["uid"])
