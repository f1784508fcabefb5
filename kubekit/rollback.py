"""`kubekit rollback`: the workloads whose pods were changed last, as they were before.

They are Deployments, StatefulSets and DaemonSets. What a release has changed of other kinds stays:
nothing in the cluster knows how that was.

The old pod template is applied as any other, by the same field manager, so that the next
build-and-apply simply goes forward again. It names the old image, and the old Secrets and
ConfigMaps, which are kept for as long as one of their revisions names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubekit.api.apply import Step, write
from kubekit.api.difference import comparable
from kubekit.api.fields import applied_by
from kubekit.api.kube import FIELD_MANAGER, ApiError, Kube
from kubekit.api.ownership import OwnedSet, members, read_kinds
from kubekit.api.references import references
from kubekit.api.refusals import explained
from kubekit.api.resources import KNOWN, Resource, ref
from kubekit.errors import Place, UsageError, WorkloadError
from kubekit.events import Emit, Warned
from kubekit.image import cleanup
from kubekit.model import Applied, ClusterTarget, Manifest, Object, Settings
from kubekit.release import await_ready
from kubekit.rollout.kinds import holds_back
from kubekit.rollout.revisions import KEPT_AS, Revision, history, remember, revisions
from kubekit.rollout.wait import Rollout
from kubekit.session import Run, open_store


@dataclass(frozen=True, kw_only=True)
class Back:
    """One workload, and the revision it goes back to."""

    resource: Resource
    live: Object
    revision: Revision

    @property
    def told(self) -> str:
        """In words, as ``Deployment/web to revision 3, image tasks:kk-..., ready at 2026-...``."""
        one = self.revision
        images = ", ".join(one.images)
        return f"{ref(self.live)} to revision {one.number}, image {images}, {one.told}"


@dataclass(frozen=True, kw_only=True)
class _Known:
    """One workload with its revisions, the present one first."""

    resource: Resource
    live: Object
    revisions: list[Revision]

    @property
    def ready_at(self) -> str:
        """When its present revision became ready; empty if it never did."""
        return self.revisions[0].ready_at

    @property
    def good(self) -> Revision | None:
        """Its last earlier revision that was ready."""
        return next((one for one in self.revisions[1:] if one.ready_at), None)


def choose(kube: Kube, owned: OwnedSet, *, emit: Emit) -> list[Back]:
    """What there is to roll back, each to its last revision that was ready.

    Of those that have one: where a present revision was never ready, those; where all are, those
    that became ready last. One that has none stays, and is told if the last release may have
    changed it. It decides only where nothing else was changed since: that release did not bring
    what the others would go back from.

    Raises:
        UsageError: there is nothing, with what is known.
    """
    known = _known(kube, owned, emit)
    able = [one for one in known if one.good]
    stays = [one for one in known if not one.good]
    wanted = _latest(able or known)
    last = wanted[0].ready_at
    newer = [one for one in stays if last and one.revisions[0].made_at > last]
    if newer or not able:
        raise _nowhere((newer or wanted)[0])
    hint = "if it is new, a `kubekit build-and-apply` of files without it takes it away"
    for one in stays:
        if not one.ready_at or (last and one.ready_at >= last):
            text = f"{ref(one.live)} stays as it is: it has no earlier revision that was ready"
            emit(Warned(text=text, hints=(hint,)))
    return [
        Back(resource=one.resource, live=one.live, revision=one.good) for one in wanted if one.good
    ]


def _latest(known: list[_Known]) -> list[_Known]:
    """Those that are not ready, as far as is known; where all are, those that became so last."""
    times = [one.ready_at for one in known]
    last = max(times) if all(times) else ""
    return [one for one in known if one.ready_at == last]


def _known(kube: Kube, owned: OwnedSet, emit: Emit) -> list[_Known]:
    """The project's workloads, each with its revisions; not those whose pods would stay old.

    Raises:
        UsageError: there are none.
    """
    wanted = {KNOWN["apps/v1", kind].group_kind for kind in KEPT_AS}
    found = members(kube, owned, wanted & (read_kinds(kube, owned) or frozenset()))
    live = [member for member in found if not holds_back(member[1])]
    kept = history(kube, owned.namespace, [obj for _, obj in live], emit=emit)
    known = [
        _Known(resource=resource, live=obj, revisions=own)
        for resource, obj in live
        if (own := revisions(kept, obj))
    ]
    if not known:
        raise UsageError(
            f"no workload of `{owned.project}` that can go back is in namespace "
            f"`{owned.namespace}`",
            hints=("`kubekit status` shows what is there",),
            id="nothing-to-roll-back",
        )
    return known


def roll_back(
    settings: Settings, chosen: list[Back], target: ClusterTarget, kube: Kube, run: Run
) -> Rollout:
    """Apply the old templates and wait until they are ready.

    Raises:
        WorkloadError: an image, a Secret or a ConfigMap they need was deleted, or they cannot run.
        KubekitError: one is refused, and nothing was written; or one could not be written, and the
            details say which were and which were not.
    """
    images = cleanup.beside(target.context, settings.name, emit=run.emit, cancel=run.cancel)
    with images, run.stage("rollback", f"namespace `{settings.namespace}`") as stage:
        for back in chosen:
            _check(settings, back, target, kube, run)
        applied = _apply(settings, chosen, kube, run)
        stage.did("; ".join(back.told for back in chosen), changed=True)
    with run.stage("rollout", "waiting until it is ready") as stage:
        rollout = await_ready(settings, kube, applied, image=None, run=run)
        stage.did(rollout.told, changed=True)
        remember(kube, applied, namespace=settings.namespace)
    return rollout


def _apply(settings: Settings, chosen: list[Back], kube: Kube, run: Run) -> Applied:
    """Write them, once it is known that the API server takes them all."""
    steps = [_tried(kube, back, settings) for back in chosen]
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    return write(kube, steps, owned=owned, emit=run.emit)


def _tried(kube: Kube, back: Back, settings: Settings) -> Step:
    """What is to be written, after a trial that went well."""
    manifest = Manifest(data=_sent(back), origin=Place(file=settings.file))
    path = back.resource.path(settings.namespace, manifest.name)
    try:
        answer = kube.apply(path, manifest.data, dry_run=True)
    except ApiError as error:
        refusal = explained(kube, error, manifest, namespace=settings.namespace)
        if refusal.id == "api-conflict":
            hint = "take these fields first: `kubekit build-and-apply --take-ownership`"
            refusal.hints = (hint,)
        raise refusal from error
    return Step(
        manifest=manifest,
        resource=back.resource,
        action="configured",
        sent=manifest.data,
        live=comparable(back.live),  # without its managers: nobody's fields are taken over
        date=answer.date,
    )


def _sent(back: Back) -> Object:
    """What kubekit has applied, with the old template instead of the present one."""
    live = back.live
    mine = applied_by(live, FIELD_MANAGER)
    metadata = {**(mine.get("metadata") or {}), "name": live["metadata"]["name"]}
    metadata["namespace"] = live["metadata"]["namespace"]
    return {
        "apiVersion": back.resource.api_version,
        "kind": back.resource.kind,
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
            f"revision {back.revision.number} of {ref(back.live)} needs "
            f"{' and '.join(dict.fromkeys(missing))}, {verb}",
            hints=("check out the files of that time, and run `kubekit build-and-apply`",),
            id="rollback-needs-missing",
        )


def _nowhere(known: _Known) -> UsageError:
    details = tuple(
        f"revision {one.number}, image {', '.join(one.images)}: {one.told}"
        + (", the present one" if one.present else "")
        for one in known.revisions
    )
    return UsageError(
        f"{ref(known.live)} has no earlier revision that was ready",
        hints=("change the files, and run `kubekit build-and-apply`",),
        details=details,
        id="nothing-to-roll-back",
    )
