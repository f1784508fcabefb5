"""What a run would build and write, without doing it: `--dry-run`."""

from __future__ import annotations

from kubekit.api.apply import trial
from kubekit.api.kube import Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.removal import stale
from kubekit.api.resources import NAMESPACE, ref
from kubekit.checks import Prepared
from kubekit.events import Ended, ObjectChanged, Warned
from kubekit.model import ClusterTarget, Manifests, Settings
from kubekit.rollout.preflight import foresee
from kubekit.session import Run, open_store


def rehearse(
    settings: Settings, kube: Kube, prepared: Prepared, target: ClusterTarget, run: Run
) -> None:
    """Emit what would become of the image and of each object.

    Args:
        settings: of the project.
        kube: the cluster that would be written to.
        prepared: what the files alone decide.
        target: where images would be built.
        run: of this command.

    Raises:
        KubekitError: it would fail, as far as that can be told.
    """
    start = run.clock.now()
    if prepared.image is not None:
        with open_store(target, run, repository=settings.repository) as store:
            there = bool(store.image_ids([prepared.image]))
        would = "would be pushed" if settings.registry else "would be built"
        action = "unchanged" if there else would
        run.emit(ObjectChanged(ref=f"Image/{prepared.image}", action=action))
    if kube.get(NAMESPACE.path("", settings.namespace)) is None:
        _unchecked(settings, prepared.manifests, run)
    else:
        _checked(settings, kube, prepared.manifests, run)
    run.emit(Ended(text="a rehearsal: nothing was changed", seconds=run.clock.now() - start))


def _unchecked(settings: Settings, rendered: Manifests, run: Run) -> None:
    for item in rendered.items:
        run.emit(ObjectChanged(ref=item.ref, action="would be created"))
    text = (
        f"namespace `{settings.namespace}` does not exist yet, "
        "so the API server could not check the objects"
    )
    run.emit(Warned(text=text))


def _checked(settings: Settings, kube: Kube, rendered: Manifests, run: Run) -> None:
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    steps = trial(kube, rendered, owned=owned, emit=run.emit, cancel=run.cancel)
    for step in steps:
        action = step.action if step.action == "unchanged" else f"would be {step.action}"
        run.emit(ObjectChanged(ref=step.manifest.ref, action=action))
    for _, obj in stale(kube, rendered.items, owned=owned):
        run.emit(ObjectChanged(ref=ref(obj), action="would be pruned"))
    foresee(kube, steps, namespace=settings.namespace, tolerate=frozenset(settings.tolerate))
