"""From a plan to an image in the daemon: nothing if it is there, else one BuildKit build."""

from __future__ import annotations

from collections.abc import Mapping

from kubekit.errors import BuildError, FilesError, Place, shown
from kubekit.events import Emit, Progress
from kubekit.image import context, dockerfile
from kubekit.image.changes import Memory, Record, reason
from kubekit.image.dockerfile import Dockerfile
from kubekit.image.engine import DIGEST_LABEL, PROJECT_LABEL, Engine
from kubekit.image.steps import Account, explain
from kubekit.model import BuildPlan, BuiltImage, Cancel
from kubekit.redact import Redactor, looks_secret, shapes


def ensure(
    plan: BuildPlan,
    engine: Engine,
    *,
    name: str,
    emit: Emit,
    cancel: Cancel,
) -> BuiltImage:
    """Make sure the plan's image is in the daemon, and say why it was built or was not.

    Args:
        plan: what the image is made of.
        engine: the daemon it must be in.
        name: the project, which the image is labelled with.
        emit: gets BuildStep, BuildLog and Progress.
        cancel: stops the build in the daemon.

    Raises:
        BuildError: a base image cannot be had, the Dockerfile is wrong, or a step failed.
        FilesError: a file changed or went while it was sent.
        UnreachableError: the daemon cannot be reached, or was lost on the way.
        CancelledError: the person interrupted.
    """
    memory = Memory.of(plan, name=name, endpoint=engine.endpoint)
    before, now = memory.read(), Record.of(plan)
    why = reason(before, now)
    found = engine.image_id(plan.image)
    if found is not None:
        if before != now:
            memory.write(now)
            why = "built before" if before is None else f"{why}, but to what was built before"
        return BuiltImage(reference=plan.image, id=found, built=False, reason=why)
    if before is not None and before.digest == now.digest:
        why = "the image is gone from the daemon"
    emit(Progress(stage="image", text=f"building `{plan.image}`: {why}"))
    secrets = Redactor(
        shape
        for key, value in plan.settings.args.items()
        if looks_secret(key)
        for shape in shapes(value)
    )
    try:
        built = _build(plan, engine, name=name, emit=secrets.wrap(emit), cancel=cancel)
    except BuildError as error:
        raise secrets.error(error) from error.__cause__
    memory.write(now)
    return BuiltImage(reference=plan.image, id=built, built=True, reason=why)


def _build(plan: BuildPlan, engine: Engine, *, name: str, emit: Emit, cancel: Cancel) -> str:
    parsed = dockerfile.parse(_text(plan))
    _refuse_sessions(parsed, plan)
    _provide_bases(parsed, plan, engine, emit=emit, cancel=cancel)
    account = Account(emit)
    for message in engine.build(
        context.tar(plan),
        dockerfile=plan.dockerfile,
        tag=plan.image,
        target=plan.settings.target,
        args=plan.settings.args,
        labels={PROJECT_LABEL: name, DIGEST_LABEL: plan.digest},
        cancel=cancel,
    ):
        account.add(message)
    if account.error is not None:
        raise explain(account, parsed, plan)
    found = engine.image_id(plan.image)
    if found is None or account.image_id not in {None, found}:
        raise BuildError(
            f"the build ended well, but `{plan.image}` is {found or 'not in the daemon'} "
            f"instead of {account.image_id}",
            id="image-not-proved",
        )
    return found


def _text(plan: BuildPlan) -> str:
    try:
        return plan.settings.dockerfile.read_text("utf-8", errors="replace")
    except OSError as error:
        raise FilesError(
            f"`{shown(plan.settings.dockerfile)}` cannot be read: {error.strerror}",
            id="dockerfile-missing",
        ) from error


def _refuse_sessions(parsed: Dockerfile, plan: BuildPlan) -> None:
    """Refuse what BuildKit does only with a client that answers its questions during the build."""
    for stage in parsed.stages:
        for instruction in stage.body:
            for mount in instruction.mounts:
                if mount.get("type") in {"secret", "ssh"}:
                    raise BuildError(
                        f"kubekit cannot hand a `--mount=type={mount['type']}` to a build",
                        hints=("mount a file of the context: `--mount=type=bind,source=FILE`",),
                        place=Place(file=plan.settings.dockerfile, line=instruction.line),
                        id="build-session",
                    )


def _provide_bases(
    parsed: Dockerfile, plan: BuildPlan, engine: Engine, *, emit: Emit, cancel: Cancel
) -> None:
    """Pull what the build starts from and the daemon lacks: in a build it would be anonymous."""
    own, given = _platform(engine) if parsed.asks_for_platform else (None, {})
    for image in parsed.images(plan.settings.target, {**given, **plan.settings.args}):
        place = Place(file=plan.settings.dockerfile, line=image.line)
        if not image.reference:
            raise BuildError(
                f"`FROM {image.written}` names no image: its variables have no value",
                hints=("give them one by `ARG NAME=value` above `FROM`, or in `build.args`",),
                place=place,
                id="base-without-value",
            )
        if engine.image_id(image.reference) is not None:
            continue
        emit(Progress(stage="image", text=f"pulling `{image.reference}`"))
        platform = None if image.platform == own else image.platform
        try:
            engine.pull(image.reference, platform=platform, emit=emit, cancel=cancel)
        except BuildError as error:
            error.place = place
            raise


def _platform(engine: Engine) -> tuple[str, Mapping[str, str]]:
    """Return the daemon's platform, and the arguments that BuildKit predefines from it."""
    system, architecture = engine.platform()
    own = f"{system}/{architecture}"
    values = {"PLATFORM": own, "OS": system, "ARCH": architecture}
    return own, {f"{side}{key}": values[key] for side in ("BUILD", "TARGET") for key in values}
