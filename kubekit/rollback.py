"""`kubekit rollback`: every Deployment that the last release has changed, as it was before.

The old pod template is applied as any other, by the same field manager, so that the next
build-and-apply simply goes forward again. It names the old image, and the old Secrets and
ConfigMaps, which are kept for as long as a ReplicaSet names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubekit.api.fields import applied_by
from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.api.ownership import OwnedSet, members
from kubekit.api.references import references
from kubekit.api.refusals import explained
from kubekit.api.resources import DEPLOYMENTS, KNOWN, REPLICA_SETS, ref
from kubekit.errors import Place, UsageError, WorkloadError
from kubekit.events import ObjectChanged
from kubekit.image import cleanup
from kubekit.model import Applied, AppliedObject, ClusterTarget, Manifest, Object, Settings
from kubekit.release import await_ready
from kubekit.rollout.revisions import Revision, remember, revisions
from kubekit.rollout.wait import Rollout
from kubekit.session import Run, open_store


@dataclass(frozen=True, kw_only=True)
class Back:
    """One Deployment, and the revision it goes back to."""

    deployment: Object
    revision: Revision

    @property
    def told(self) -> str:
        """In words, as ``Deployment/web to revision 3, image tasks:kk-...``."""
        images = ", ".join(self.revision.images)
        return f"{ref(self.deployment)} to revision {self.revision.number}, image {images}"


def choose(kube: Kube, owned: OwnedSet) -> list[Back]:
    """What there is to roll back, each to its last revision that was ready.

    Where a present revision was never ready, those; where all are, those of the last release.

    Raises:
        UsageError: there is nothing, with what is known.
    """
    live = [obj for _, obj in members(kube, owned, [DEPLOYMENTS.group_kind])]
    sets = kube.list(REPLICA_SETS.path(owned.namespace))
    known = [(obj, revisions(sets, obj)) for obj in live]
    known = [(obj, found) for obj, found in known if found]
    if not known:
        raise UsageError(
            f"no Deployment of `{owned.project}` is in namespace `{owned.namespace}`",
            hints=("`kubekit status` shows what is there",),
            id="nothing-to-roll-back",
        )
    times = [found[0].ready_at for _, found in known]
    last = max(times) if all(times) else ""
    chosen = []
    for obj, (present, *before) in known:
        good = next((one for one in before if one.ready_at), None)
        if present.ready_at == last and good is not None:
            chosen.append(Back(deployment=obj, revision=good))
        elif present.ready_at == last and not last:
            raise _nowhere(obj, [present, *before])
    if not chosen:
        raise _nowhere(*known[0])
    return chosen


def roll_back(
    settings: Settings, chosen: list[Back], target: ClusterTarget, kube: Kube, run: Run
) -> Rollout:
    """Apply the old templates and wait until they are ready.

    Raises:
        WorkloadError: an image, a Secret or a ConfigMap they need was deleted, or they cannot run.
    """
    images = cleanup.beside(target.context, settings.name, emit=run.emit, cancel=run.cancel)
    with images, run.stage("rollback", f"namespace `{settings.namespace}`") as stage:
        for back in chosen:
            _check(settings, back, target, kube, run)
        applied = _apply(settings, chosen, kube, run)
        stage.did("; ".join(back.told for back in chosen), changed=True)
    with run.stage("rollout", "waiting until it is ready") as stage:
        rollout = await_ready(settings, kube, applied, None, run)
        stage.did(
            ", ".join(f"{name} {state}" for name, state in rollout.workloads.items()), changed=True
        )
        remember(kube, applied, namespace=settings.namespace)
    return rollout


def _apply(settings: Settings, chosen: list[Back], kube: Kube, run: Run) -> Applied:
    """Write them, once it is known that the API server takes them all."""
    place = Place(file=settings.file)
    manifests = [Manifest(data=_sent(back), origin=place) for back in chosen]
    since = min([_tried(kube, manifest, settings.namespace) for manifest in manifests])
    done = []
    for manifest in manifests:
        path = DEPLOYMENTS.path(settings.namespace, manifest.name)
        live = kube.apply(path, manifest.data).data
        run.emit(ObjectChanged(ref=manifest.ref, action="configured"))
        done.append(AppliedObject(manifest=manifest, action="configured", live=live))
    return Applied(objects=tuple(done), since=since)


def _tried(kube: Kube, manifest: Manifest, namespace: str) -> float:
    """The server's time of a trial that went well."""
    path = DEPLOYMENTS.path(namespace, manifest.name)
    try:
        return kube.apply(path, manifest.data, dry_run=True).date
    except ApiError as error:
        refusal = explained(kube, error, manifest, namespace=namespace)
        if refusal.id == "api-conflict":
            hint = "take these fields first: `kubekit build-and-apply --take-ownership`"
            refusal.hints = (hint,)
        raise refusal from error


def _sent(back: Back) -> Object:
    """What kubekit has applied, with the old template instead of the present one."""
    live = back.deployment
    mine = applied_by(live, FIELD_MANAGER)
    metadata = {**(mine.get("metadata") or {}), "name": live["metadata"]["name"]}
    metadata["namespace"] = live["metadata"]["namespace"]
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": metadata,
        "spec": {**(mine.get("spec") or {}), "template": back.revision.template},
    }


def _check(settings: Settings, back: Back, target: ClusterTarget, kube: Kube, run: Run) -> None:
    """Make sure that all it names is still there."""
    ours = re.compile(rf"(.*/)?{re.escape(settings.name)}:kk-[0-9a-f]{{12}}")
    wanted = [image for image in back.revision.images if ours.fullmatch(image)]
    missing = []
    if wanted:
        with open_store(target, run, repository=settings.repository) as store:
            there = store.image_ids(wanted)
        missing = [f"the image `{image}`" for image in wanted if image not in there]
    for reference in references(back.revision.template["spec"]):
        path = KNOWN["v1", reference.kind].path(settings.namespace, reference.name)
        if not reference.holder.get("optional") and kube.get(path) is None:
            missing.append(f"the {reference.kind} `{reference.name}`")
    if missing:
        verb = "which was deleted" if len(missing) == 1 else "which were deleted"
        raise WorkloadError(
            f"revision {back.revision.number} of {ref(back.deployment)} needs "
            f"{' and '.join(dict.fromkeys(missing))}, {verb}",
            hints=("check out the files of that time, and run `kubekit build-and-apply`",),
            id="rollback-needs-missing",
        )


def _nowhere(obj: Object, known: list[Revision]) -> UsageError:
    details = tuple(
        f"revision {one.number}, image {', '.join(one.images)}: {one.told}"
        + (", the present one" if one.present else "")
        for one in known
    )
    return UsageError(
        f"{ref(obj)} has no earlier revision that was ready",
        hints=("change the files, and run `kubekit build-and-apply`",),
        details=details,
        id="nothing-to-roll-back",
    )
