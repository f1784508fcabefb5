"""The revisions of a Deployment, and which of them were once ready.

Kubernetes keeps them as ReplicaSets, and forgets how they did: so the time at which the judge found
one ready is written on its ReplicaSet. One of `dev` never counts as such: what it ran was synced
into it, and is in no image.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.api.resources import REPLICA_SETS
from kubekit.model import Applied, Object
from kubekit.rollout.kinds import REVISION
from kubekit.rollout.reading import annotations_of, is_owned

READY_ANNOTATION = "kubekit.dev/ready-at"
DEV_VOLUME = "kubekit-programs"
"""The volume of every pod that `dev` has adapted: its program runs under ours there."""

_HASH = "pod-template-hash"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision of a Deployment.

    Attributes:
        name: of its ReplicaSet.
        ready_at: when it was last found ready, RFC 3339; empty if it never was, as far as is known.
        template: of its pods, as the Deployment had it.
        present: it is the one that the Deployment has now.
        of_dev: `dev` has made it, to sync into it.
    """

    number: int
    name: str
    ready_at: str
    template: Object
    present: bool
    of_dev: bool = False

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


def revisions(sets: Iterable[Object], deployment: Object) -> list[Revision]:
    """All revisions that are still there, the newest and so present one first."""
    mine = [item for item in sets if is_owned(item, deployment["metadata"]["uid"])]
    mine.sort(key=_number, reverse=True)
    return [
        Revision(
            number=_number(item),
            name=item["metadata"]["name"],
            ready_at="" if _is_of_dev(item) else annotations_of(item).get(READY_ANNOTATION, ""),
            template=_template(item),
            present=index == 0,
            of_dev=_is_of_dev(item),
        )
        for index, item in enumerate(mine)
    ]


def remember(kube: Kube, applied: Applied, *, namespace: str) -> None:
    """Write on the present revision of each Deployment that it was ready; once is enough.

    Who may not do that goes without, and so without a rollback.
    """
    deployments = [item for item in applied.objects if item.manifest.kind == "Deployment"]
    if not deployments:
        return
    now = dt.datetime.fromtimestamp(kube.server_now(), tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"metadata": {"annotations": {READY_ANNOTATION: now}}}
    with contextlib.suppress(ApiError):
        sets = kube.list(REPLICA_SETS.path(namespace))
        for item in deployments:
            known = revisions(sets, item.live)
            if known and not known[0].of_dev and not _is_newest(known):
                kube.request(
                    "PATCH",
                    REPLICA_SETS.path(namespace, known[0].name),
                    query={"fieldManager": FIELD_MANAGER},
                    body=body,
                    content_type="application/merge-patch+json",
                )


def _is_newest(known: list[Revision]) -> bool:
    """Whether the present revision is known to be the last that became ready.

    It is not where it is an old one that has come back; an apply that has changed no template does
    not count, or a rollback would undo what an earlier release has changed.
    """
    present, *others = known
    return bool(present.ready_at) and all(one.ready_at <= present.ready_at for one in others)


def _is_of_dev(item: Object) -> bool:
    volumes = item["spec"]["template"]["spec"].get("volumes") or ()
    return any(one["name"] == DEV_VOLUME for one in volumes)


def _number(item: Object) -> int:
    number = annotations_of(item).get(REVISION, "0")
    return int(number) if number.isdecimal() else 0


def _template(item: Object) -> Object:
    template = item["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    # A null time is what the API server writes and refuses.
    kept = {key: value for key, value in metadata.items() if value is not None}
    return {**template, "metadata": {**kept, "labels": labels}}
