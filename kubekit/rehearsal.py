"""What a run would build and write, without doing it: `--dry-run`."""

from __future__ import annotations

from kubekit.api.apply import told, trial
from kubekit.api.kube import Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.removal import stale
from kubekit.api.resources import NAMESPACE, ref
from kubekit.checks import Prepared, objects
from kubekit.events import Ended, ObjectChanged, Warned
from kubekit.image.account.explain import explain
from kubekit.image.account.steps import Account
from kubekit.image.build import survey
from kubekit.image.changes import Memory
from kubekit.image.files import demands, dockerfile, missing, weigh
from kubekit.model import BuildPlan, ClusterTarget, Manifests, Settings
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
    rendered = prepared.manifests
    if prepared.plan is not None:
        image = _image(settings, prepared.plan, target, run)
        if image != prepared.image:
            rendered = objects(settings, image=image, env=prepared.env)
    there = kube.get(NAMESPACE.path("", settings.namespace))
    if there is None:
        _unchecked(settings, rendered, run, "does not exist yet")
    elif "deletionTimestamp" in there["metadata"]:
        _unchecked(settings, rendered, run, "is being deleted")
    else:
        _checked(settings, kube, rendered, run)
    run.emit(Ended(text="a rehearsal: nothing was changed", seconds=run.clock.now() - start))


def _image(settings: Settings, plan: BuildPlan, target: ClusterTarget, run: Run) -> str:
    """Tell what would become of the image; what it would be called, as far as that is known."""
    _check_dockerfile(plan, run)
    for warning in weigh.secrets(plan, env_file=settings.env_file):
        run.emit(warning)
    with open_store(target, run, repository=settings.repository) as store:
        seen = survey(plan, store, Memory.of(settings))
    for reference in sorted(seen.missing):
        run.emit(ObjectChanged(ref=f"base image `{reference}`", action="would be pulled"))
    if seen.found is None:
        missing.check(seen.plan)
        for warning in weigh.bulk(seen.plan):
            run.emit(warning)
    would = "would be pushed" if settings.registry else "would be built"
    # Without the IDs of its base images its tag is not known.
    name = seen.reference if seen.named else plan.name
    run.emit(
        ObjectChanged(ref=f"Image/{name}", action=would if seen.found is None else "unchanged")
    )
    return seen.reference


def _check_dockerfile(plan: BuildPlan, run: Run) -> None:
    """Refuse what a builder would refuse before its first step, in the same words."""
    parsed = dockerfile.read(plan.settings.dockerfile)
    account = Account(run.emit, parsed)
    account.error = demands.refusal(parsed, plan.settings)
    if account.error is not None:
        raise explain(account, parsed, plan)


def _unchecked(settings: Settings, rendered: Manifests, run: Run, why: str) -> None:
    """Tell what would become of the objects in a namespace that will be a new one."""
    for item in rendered.items:
        run.emit(ObjectChanged(ref=item.ref, action="would be created"))
    text = f"namespace `{settings.namespace}` {why}, so the API server could not check the objects"
    run.emit(Warned(text=text))


def _checked(settings: Settings, kube: Kube, rendered: Manifests, run: Run) -> None:
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    steps = trial(
        kube, rendered, owned=owned, emit=run.emit, consent=settings.consent, rehearses=True
    )
    for step in steps:
        would = "" if step.action == "unchanged" else "would be "
        run.emit(told(step, f"{would}{step.action}"))
    for _, obj in stale(kube, rendered.items, owned=owned):
        run.emit(ObjectChanged(ref=ref(obj), action="would be pruned"))
    foresee(kube, steps, namespace=settings.namespace, tolerate=frozenset(settings.tolerate))
