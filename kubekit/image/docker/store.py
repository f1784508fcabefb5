"""A Docker as the place where images are built: the one in a Minikube node, or this machine's."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubekit.errors import BuildError, FilesError, Place, UnreachableError
from kubekit.events import ContextSent, Emit, Warned
from kubekit.image.account import classic, failures
from kubekit.image.account.explain import explain
from kubekit.image.account.steps import Account
from kubekit.image.buildkit import filesync, logins, secrets
from kubekit.image.buildkit.calls import Method, unary
from kubekit.image.buildkit.filesync import Files
from kubekit.image.buildkit.logins import Logins
from kubekit.image.buildkit.secrets import Secrets
from kubekit.image.buildkit.session import Session
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.errors import unreachable
from kubekit.image.docker.hijack import NotOfferedError
from kubekit.image.files import context, dockerfile
from kubekit.image.files.demands import demands
from kubekit.image.files.dockerfile import Dockerfile
from kubekit.image.store import Base, Order, StoredImage
from kubekit.model import BuildPlan, Cancel, ImageConfig
from kubekit.redact import Redactor, shapes


class DockerStore:
    """A Store in one Docker daemon."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def platform(self) -> tuple[str, str]:
        """See Store."""
        return self.engine.platform()

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        """See Store."""
        found = {reference: self.engine.image_id(reference) for reference in references}
        return {reference: id_ for reference, id_ in found.items() if id_ is not None}

    def bases(self, references: Iterable[str]) -> dict[str, Base]:
        """See Store."""
        found = {reference: self.engine.base(reference) for reference in references}
        return {reference: base for reference, base in found.items() if base is not None}

    def config(self, reference: str) -> ImageConfig:
        """See Store."""
        return self.engine.config(reference)

    def pull(self, reference: str, *, platform: str | None, emit: Emit, cancel: Cancel) -> None:
        """See Store."""
        self.engine.pull(reference, platform=platform, emit=emit, cancel=cancel)

    def build(self, order: Order, *, emit: Emit, cancel: Cancel) -> None:
        """See Store."""
        plan = order.plan
        parsed = dockerfile.read(plan.settings.dockerfile)
        if not self.engine.has_buildkit():
            self._build_classic(order, parsed, emit=emit, cancel=cancel)
            return
        given = Secrets(plan.settings.secrets)
        redactor = Redactor(shape for text in given.texts() for shape in shapes(text))
        account = Account(redactor.wrap(emit), parsed)
        asked = Logins(cancel)
        if frontend := parsed.directives.get("syntax"):
            asked.fetch(frontend)
        methods = {secrets.METHOD: unary(given), logins.METHOD: unary(asked)}
        try:
            self._build(order, account, methods, emit=emit, cancel=cancel)
            if not classic.needed(account.error):
                self._conclude(account, parsed, plan)
                return
        except NotOfferedError:
            pass
        except (BuildError, FilesError) as error:
            if isinstance(error, BuildError):
                error.hints += secrets.lacking(account.instruction, plan)
            raise redactor.error(error) from error.__cause__
        self._build_classic(order, parsed, emit=emit, cancel=cancel)

    def _build(
        self,
        order: Order,
        account: Account,
        methods: Mapping[str, Method],
        *,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        files = Files(order.plan)
        told = False
        with Session(
            self.engine.hijack, order.plan, {**methods, filesync.METHOD: files}
        ) as session:
            for message in self._messages(order, session.id, cancel):
                account.add(message)
                if files.sent.all and not told:
                    told = True
                    sent = files.sent
                    emit(ContextSent(text=str(sent), files=sent.files, size=sent.size))
            session.check()
            error = account.error or ""
            # A daemon that cannot write what it is sent ends the session as well.
            if error and not failures.FULL.search(error) and session.lost(error):
                cut = ConnectionResetError(errno.ECONNRESET, error)
                raise unreachable(self.engine.endpoint, cut)

    def _messages(self, order: Order, session: str, cancel: Cancel) -> Iterator[Mapping[str, Any]]:
        settings = order.plan.settings
        return self.engine.build(
            session,
            dockerfile=settings.dockerfile.name,
            tag=order.reference,
            target=settings.target,
            args=settings.args,
            labels=order.labels,
            cancel=cancel,
        )

    def _build_classic(
        self, order: Order, parsed: Dockerfile, *, emit: Emit, cancel: Cancel
    ) -> None:
        emit(Warned(text="this Docker has no BuildKit: building with its classic builder"))
        _refuse(parsed, order.plan, self.engine)
        account = Account(emit, parsed)
        upload, params = context.tar(context.everything(order.plan)), classic.params(order)
        for message in self.engine.build_classic(upload, params=params, cancel=cancel):
            account.add(message)
        self._conclude(account, parsed, order.plan)

    def _conclude(self, account: Account, parsed: Dockerfile, plan: BuildPlan) -> None:
        if account.error is not None:
            error = explain(account, parsed, plan, room=_room(self.engine))
            if isinstance(error, BuildError) and error.id == "disk-full":
                raise _full(error, self.engine)
            raise error

    def images(self, project: str) -> list[StoredImage]:
        """See Store."""
        return self.engine.images(project)

    def remove(self, names: Iterable[str]) -> list[str]:
        """See Store."""
        return [name for name in names if self.engine.remove(name)]


def _refuse(parsed: Dockerfile, plan: BuildPlan, engine: Engine) -> None:
    """Refuse a Dockerfile that only BuildKit can build; all stages count without it."""
    for demand in demands(parsed.stages):
        if demand.kind == "syntax":
            instruction = demand.instruction
            newer = "make the profile anew with a current Minikube"
            if engine.endpoint.own:
                newer = "install a current Docker here"
            raise BuildError(
                f"`{instruction.keyword} {demand.name}` needs BuildKit, which this Docker lacks",
                hints=(f"{newer}, or write it without",),
                place=Place(file=plan.settings.dockerfile, line=instruction.line),
                id="buildkit-missing",
            )


def _room(engine: Engine) -> tuple[str, ...]:
    docker = "docker" if engine.endpoint.own else "kubekit docker --"
    return (
        f"see what takes the room: `{docker} system df`",
        f"free what no build needs: `{docker} builder prune`",
        "images that kubekit built go with `kubekit teardown --images`",
    )


def _full(error: BuildError, engine: Engine) -> BuildError:
    """Add to the error what the daemon says of its disk; it may be too full for an answer."""
    try:
        info = engine.info()
    except UnreachableError:
        return error
    root, profile = info["DockerRootDir"], info["Name"]
    error.message = f"the disk of the Docker daemon, at `{root}`, is full: {error.message}"
    if not engine.endpoint.own:
        error.hints = (f"see how full: `minikube ssh -p {profile} -- df -h {root}`", *error.hints)
    try:
        usage = engine.usage()
    except UnreachableError:
        return error
    error.details = (*error.details, shares(usage))
    return error


def shares(usage: Mapping[str, Any]) -> str:
    """Return in one line what of the disk is Docker's own, as `docker system df` adds it up."""
    cache = sum(int(record["Size"]) for record in usage["BuildCache"] or ())
    unused = sum(int(record["Size"]) for record in usage["BuildCache"] or () if not record["InUse"])
    images = int(usage["LayersSize"])
    return (
        f"images take {images / 1e9:.2f} GB there, the build cache {cache / 1e9:.2f} GB, of which"
        f" {unused / 1e9:.2f} GB are not in use"
    )
