"""From a plan to an image where the pods find it: nothing if it is there, else one build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kubekit.errors import BuildError, FilesError, KubekitError, Place, shown
from kubekit.events import Emit, Progress
from kubekit.image.changes import Memory, Record, reason, unchanged
from kubekit.image.files import context, dockerfile, missing, names, weigh
from kubekit.image.files.dockerfile import BaseImage
from kubekit.image.store import DIGEST_LABEL, PROJECT_LABEL, Order, Store
from kubekit.model import BuildPlan, BuiltImage, Cancel
from kubekit.redact import Redactor, shapes
from kubekit.secretnames import may_be_secret


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What is there for a build before anything is pulled.

    Attributes:
        plan: what the image is made of, all that its base images may take included.
        wanted: the images it starts and copies from, by reference.
        bases: the IDs of those that are there, or were when it was built last.
        named: all of them have one, so that the image's name is known.
        found: the ID of the image, None if it is not there.
        missing: what of `wanted` a build would pull, by reference.
    """

    plan: BuildPlan
    wanted: Mapping[str, BaseImage]
    bases: Mapping[str, str]
    named: bool
    found: str | None
    missing: Mapping[str, BaseImage]

    @property
    def reference(self) -> str:
        """What the image is called, as far as that is known."""
        return self.plan.reference(self.bases)


def ensure(
    plan: BuildPlan,
    store: Store,
    *,
    name: str,
    memory: Memory,
    emit: Emit,
    cancel: Cancel,
) -> BuiltImage:
    """Make sure the plan's image is in the store, and say why it was built or was not.

    Args:
        plan: what the image is made of.
        store: where it must be.
        name: the project, which the image is labelled with.
        memory: what was built last.
        emit: gets BuildStep, BuildLog and Progress.
        cancel: stops the build.

    Raises:
        BuildError: a base image or what is to be copied cannot be had, the Dockerfile is wrong, or
            a step failed.
        FilesError: a file changed or went while it was sent, or a base image has no name.
        UnreachableError: the store cannot be reached, or was lost on the way.
        CancelledError: the person interrupted.
    """
    before = memory.read()
    plan, bases, found = _look(plan, store, before, emit=emit, cancel=cancel)
    reference, now = plan.reference(bases), Record.of(plan, bases)
    why, built = reason(before, now), found is None
    if found is None:
        why = f"{'the image is gone' if before == now else why}{unchanged(before, now)}"
        for warning in weigh.bulk(plan):
            emit(warning)
        emit(Progress(stage="image", text=f"building `{reference}`: {why}"))
        labels = {PROJECT_LABEL: name, DIGEST_LABEL: plan.digest}
        order = Order(plan=plan, reference=reference, labels=labels)
        found = _build(order, store, emit=emit, cancel=cancel)
    elif before != now:
        why = "built before" if before is None else f"{why}, but to what was built before"
    if before != now:
        memory.write(now)
    return BuiltImage(reference=reference, ids=frozenset({found}), built=built, reason=why)


def expected(plan: BuildPlan, memory: Memory) -> str:
    """What the image will be called unless its base images have changed since the last build."""
    before = memory.read()
    return plan.reference(before.bases if before is not None else {})


def survey(plan: BuildPlan, store: Store, memory: Memory) -> Survey:
    """What `ensure` would find; nothing is pulled or built.

    Args:
        plan: what the image is made of.
        store: where it must be.
        memory: what was built last.

    Raises:
        FilesError: a base image has no name.
        UnreachableError: the store cannot be reached.
    """
    return _survey(plan, store, memory.read())


def _survey(plan: BuildPlan, store: Store, before: Record | None) -> Survey:
    # A Docker has one platform of a name, its own if that is asked for; BuildKit gets any other.
    images = sorted(_bases(plan, store), key=lambda image: image.platform is None)
    wanted = {image.reference: image for image in images}
    there, plan = _there(wanted, plan, store)
    # A base that has been removed since the last build is missed only by the next one.
    remembered = before.bases if before is not None and before.digest == plan.digest else {}
    bases = {**remembered, **there}
    named = bases.keys() >= wanted.keys()
    found = _find(plan.reference(bases), store) if named else None
    gone = {} if found is not None else {key: wanted[key] for key in wanted.keys() - there.keys()}
    return Survey(plan=plan, wanted=wanted, bases=bases, named=named, found=found, missing=gone)


