"""The revisions of a workload, and which of them were once ready.

Kubernetes keeps a Deployment's as ReplicaSets, those of a StatefulSet or DaemonSet as
ControllerRevisions, and forgets how they did: so the time at which the judge found one ready is
written on it. One of `dev` never counts as such: what it ran was synced into it, and is in no
image. Nor does any where no pod becomes a new one: those that are ready are of an older one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.api.resources import CONTROLLER_REVISIONS, REPLICA_SETS, Resource, ref
from kubekit.events import Emit, Warned
from kubekit.model import Applied, Object
from kubekit.rollout.kinds import REVISION, holds_back
from kubekit.rollout.reading import annotations_of, is_owned

READY_ANNOTATION = "kubekit.dev/ready-at"
DEV_VOLUME = "kubekit-programs"
"""The volume of every pod that `dev` has adapted: its program runs under ours there."""

KEPT_AS: Mapping[str, Resource] = {
    "Deployment": REPLICA_SETS,
    "StatefulSet": CONTROLLER_REVISIONS,
    "DaemonSet": CONTROLLER_REVISIONS,
}
"""The kinds that have revisions, and as what Kubernetes keeps them."""

_HASH = "pod-template-hash"
_PATCH = "$patch"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision of a workload.

    Attributes:
        name: of its ReplicaSet or ControllerRevision.
        ready_at: when it was last found ready, RFC 3339; empty if it never was, as far as is known.
        template: of its pods, as the workload had it.
        present: it is the one that the workload has now.
        of_dev: `dev` has made it, to sync into it.
        made_at: when it was made first, RFC 3339.
    """

    number: int
    name: str
    ready_at: str
    template: Object
    present: bool
    of_dev: bool = False
    made_at: str = ""

    @property
    def told(self) -> str:
        """How it did, in words."""
        return past_of(self.ready_at, of_dev=self.of_dev)

    @property
    def images(self) -> list[str]:
        """What its containers run."""
        return [str(item["image"]) for item in self.template["spec"].get("containers") or ()]


def past_of(ready_at: str | None, *, of_dev: bool) -> str:
    """How a revision did, in words."""
    if of_dev:
        return "of `kubekit dev`"
    return f"ready at {ready_at}" if ready_at else "never seen ready"


def history(kube: Kube, namespace: str, workloads: Iterable[Object], *, emit: Emit) -> list[Object]:
    """What the revisions of all these are kept as; of kinds that none of them is, nothing is asked.

    What this user may not list is said, and is left out.
    """
    found: list[Object] = []
    asked: dict[Resource, list[str]] = {}
    for obj in workloads:
        if obj["kind"] in KEPT_AS:
            asked.setdefault(KEPT_AS[obj["kind"]], []).append(ref(obj))
    for resource, names in asked.items():
        try:
            found += kube.list(resource.path(namespace))
        except ApiError as error:
            if error.id != "api-forbidden":
                raise
            text = f"the revisions of {', '.join(names)} are not known: {error.message}"
            hint = f"ask for the rights to get, list, watch and patch `{resource.plural}`"
            emit(Warned(text=text, hints=(hint,)))
    return found


def revisions(items: Iterable[Object], workload: Object) -> list[Revision]:
    """All its revisions among what is kept, the newest and so present one first."""
    mine = [item for item in items if is_owned(item, workload["metadata"]["uid"])]
    mine.sort(key=_number, reverse=True)
    return [_revision(item, present=index == 0) for index, item in enumerate(mine)]


def _revision(item: Object, *, present: bool) -> Revision:
    template = _template(item)
    volumes = template["spec"].get("volumes") or ()
    of_dev = any(one["name"] == DEV_VOLUME for one in volumes)
    return Revision(
        number=_number(item),
        name=item["metadata"]["name"],
        ready_at="" if of_dev else annotations_of(item).get(READY_ANNOTATION, ""),
        template=template,
        present=present,
        of_dev=of_dev,
        made_at=item["metadata"].get("creationTimestamp") or "",
    )


def remember(kube: Kube, applied: Applied, *, namespace: str) -> None:
    """Write on the present revision of each workload that it was ready; once is enough.

    Who may not do that goes without, and so without a rollback.
    """
    live = [item.live for item in applied.objects if item.manifest.kind in KEPT_AS]
    # One time for all of them: by it they are known to be of one release.
    now = dt.datetime.fromtimestamp(kube.server_now(), tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for resource in dict.fromkeys(KEPT_AS.values()):
        mine = [obj for obj in live if KEPT_AS[obj["kind"]] == resource and not holds_back(obj)]
        with contextlib.suppress(ApiError):
            _note(kube, resource, mine, now, namespace)


def _note(kube: Kube, resource: Resource, live: list[Object], now: str, namespace: str) -> None:
    items = kube.list(resource.path(namespace)) if live else []
    for obj in live:
        known = revisions(items, obj)
        if known and not known[0].of_dev and not _is_newest(known):
            kube.request(
                "PATCH",
                resource.path(namespace, known[0].name),
                query={"fieldManager": FIELD_MANAGER},
                body={"metadata": {"annotations": {READY_ANNOTATION: now}}},
                content_type="application/merge-patch+json",
            )


def _is_newest(known: list[Revision]) -> bool:
    """Whether the present revision is known to be the last that became ready.

    It is not where it is an old one that has come back; an apply that has changed no template does
    not count, or a rollback would undo what an earlier release has changed.
    """
    present, *others = known
    return bool(present.ready_at) and all(one.ready_at <= present.ready_at for one in others)


def _number(item: Object) -> int:
    number = str(item.get("revision") or annotations_of(item).get(REVISION, "0"))
    return int(number) if number.isdecimal() else 0


def _template(item: Object) -> Object:
    """The pod template; of a ControllerRevision, the patch that brings it back holds it whole."""
    template = item.get("data", item)["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    # A null time is what the API server writes and refuses.
    kept = {key: value for key, value in metadata.items() if value is not None}
    rest = {key: value for key, value in template.items() if key != _PATCH}
    return {**rest, "metadata": {**kept, "labels": labels}}
