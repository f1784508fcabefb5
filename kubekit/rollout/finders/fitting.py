"""Whether any node could ever take a pod, by what it asks for and what the nodes are. Pure.

Only what stays is looked at: what a node has in all, its labels, and the taints that people set.
What other pods use, and what Kubernetes itself marks a node with, passes.
See https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kubekit.api.quantity import parse, said
from kubekit.model import Object
from kubekit.rollout.finders import labels

_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
_SCHEDULER = "default-scheduler"

Amounts = dict[str, Fraction]
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """Why no node will ever take the pod.

    Attributes:
        kind: ``selector``, ``taint`` or ``resources``.
        text: what is asked for and what there is, one line, to stand after a colon.
        field: where below the pod spec the cause stands.
    """

    kind: str
    text: str
    field: FieldPath


def misfit(spec: Object, nodes: Sequence[Object]) -> Misfit | None:
    """Why none of the nodes will ever take a pod of this spec; None if one may, or nobody knows.

    What another scheduler, or a fixed `nodeName`, decides is not known. Of several causes the one
    is told that stands last in the way: labels, then taints, then resources.
    """
    if not nodes or spec.get("nodeName") or spec.get("schedulerName", _SCHEDULER) != _SCHEDULER:
        return None
    wanted = [node for node in nodes if labels.selects(spec, node)]
    if not wanted:
        text, field = labels.lacking(spec, nodes)
        return Misfit(kind="selector", text=text, field=field)
    repelling = [(node, untolerated(spec, node)) for node in wanted]
    allowed = [node for node, taint in repelling if taint is None]
    if not allowed:
        shown = dict.fromkeys(f"`{said_taint(taint)}`" for _, taint in repelling if taint)
        text = f"it does not tolerate the taint of {_which(wanted)}: {', '.join(shown)}"
        return Misfit(kind="taint", text=text, field=("tolerations",))
    return _too_large(spec, allowed)


def requests(spec: Object) -> Amounts:
    """What a pod asks of a node: its containers together, or more while it initializes.

    An init container that goes on (a sidecar) counts from its start on. See
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    lasting: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        asked = _plus(lasting, _asked(container))
        peak = _most(peak, asked)
        if container.get("restartPolicy") == "Always":
            lasting = asked
    for container in spec.get("containers") or ():
        lasting = _plus(lasting, _asked(container))
    found = _most(peak, lasting)
    whole = _amounts((spec.get("resources") or {}).get("requests"))
    return _plus({**found, **whole}, _amounts(spec.get("overhead")))


def untolerated(spec: Object, node: Object, *, passing: bool = False) -> Object | None:
    """A taint that keeps the pod off the node: for good, or one Kubernetes itself clears again."""
    tolerations = spec.get("tolerations") or ()
    for taint in (node.get("spec") or {}).get("taints") or ():
        keeps_off = taint.get("effect") in ("NoSchedule", "NoExecute")
        if not keeps_off or str(taint.get("key")).startswith(_PASSING) is not passing:
            continue
        if not any(_tolerates(toleration, taint) for toleration in tolerations):
            return dict(taint)
    return None


def said_taint(taint: Object) -> str:
    """A taint as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _too_large(spec: Object, nodes: list[Object]) -> Misfit | None:
    asked = requests(spec)
    short = [_short(asked, node) for node in nodes]
    if not all(short):
        return None
    common = [name for name in asked if all(name in names for names in short)]
    if not common:
        names = [name for name in asked if any(name in names for names in short)]
        all_asked = " and ".join(said(name, asked[name], up=True) for name in names)
        text = f"it asks for {all_asked}, and no single node has all of that"
        return Misfit(kind="resources", text=text, field=_largest(spec, names[0]))
    name = common[0]
    node = max(nodes, key=lambda node: _given(node).get(name, Fraction(0)))
    has = said(name, _given(node).get(name, Fraction(0)))
    largest = "the" if len(nodes) == 1 else "the largest"
    text = (
        f"it asks for {said(name, asked[name], up=True)}, "
        f"and {largest} node, `{_name(node)}`, has {has} in all"
    )
    return Misfit(kind="resources", text=text, field=_largest(spec, name))


def _short(asked: Amounts, node: Object) -> list[str]:
    """The resources that the node has too little of, even when it is empty."""
    has = _given(node)
    return [name for name, amount in asked.items() if amount > (has.get(name) or _unlisted(name))]


def _unlisted(name: str) -> Fraction | float:
    """A kubelet tells some only after its start, a device once its plugin has registered."""
    return float("inf") if name == "ephemeral-storage" or "/" in name else Fraction(0)


def _given(node: Object) -> Amounts:
    return _amounts((node.get("status") or {}).get("allocatable"))


def _largest(spec: Object, name: str) -> FieldPath:
    """Where the container is that asks for most of it."""
    every = [
        (_asked(container).get(name, Fraction(0)), (key, index, "resources"))
        for key in ("containers", "initContainers")
        for index, container in enumerate(spec.get(key) or ())
    ]
    amount, field = max(every, key=lambda pair: pair[0], default=(Fraction(0), ()))
    return field if amount else ()


def _asked(container: Object) -> Amounts:
    """The requests of a container; where it names only a limit, that is its request."""
    resources = container.get("resources") or {}
    return {**_amounts(resources.get("limits")), **_amounts(resources.get("requests"))}


def _amounts(given: Mapping[str, object] | None) -> Amounts:
    parsed = ((name, parse(value)) for name, value in (given or {}).items())
    return {name: amount for name, amount in parsed if amount is not None}


def _plus(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, Fraction(0)) + other.get(name, Fraction(0)) for name in one | other}


def _most(one: Amounts, other: Amounts) -> Amounts:
    names = one | other
    return {name: max(one.get(name, Fraction(0)), other.get(name, Fraction(0))) for name in names}


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Equal":
        # Without a key only `Exists` is valid; and a missing value is an empty one.
        return (toleration.get("value") or "") == (taint.get("value") or "")
    return True


def _which(nodes: Sequence[Object]) -> str:
    names = ", ".join(f"`{_name(node)}`" for node in nodes)
    return f"node {names}" if len(nodes) == 1 else f"nodes {names}"


def _name(node: Object) -> str:
    return str(node["metadata"]["name"])