def _look(
    plan: BuildPlan, store: Store, before: Record | None, *, emit: Emit, cancel: Cancel
) -> tuple[BuildPlan, Mapping[str, str], str | None]:
    """What is to be built of which base images, and the ID of that image if it is there.

    Base images that are not there are pulled, unless those of the last build lead to an image.
    """
    seen = _survey(plan, store, before)
    if seen.found is None:
        missing.check(seen.plan)
    if not seen.missing:
        return seen.plan, seen.bases, seen.found
    for image in seen.missing.values():
        _pull(image, seen.plan, store, emit=emit, cancel=cancel)
    bases, plan = _there(seen.wanted, seen.plan, store)
    return plan, bases, _find(plan.reference(bases), store)


def _there(
    wanted: Iterable[str], plan: BuildPlan, store: Store
) -> tuple[dict[str, str], BuildPlan]:
    """The IDs of the base images that are there, and the plan with all they may take.

    That is all of the context if one of them may take more than the Dockerfile says.
    """
    found = store.bases(wanted)
    if not plan.whole and any(base.triggers for base in found.values()):
        plan = context.plan(plan.settings, name=plan.name, whole=True)
    return {reference: base.id for reference, base in found.items()}, plan


def _find(reference: str, store: Store) -> str | None:
    return store.image_ids([reference]).get(reference)


def _build(order: Order, store: Store, *, emit: Emit, cancel: Cancel) -> str:
    """Build it; the ID it has."""
    secrets = Redactor(
        shape
        for key, value in order.plan.settings.args.items()
        if may_be_secret(key)
        for shape in shapes(value)
    )
    try:
        store.build(order, emit=secrets.wrap(emit), cancel=cancel)
    except KubekitError as error:
        secrets.error(error)
        raise
    found = _find(order.reference, store)
    if found is None:
        raise BuildError(
            f"the build ended well, but `{order.reference}` is not there",
            hints=(
                "run it again; or see what deletes images there, such as a full disk's cleaning",
            ),
            id="image-not-proved",
        )
    return found


def _bases(plan: BuildPlan, store: Store) -> tuple[BaseImage, ...]:
    """The images the build starts and copies from."""
    parsed = dockerfile.read(plan.settings.dockerfile)
    given = _predefined(store) if parsed.asks_for_platform else {}
    images = parsed.images(plan.settings.target, {**given, **plan.settings.args})
    for image in images:
        if not image.reference:
            raise FilesError(
                f"`FROM {image.written}` names no image: its variables have no value",
                hints=("give them one by `ARG NAME=value` above `FROM`, or in `build.args`",),
                place=Place(file=plan.settings.dockerfile, line=image.line),
                id="base-without-value",
            )
    return images


def _pull(image: BaseImage, plan: BuildPlan, store: Store, *, emit: Emit, cancel: Cancel) -> None:
    """Pull what the build starts from: in a build it would be anonymous, and without progress."""
    emit(Progress(stage="image", text=f"pulling `{image.reference}`"))
    platform = image.platform
    if platform is not None and platform == "/".join(store.platform()):
        platform = None
    try:
        store.pull(image.reference, platform=platform, emit=emit, cancel=cancel)
    except BuildError as error:
        error.place = Place(file=plan.settings.dockerfile, line=image.line)
        error.hints = (*_meant(image, plan), *error.hints)
        raise


def _meant(image: BaseImage, plan: BuildPlan) -> Iterator[str]:
    """What else its name may be, and where that comes from if not from the line of `FROM`."""
    file = plan.settings.dockerfile
    parsed = dockerfile.read(file)
    above = (one.name for one in parsed.stages if one.origin.line < image.line)
    if meant := names.meant(image.reference):
        yield f"did you mean `{meant}`?"
    elif stage := names.stage(image.reference, above):
        yield f"did you mean the stage `{stage}`?"
    for name, line in names.arguments(parsed, image.written):
        given = name in plan.settings.args
        where = "`build.args` in kubekit.yaml" if given else f"`{shown(file)}:{line}`"
        yield f"`{name}` in its name is set by {where}"


def _predefined(store: Store) -> dict[str, str]:
    """The build arguments that BuildKit predefines from the platform."""
    system, architecture = store.platform()
    values = {"PLATFORM": f"{system}/{architecture}", "OS": system, "ARCH": architecture}
    return {f"{side}{key}": values[key] for side in ("BUILD", "TARGET") for key in values}
