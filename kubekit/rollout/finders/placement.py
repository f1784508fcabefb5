"""Finders about pods and nodes: no node takes them, or the node does not run them.

The scheduler gives one reason a node: the first of its filters that the node does not pass. The
filters run in the order taints, selector, host ports, resources, so that the latest of them is the
reason of the node which comes nearest: the catalogue asks for it first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from kubekit.api.quantity import parse
from kubekit.api.quantity import said as in_words
from kubekit.model import Object
from kubekit.rollout.finders.fitting import Misfit, misfit, said_taint, untolerated
from kubekit.rollout.finders.hits import Finder, Hit, brief, pod_field
from kubekit.rollout.finders.volumes import OF_CLAIMS
from kubekit.rollout.reading import condition, epoch, is_ready
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import NodesOf

_AFTERTHOUGHTS = re.compile(r"[.,]? (?:no new claims to deallocate|preemption: ).*", re.DOTALL)
_SILENT_SECONDS = 5.0
"""A kubelet that is well takes a pod up within a second."""
_CORDON = "node.kubernetes.io/unschedulable"
_MORE = (
    ", or give Minikube more: `minikube config set memory ...`, then `minikube delete`, "
    "which deletes all that is in it, and `minikube start`"
)
# Nodes of these providers are as many as they are; another one may make the node that fits.
_FIXED = ("", "kind", "k3s")


def never_fits(spec: Object, nodes: Sequence[Object] | None) -> Misfit | None:
    """Why no node of the cluster will ever take a pod of this spec, if that is certain."""
    schemes = {str(node["spec"].get("providerID") or "").partition(":")[0] for node in nodes or ()}
    return misfit(spec, nodes) if nodes and schemes <= set(_FIXED) else None


def unschedulable(text: str, *, kind: str = "", field: str = "") -> Finder:
    """Pods no node takes, the scheduler's message matching `text`.

    What no node will ever take, for a misfit of this `kind`, decides at once.
    """
    pattern = re.compile(rf"^(?!.*(?:{OF_CLAIMS})).*(?:{text})", re.IGNORECASE | re.DOTALL)

    def find(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
        nodes = snapshot.facts.get(NodesOf())
        if nodes and not any(is_ready(node) for node in nodes):
            return  # a cause of its own, and the taints that show it too
        for pod in _unplaced(snapshot):
            state = condition(pod, "PodScheduled")
            never = never_fits(pod["spec"], nodes)
            words = words_of(pod["spec"], nodes, never, state.get("message") or "")
            hit = Hit(
                where=f"Pod/{pod['metadata']['name']}",
                since=epoch(state.get("lastTransitionTime")),
                words=words,
                wants=frozenset({NodesOf()}),
                field=pod_field(field),
            )
            if never is not None and never.kind == kind:
                # What is proved need not stand any longer.
                yield replace(hit, since=0.0, field=(*pod_field(""), *never.field))
            elif never is None and pattern.search(state.get("message") or ""):
                yield hit

    return find


def words_of(
    spec: Object, nodes: Sequence[Object] | None, never: Misfit | None, said: str
) -> Mapping[str, object]:
    """What fills the texts of the causes: why no node takes a pod of this spec."""
    reason = brief(_AFTERTHOUGHTS.sub("", said))
    tainted, advice = _tainted(spec, nodes or (), (False,) if never else (True, False))
    return {
        "message": never.text if never else reason,
        "room": never.text if never else f"it asks for {_asked(spec)}{_whole(nodes)}: {reason}",
        "ports": ", ".join(str(port) for port in _host_ports(spec)) or "of the host",
        "more": _MORE if any(map(_is_minikube, nodes or ())) else "",
        "taint": never.text if never else tainted or reason,
        "advice": advice,
    }


def not_ready(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Pods whose node is not ready, or that find none because no node is."""
    nodes = snapshot.facts.get(NodesOf())
    sick = {node["metadata"]["name"]: node for node in nodes or () if not is_ready(node)}
    for pod in snapshot.new_pods:
        if not _is_stuck(snapshot, pod, now):
            continue
        mine = pod["spec"].get("nodeName")
        found = sick.get(mine) if mine else _only(sick, nodes or ())
        if NodesOf() in snapshot.facts and found is None:
            continue
        state = condition(found, "Ready")
        yield Hit(
            where=f"Pod/{pod['metadata']['name']}",
            since=epoch(state.get("lastTransitionTime") or pod["metadata"].get("creationTimestamp"))
            or now,
            words={
                "node": found["metadata"]["name"] if found else "",
                "message": brief(state.get("message") or "it does not say why"),
            },
            wants=frozenset({NodesOf()}),
        )


