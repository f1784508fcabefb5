"""What is made of the files and checked before a cluster is asked, and the causes to tolerate."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from kubekit.config.files import missing_env_hint
from kubekit.errors import FilesError, Place, UsageError
from kubekit.events import Warned
from kubekit.image.build import expected
from kubekit.image.changes import Memory
from kubekit.image.files import context
from kubekit.manifests.lint import TOLERABLE, lint
from kubekit.manifests.render import render
from kubekit.model import BuildPlan, Manifests, Settings
from kubekit.redact import Redactor
from kubekit.rollout.catalogue import CAUSES
from kubekit.text import envfile
from kubekit.text.envfile import EnvFile


def check_tolerated(settings: Settings) -> None:
    """Make sure that every cause to tolerate is one there is.

    Raises:
        UsageError: names all that are not, in kubekit.yaml with their place.
    """
    known = sorted({*CAUSES, *TOLERABLE})
    origin = settings.origins.get("tolerate", "")
    problems = []
    for index, id_ in enumerate(settings.tolerate):
        if id_ in known:
            continue
        text = f"there is no cause `{id_}`"
        if close := difflib.get_close_matches(id_, known, n=1):
            text += f"; did you mean `{close[0]}`?"
        problems.append((_line(settings, settings.origins.get(f"tolerate.{index}", "")), text))
    if not problems:
        return
    hint = "the id of a cause is what `-o json` shows as `id`"
    if origin.startswith(f"{settings.file.name}:"):
        raise UsageError.of(problems, hints=(hint,))
    texts = [f"{origin}: {text}" for _, text in problems]
    raise UsageError(texts[0], details=tuple(texts[1:]), hints=(hint,))


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All that the files alone decide.

    Attributes:
        plan: what would be built, None if nothing is, or an image was given.
        image: what the manifests call it; another one if its base images have changed.
        env: the environment's file as it was read, None without one.
        manifests: the objects to apply.
    """

    plan: BuildPlan | None
    image: str | None
    env: EnvFile | None
    manifests: Manifests


def prepare(settings: Settings, *, built: str | None = None) -> Prepared:
    """Read the files: what would be built, and the objects to apply.

    Args:
        settings: of the project.
        built: the reference of the image to go on with; None to plan one of the files as they are.

    Raises:
        FilesError: something in the files is wrong by itself.
    """
    plan, image = None, built if settings.build else None
    if settings.build and built is None:
        plan = context.plan(settings.build, name=settings.image_name)
        image = expected(plan, Memory.of(settings))
    env = _env(settings)
    manifests = objects(settings, image=image, env=env)
    return Prepared(plan=plan, image=image, env=env, manifests=manifests)


def _env(settings: Settings) -> EnvFile | None:
    if settings.env_file is None:
        return None
    try:
        return envfile.load(settings.env_file)
    except FilesError as error:
        if not settings.env_file.exists():  # it was there when the settings were read
            error.hints = (missing_env_hint(settings),)
        raise


def objects(settings: Settings, *, image: str | None, env: EnvFile | None) -> Manifests:
    """Render and check the objects to apply, with this image.

    Args:
        settings: of the project.
        image: the reference kubekit builds; None when nothing is built.
        env: as `prepare` has read it: another reading may hold values that nothing masks.

    Raises:
        FilesError: something in the files is wrong by itself.
    """
    return check_objects(render(settings, image=image, env=env), settings, image=image)


def check_objects(manifests: Manifests, settings: Settings, *, image: str | None) -> Manifests:
    """The objects with a warning more for each that lint has; no secret value in any of them.

    Args:
        image: the reference kubekit builds; None when nothing is built.

    Raises:
        FilesError: some of it can never work; all of that is told at once.
    """
    redactor = Redactor(manifests.secret_values)
    findings = lint(manifests, settings, image=image)
    errors = [one for one in findings if one.error and one.id not in settings.tolerate]
    if errors:
        hints = tuple(dict.fromkeys(hint for one in errors for hint in one.hints))
        error = FilesError.of([(one.place, one.text) for one in errors], hints=hints)
        error.id = errors[0].id
        raise redactor.error(error)
    warnings = [Warned(text=f"{one.place}: {one.text}", hints=one.hints) for one in findings]
    return replace(manifests, warnings=(*manifests.warnings, *redactor.clean(warnings)))


def _line(settings: Settings, origin: str) -> Place:
    """The place behind an origin such as ``kubekit.yaml:7``."""
    line = origin.rpartition(":")[2]
    return Place(file=settings.file, line=int(line) if line.isdecimal() else None)
