"""The command `verify`: which image, in which Docker, and what is told of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kubekit.cluster.target import read_profile, resolve, resolve_for_reading
from kubekit.errors import FilesError, UsageError
from kubekit.events import Ended, Output
from kubekit.image.build import survey
from kubekit.image.changes import Memory
from kubekit.image.docker.engine import Engine, own
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.model import Settings, Where
from kubekit.publish import provide
from kubekit.redact import Redactor, hidden
from kubekit.session import Run, open_engine
from kubekit.verify.judge import chosen
from kubekit.verify.model import Known, Report
from kubekit.verify.project import backend_of, known_of, probed_of
from kubekit.verify.run import verify
from kubekit.verify.table import data, table
from kubekit.verify.units import parse_size

_ADDRESSES = ("0.0.0.0", "127.0.0.1", "localhost", "/app/data")  # noqa: S104 - only read
"""What many a `.env` has, and the report tells of."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for on the command line.

    Attributes:
        image: its name; None for the project's.
        build: build the project's image if it is not there.
        max_size: such as ``200MB``.
        sbom: the file that gets the bill of materials.
        env_file: instead of the project's.
    """

    image: str | None = None
    build: bool = False
    max_size: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    sbom: Path | None = None
    env_file: Path | None = None
    network: str = "none"
    grace: int = 10


def verify_image(where: Where, run: Run, asked: Asked) -> Report:
    """Check an image, and tell of it.

    Args:
        where: the project if there is one, and where its Docker is.
        run: of this command.
        asked: what was asked for.

    Raises:
        FilesError: a check has failed.
        UsageError: there is no such image or check, or the project is not built.
    """
    start = run.clock.now()
    chosen(asked.only, asked.skip)  # before anything is built
    known = _known(where.settings, asked)
    redactor = Redactor(hidden(known.env.values(), public=_public(where, asked)))
    run = replace(run, emit=redactor.wrap(run.emit))
    with open_docker(where, run) as engine, run.stage("verify", "the image") as stage:
        reference = asked.image or _built(where.settings, engine, run, build=asked.build)
        report = verify(
            engine,
            reference,
            known=known,
            key=str(where.settings.file) if where.settings else reference,
            only=asked.only,
            skip=asked.skip,
            emit=run.emit,
            cancel=run.cancel,
        )
        stage.did(f"`{reference}`: {len(report.checks)} checks", changed=True)
    _tell(report, asked, run, run.clock.now() - start)
    return report


@contextlib.contextmanager
def open_docker(where: Where, run: Run) -> Iterator[Engine]:
    """The Docker that has the image: the one in Minikube, or this machine's where there is none."""
    named = where.context or (where.profile and read_profile(where.profile))
    if where.settings is None and not named:
        with contextlib.closing(own()) as engine:
            yield engine
        return
    settings = where.settings
    target = resolve(settings) if settings is not None else resolve_for_reading(where)[0]
    with open_engine(target, run) as engine:
        yield engine


def _known(settings: Settings | None, asked: Asked) -> Known:
    env_file = asked.env_file or (settings.env_file if settings else None)
    folders = [settings.root] if settings else []
    if settings is not None and settings.build is not None:
        folders.append(settings.build.context)
    known = known_of(
        env_file=env_file,
        folders=tuple(folders),
        backend=backend_of(settings) if settings else None,
        probes=probed_of(settings) if settings else {},
    )
    return replace(
        known,
        patience=settings.timeout if settings else known.patience,
        max_size=parse_size(asked.max_size) if asked.max_size else None,
        network=asked.network,
        grace=asked.grace,
    )


def _public(where: Where, asked: Asked) -> str:
    names = [asked.image or "", where.settings.name if where.settings else "", asked.network]
    return "\n".join([*names, *_ADDRESSES])


def _built(settings: Settings | None, engine: Engine, run: Run, *, build: bool) -> str:
    """The name of the project's image as the files are now."""
    if settings is None or settings.build is None:
        raise UsageError(
            "there is no project here whose image could be verified",
            hints=("name the image: `kubekit verify IMAGE`",),
            id="build-missing",
        )
    plan, store = context.plan(settings.build, name=settings.image_name), DockerStore(engine)
    if build:
        return provide(settings, plan, contextlib.nullcontext(store), run).reference
    looked = survey(plan, store, Memory.of(settings))
    if looked.found is None:
        raise UsageError(
            f"the image of `{settings.name}`, as its files are now, is not built",
            hints=("build it, too: `kubekit verify --build`", "or name another image"),
            id="image-not-built",
        )
    return looked.reference


def _tell(report: Report, asked: Asked, run: Run, seconds: float) -> None:
    if asked.sbom is not None:
        _write(asked.sbom, json.dumps(report.sbom, indent=2) + "\n")
    run.emit(Output(text=table(report), data=data(report)))
    if report.failed:
        names = ", ".join(check.id for check in report.failed)
        count = len(report.failed)
        raise FilesError(
            f"{count} of {len(report.checks)} checks failed on `{report.image}`: {names}",
            hints=("each has its fix above",),
            id="verify-failed",
        )
    run.emit(Ended(text=f"no check failed on `{report.image}`", seconds=seconds))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"`{file}` cannot be written: {(error.strerror or str(error)).lower()}",
            hints=("name another file",),
            id="sbom-not-written",
        ) from error
