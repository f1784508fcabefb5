"""Which objects of a namespace stand for themselves, and which of them a person means. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kubekit.api.lineage import controller
from kubekit.api.resources import ref
from kubekit.errors import UsageError
from kubekit.model import Object
from kubekit.rollout import kinds

JUDGED = (*kinds.WORKLOADS, "Service")
Objects = Mapping[str, Sequence[Object]]
"""All that was listed, by kind."""

_SHORT = {
    "deploy": "Deployment",
    "rs": "ReplicaSet",
    "sts": "StatefulSet",
    "ds": "DaemonSet",
    "cj": "CronJob",
    "po": "Pod",
    "svc": "Service",
}
_KINDS = {
    word: kind for kind in (*JUDGED, "CronJob") for word in (kind.lower(), f"{kind.lower()}s")
} | _SHORT


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asks after; `kind` is None where only a name was given."""

    kind: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" if self.kind else self.name


def parse(text: str) -> Asked:
    """What ``deploy/web``, ``deployment.apps/web``, ``Deployment/web`` or ``web`` means.

    Raises:
        UsageError: it is none of these, or of a kind that is not judged.
    """
    word, slash, name = text.strip().rpartition("/")
    if not name or "/" in word or (slash and not word):
        raise UsageError(
            f"`{text}` names no object", hints=("write it as `deployment/NAME` or `NAME`",)
        )
    if not slash:
        return Asked(kind=None, name=name)
    kind = _KINDS.get(word.lower().partition(".")[0])
    if kind is None:
        close = difflib.get_close_matches(word.lower(), _KINDS, n=1)
        known = ", ".join(kind.lower() for kind in (*JUDGED, "CronJob"))
        hint = f"did you mean `{close[0]}/{name}`?" if close else f"kinds there are: {known}"
        raise UsageError(f"`{word}` is no kind that can be judged", hints=(hint,))
    return Asked(kind=kind, name=name)


def standing(objects: Objects) -> list[Object]:
    """What nothing else that was listed stands for: workloads, the newest Job of each CronJob.

    Services stand for themselves. An object whose controller may not be read does, too.
    """
    known = {obj["metadata"]["uid"] for kind in kinds.WORKLOADS for obj in objects.get(kind, ())}
    rows = [
        obj
        for kind in JUDGED
        for obj in objects.get(kind, ())
        if _stands(obj, controller(obj), known)
    ]
    newest = _newest_jobs(objects.get("Job", ()))
    idle = [cron for cron in objects.get("CronJob", ()) if _uid(cron) not in newest]
    return [*rows, *newest.values(), *idle]


def chosen(objects: Objects, asked: Asked) -> list[Object]:
    """The objects a person means, none where there is no such: what stands for itself first."""
    rows = standing(objects)
    if asked.kind is not None:
        every: Iterable[Object] = objects.get(asked.kind, ())
        return [_latest(obj, objects) for obj in every if _name(obj) == asked.name]
    crons = [cron for cron in objects.get("CronJob", ()) if _name(cron) == asked.name]
    found = [row for row in rows if _name(row) == asked.name and row not in crons]
    found += [_latest(cron, objects) for cron in crons]
    return found or [
        obj for kind in JUDGED for obj in objects.get(kind, ()) if _name(obj) == asked.name
    ]


def nearest(objects: Objects, asked: Asked) -> list[str]:
    """Up to three objects whose names come near, as people write them."""
    refs = {ref(obj): _name(obj) for obj in _all(objects)}
    same = [one for one in refs if asked.kind and one.startswith(f"{asked.kind}/")]
    names = difflib.get_close_matches(asked.name, set(refs.values()), n=3)
    exact = [one for one, name in refs.items() if name == asked.name]
    close = [one for one, name in refs.items() if name in names]
    return list(dict.fromkeys([*exact, *(one for one in same if one in close), *close]))[:3]


def title(obj: Object) -> str:
    """How a row is called: its ref, and the CronJob that a Job is of."""
    owner = controller(obj)
    if obj["kind"] == "Job" and owner is not None and owner["kind"] == "CronJob":
        return f"{ref(obj)} of CronJob/{owner['name']}"
    return ref(obj)


def _stands(obj: Object, owner: Object | None, known: Iterable[str]) -> bool:
    if owner is None:
        return True
    if owner["kind"] == "CronJob" or owner["uid"] in known:
        return False
    # An earlier revision of a Deployment that may not be read.
    return obj["kind"] != "ReplicaSet" or kinds.wanted(obj) > 0


def _newest_jobs(jobs: Iterable[Object]) -> dict[str, Object]:
    """The newest Job of each CronJob, by the CronJob's uid."""
    newest: dict[str, Object] = {}
    for job in sorted(jobs, key=lambda job: str(job["metadata"].get("creationTimestamp"))):
        owner = controller(job)
        if owner is not None and owner["kind"] == "CronJob":
            newest[owner["uid"]] = job
    return newest


def _latest(obj: Object, objects: Objects) -> Object:
    """Of a CronJob its newest Job, if it has run; anything else is itself."""
    return _newest_jobs(objects.get("Job", ())).get(_uid(obj), obj)


def _all(objects: Objects) -> Iterator[Object]:
    for kind in (*JUDGED, "CronJob"):
        yield from objects.get(kind, ())


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _uid(obj: Object) -> str:
    return str(obj["metadata"]["uid"])