def gated(snapshot: Snapshot, _now: float) -> Iterator[Hit]:
    """Pods that a scheduling gate holds back."""
    for pod in snapshot.new_pods:
        state = condition(pod, "PodScheduled")
        if state.get("reason") == "SchedulingGated":
            gates = [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]
            yield Hit(
                where=f"Pod/{pod['metadata']['name']}",
                since=epoch(state.get("lastTransitionTime")),
                words={"gates": ", ".join(f"`{gate}`" for gate in gates)},
                field=pod_field("schedulingGates"),
            )


def _unplaced(snapshot: Snapshot) -> Iterator[Object]:
    """The new pods the scheduler has found no node for."""
    for pod in snapshot.new_pods:
        if condition(pod, "PodScheduled").get("reason") == "Unschedulable":
            yield pod


def _is_stuck(snapshot: Snapshot, pod: Object, now: float) -> bool:
    """Whether it is worth asking for the nodes: nobody has taken the pod up, or it was lost."""
    state, status = condition(pod, "PodScheduled"), pod.get("status") or {}
    # One whose node its own spec names never meets the scheduler.
    if state.get("status") != "True" and not pod["spec"].get("nodeName"):
        return state.get("reason") == "Unschedulable"
    untouched = not status.get("startTime") and not status.get("containerStatuses")
    placed = state.get("lastTransitionTime") or pod["metadata"].get("creationTimestamp")
    silent = untouched and now - epoch(placed) > _SILENT_SECONDS
    lost = not is_ready(pod) and snapshot.events_of(pod["metadata"]["uid"], "NodeNotReady")
    return bool(silent or lost)


def _only(sick: Mapping[str, Object], nodes: Sequence[Object]) -> Object | None:
    """One of the nodes that are not ready, if all of them are not."""
    return next(iter(sick.values())) if sick and len(sick) == len(nodes) else None


def _tainted(spec: Object, nodes: Sequence[Object], passing: Sequence[bool]) -> tuple[str, str]:
    """The first such taint in words, and what to do; without a node only the latter."""
    for kind in passing:
        for node in nodes:
            taint = untolerated(spec, node, passing=kind)
            if taint is not None:
                name = node["metadata"]["name"]
                return f"node `{name}` has the taint `{said_taint(taint)}`", _untaint(name, taint)
    return "", "correct them"


def _untaint(node: str, taint: Object) -> str:
    if taint["key"] == _CORDON:
        return f"if it is yours, `kubectl uncordon {node}`"
    if str(taint["key"]).startswith("node.kubernetes.io/"):
        return f"free what `{node}` lacks"
    return f"if it is yours, `kubectl taint node {node} {taint['key']}-`"


def _is_minikube(node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    return any(key.startswith("minikube.k8s.io/") for key in labels)


def _whole(nodes: Sequence[Object] | None) -> str:
    """What the only node has in all, of which other pods hold a part."""
    if nodes is None or len(nodes) != 1:
        return ""
    has = (nodes[0].get("status") or {}).get("allocatable") or {}
    amounts = [(name, parse(has.get(name))) for name in ("cpu", "memory")]
    shown = " and ".join(in_words(name, amount) for name, amount in amounts if amount is not None)
    return f", and other pods hold a part of the node's {shown}"


def _host_ports(spec: Object) -> list[int]:
    return [
        port["hostPort"]
        for container in spec.get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _asked(spec: Object) -> str:
    requests = [
        f"{key} {value}"
        for container in spec.get("containers") or ()
        for key, value in ((container.get("resources") or {}).get("requests") or {}).items()
    ]
    return ", ".join(requests) or "nothing in particular"
