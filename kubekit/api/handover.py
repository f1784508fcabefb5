"""Objects first made by `kubectl apply`, whose fields kubekit takes over once they are given to it.

Client-side apply is no apply to the API server but an update: a field it has set stays when
kubekit's manifest no longer has it, and conflicts when it has another value. kubectl itself moves
such an entry of `managedFields` to the name of server-side apply (client-go/util/csaupgrade), and
so does kubekit, to its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.model import Object

CLIENT_SIDE = frozenset({"kubectl-client-side-apply", "before-first-apply"})
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ATTEMPTS = 5


def pending(live: Object | None) -> bool:
    """Whether fields of the object are still those of a client-side apply.

    Those of a Namespace stay so: it is a member of no set, so nobody has given it to kubekit.
    """
    if live is None or live["kind"] == "Namespace":
        return False
    return any(map(_is_client_side, _entries(live)))


def take_over(kube: Kube, path: str) -> None:
    """Make the fields of the client-side apply kubekit's: the next apply drops what it lacks.

    Raises:
        ApiError: it changed again and again meanwhile.
    """
    for attempt in range(_ATTEMPTS):
        live = kube.get(path)
        if live is None or not pending(live):
            return
        version = live["metadata"]["resourceVersion"]  # refused if it changed meanwhile
        patch = {"metadata": {"resourceVersion": version, "managedFields": moved(live)}}
        try:
            kube.request("PATCH", path, body=patch, content_type="application/merge-patch+json")
        except ApiError as error:
            if attempt == _ATTEMPTS - 1 or error.reason != "Conflict":
                raise
        else:
            return


def moved(live: Object) -> list[Object]:
    """The managed fields as they are once those of the client-side apply are kubekit's. Pure."""
    entries = list(_entries(live))
    own = [entry for entry in entries if _is_own(entry)]
    taken = [entry for entry in entries if _is_client_side(entry)]
    others = [entry for entry in entries if entry not in own and entry not in taken]
    fields: Object = {}
    for entry in (*own, *taken):
        fields = _union(fields, entry.get("fieldsV1") or {})
    first = (own or taken)[0]
    mine = {**first, "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    return [mine, *others]


def dropped(live: Object, sent: Object) -> list[str]:
    """Each field that goes with the next apply, once the object is taken over. Pure.

    No trial tells of them: it is made before anything is taken over.
    """
    taken = (entry for entry in _entries(live) if _is_client_side(entry))
    found = (path for entry in taken for path in _missing(entry.get("fieldsV1") or {}, sent, ""))
    return list(dict.fromkeys(found))


def _missing(fields: Object, sent: Object, path: str) -> Iterator[str]:
    """Items of lists are left out: what tells them apart is the server's business."""
    for key, below in fields.items():
        kind, _, name = key.partition(":")
        if kind != "f" or name == LAST_APPLIED:
            continue
        here, mine = f"{path}.{name}" if path else name, sent.get(name, {})
        if any(key.startswith("f:") for key in below):
            yield from _missing(below, mine if isinstance(mine, dict) else {}, here)
        elif name not in sent:
            yield here


def _entries(live: Object) -> list[Object]:
    return list(live["metadata"].get("managedFields") or ())


def _is_client_side(entry: Object) -> bool:
    whole = not entry.get("subresource")
    return entry.get("manager") in CLIENT_SIDE and entry.get("operation") == "Update" and whole


def _is_own(entry: Object) -> bool:
    whole = not entry.get("subresource")
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and whole


def _union(one: Any, other: Any) -> Any:
    keys = dict.fromkeys((*one, *other))
    return {key: _union(one.get(key, {}), other.get(key, {})) for key in keys}
