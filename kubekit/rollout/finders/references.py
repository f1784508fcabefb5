"""Finders about Secrets and ConfigMaps that a pod names and that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kubekit.api.references import references
from kubekit.model import Object
from kubekit.rollout.finders.findings import waiting
from kubekit.rollout.finders.hits import Finder, Hit
from kubekit.rollout.reading import containers_of, event_start
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import KeysOf


def config_missing(kind: str, *, text: str, of_volume: str = "") -> Finder:
    """Containers that wait for a Secret or ConfigMap (or a key of one) that is really not there.

    `text` has the groups ``name`` and, for a missing key, ``key``; `of_volume` has only ``key``:
    what the kubelet says of a volume names the volume and not its Secret. Whether the object exists
    is a fact of its own: the kubelet's word may be older than an object this very run has made.
    """
    base = waiting("CreateContainerConfigError", text=text, field="")

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        mounts = (*_mounts(snapshot, text), *(_volumes(snapshot, kind, of_volume)))
        for found in (*base(snapshot, now), *mounts):
            wanted = KeysOf(kind=kind, name=str(found.words["name"]).rpartition("/")[2])
            key = found.words.get("key")
            hit = replace(found, field=_reference(snapshot, found.field, kind, wanted.name, key))
            if wanted in snapshot.facts:
                keys = snapshot.facts[wanted]
                if (keys is not None and key is None) or (keys and key in keys):
                    continue  # it has arrived meanwhile; the kubelet will try again
            keys = snapshot.facts.get(wanted) or ()
            words = {**hit.words, "name": wanted.name, "keys": ", ".join(keys) or "none"}
            yield replace(hit, words=words, wants=frozenset({wanted}))

    return find


def _reference(
    snapshot: Snapshot, start: tuple[str | int, ...], kind: str, name: str, key: object
) -> tuple[str | int, ...]:
    """Where below `start` the Deployment names this Secret or ConfigMap (and this key of it)."""
    for reference in references(snapshot.target.template, ("spec", "template")):
        below = reference.path[: len(start)] == start
        if not below or (reference.kind, reference.name) != (kind, name):
            continue
        if key is None:
            return reference.path
        if reference.holder.get("key") == key:
            return (*reference.path[:-1], "key")
    return start


def _mounts(snapshot: Snapshot, text: str) -> Iterator[Hit]:
    pattern = re.compile(text, re.IGNORECASE)
    for pod in snapshot.new_pods:
        for event in snapshot.events_of(pod["metadata"]["uid"], "FailedMount"):
            match = pattern.search(event.get("message") or "")
            if match and not _has_started(pod):
                yield Hit(
                    where=f"Pod/{pod['metadata']['name']}",
                    since=event_start(event),
                    words={"container": "", **match.groupdict()},
                    field=("spec", "template", "spec", "volumes"),
                )


def _volumes(snapshot: Snapshot, kind: str, text: str) -> Iterator[Hit]:
    """Volumes whose Secret or ConfigMap lacks a key that they name."""
    for found in _mounts(snapshot, rf'volume "(?P<volume>[^"]+)" : {text}') if text else ():
        template = snapshot.target.template["spec"]
        named = [it for it in template.get("volumes") or () if it["name"] == found.words["volume"]]
        for reference in references(named):
            if reference.kind == kind:
                yield replace(found, words={**found.words, "name": reference.name})


def _has_started(pod: Object) -> bool:
    return any(item.running is not None and not item.init for item in containers_of(pod))
