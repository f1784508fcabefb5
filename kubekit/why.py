"""What is wrong with the workloads of a namespace now, whoever applied them. Reads only."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from dataclasses import replace

from kubekit.api.kube import Kube
from kubekit.api.lineage import controller
from kubekit.api.podsecrets import PodSecrets
from kubekit.api.resources import ref
from kubekit.blame import OwnFiles
from kubekit.checks import Prepared, prepare
from kubekit.cluster.target import resolve_for_reading
from kubekit.errors import KubekitError, UsageError, WorkloadError
from kubekit.events import Diagnosed, Ended, Progress, Warned
from kubekit.model import Manifest, Object, Settings, Where
from kubekit.redact import Redactor
from kubekit.rollout import kinds
from kubekit.rollout.inspect.look import Judged, Look
from kubekit.rollout.inspect.present import GOING
from kubekit.rollout.inspect.roster import Asked, chosen, nearest, parse, standing, title
from kubekit.rollout.telling import blindness, duration, field_in
from kubekit.rollout.verdict import CRASHES, FAILED, READY, WAITING, Blame
from kubekit.session import Run, check_namespace, open_api
from kubekit.text.strictyaml import dotted

_ORDER = (FAILED, WAITING, READY)


def diagnose(
    where: Where,
    run: Run,
    *,
    name: str | None,
    every_namespace: bool,
) -> None:
    """Emit what is to be said of each workload that is meant, the worst first.

    Args:
        name: what is asked after, such as ``deploy/web`` or ``web``; None for all there is.

    Raises:
        WorkloadError: something is not well.
        UsageError: there is no such object, or no such namespace.
    """
    start = run.clock.now()
    asked = parse(name) if name is not None else None
    target, namespace = resolve_for_reading(where)
    place = "all namespaces" if every_namespace else f"namespace `{namespace}`"
    here = f"in {place} of `{target.context}`"
    run.emit(Progress(stage="why", text=f"looking {here}"))
    kube = open_api(target, run)
    look = Look(
        kube,
        "" if every_namespace else namespace,
        run.clock,
        cancel=run.cancel,
        ask=asked is not None,
    )
    if not every_namespace and not any(look.objects.values()):
        check_namespace(kube, namespace)
    rows = standing(look.objects) if asked is None else chosen(look.objects, asked)
    if asked is not None and not rows:
        raise _not_found(asked, look, here)
    judged = sorted((look.judge(row) for row in rows), key=_rank)
    telling = _Telling(kube, every_namespace, where.settings)
    for one in judged:
        run.emit(telling.of(one))
    if look.unseen:
        run.emit(Warned(text=blindness(look.unseen)))
    run.emit(_good_end(judged, asked, here, run.clock.now() - start))


class _Telling:
    """How what was found is put for a person: no value of a Secret in it."""

    def __init__(self, kube: Kube, every_namespace: bool, settings: Settings | None) -> None:
        self._every_namespace = every_namespace
        self._settings = settings
        self._secrets = PodSecrets(kube)

    def of(self, judged: Judged) -> Diagnosed:
        """What is told of one object."""
        blame = self._blame(judged)
        judged = _blaming(judged, blame)
        obj, verdict, finding = judged.obj, judged.verdict, judged.verdict.finding
        place = blame.place if blame else self._place(obj, finding.field) if finding else None
        namespace = str(obj["metadata"]["namespace"])
        redactor = Redactor(self._secret_values(obj) if finding else ())
        return Diagnosed(
            namespace=namespace,
            ref=ref(obj),
            title=f"{namespace} {title(obj)}" if self._every_namespace else title(obj),
            state=verdict.state,
            wrong=judged.wrong,
            text=redactor.clean(_text(judged)),
            id=finding.id if finding else None,
            fix=redactor.clean(finding.fix) if finding else None,
            where=finding.where if finding else None,
            place=str(place) if place else None,
            details=redactor.clean(judged.details),
            seconds=judged.seconds,
        )

    def _blame(self, judged: Judged) -> Blame | None:
        """What of the project's files is behind a crash of an image that was made of them."""
        obj, finding = judged.obj, judged.verdict.finding
        if finding is None or finding.id not in CRASHES or finding.log is None:
            return None
        container = kinds.container(kinds.template(obj), finding.log.container)
        image = self._prepared.image if self._prepared else None
        if self._settings is None or image is None or container.get("image") != image:
            return None
        return OwnFiles(self._settings).blame(finding.cause, container, judged.log)

    def _place(self, obj: Object, field: tuple[str | int, ...]) -> str:
        """Where the fix belongs: in the project's own file, if it is its object."""
        owner = controller(obj)
        made_by = owner if owner is not None and owner["kind"] == "CronJob" else None
        kind = str(made_by["kind"] if made_by else obj["kind"])
        name = str(made_by["name"] if made_by else obj["metadata"]["name"])
        path = field_in(kind, field)
        manifest = self._manifest(f"{kind}/{name}", str(obj["metadata"]["namespace"]))
        if manifest is not None:
            return str(manifest.place(path))
        return f"{kind}/{name}, {dotted(path)}" if path else f"{kind}/{name}"

    def _manifest(self, wanted: str, namespace: str) -> Manifest | None:
        for manifest in self._own:
            if manifest.ref == wanted and manifest.data["metadata"].get("namespace") == namespace:
                return manifest
        return None

    @property
    def _own(self) -> tuple[Manifest, ...]:
        """The project's objects."""
        return self._prepared.manifests.items if self._prepared else ()

    @functools.cached_property
    def _prepared(self) -> Prepared | None:
        """What is made of its files; None where it cannot be: places are a help only."""
        with contextlib.suppress(KubekitError):
            return prepare(self._settings) if self._settings else None
        return None

    def _secret_values(self, obj: Object) -> Iterable[str]:
        """What its log may hold, which is shown."""
        if obj["kind"] not in kinds.WORKLOADS:
            return ()
        namespace = str(obj["metadata"]["namespace"])
        return self._secrets.hidden(namespace, kinds.template(obj), name=title(obj))


def _blaming(judged: Judged, blame: Blame | None) -> Judged:
    """The same in the words of what is to blame."""
    finding = judged.verdict.finding
    if finding is None or blame is None:
        return judged
    fix = "; ".join(blame.hints) or finding.fix
    blaming = replace(finding, cause=blame.cause or finding.cause, fix=fix)
    return replace(judged, verdict=replace(judged.verdict, finding=blaming))


def _text(judged: Judged) -> str:
    verdict = judged.verdict
    if verdict.finding is not None:
        waits = verdict.state == WAITING and not judged.wrong
        return f"waits: {verdict.finding.cause}" if waits else verdict.finding.cause
    if verdict.state != WAITING or judged.seconds is None:
        return verdict.text
    lasting = duration(judged.seconds)
    if verdict.text.startswith(GOING):
        return f"{verdict.text}, for {lasting}"
    if judged.wrong:
        return f"has not been ready for {lasting}: {verdict.text}"
    return f"is still starting, for {lasting}: {verdict.text}"


def _rank(judged: Judged) -> tuple[bool, int, str, str]:
    """The worst first."""
    obj = judged.obj
    return (
        not judged.wrong,
        _ORDER.index(judged.verdict.state),
        str(obj["metadata"]["namespace"]),
        ref(obj),
    )


def _good_end(judged: list[Judged], asked: Asked | None, here: str, seconds: float) -> Ended:
    """How it ended, if all is well.

    Raises:
        WorkloadError: it is not.
    """
    wrong = [one for one in judged if one.wrong]
    what = f"with `{asked}` " if asked else ""
    if wrong:
        ids = {one.verdict.finding.id if one.verdict.finding else None for one in wrong}
        count = f"{len(wrong)} of {len(judged)} " if len(judged) > 1 else ""
        verb = "are" if len(wrong) > 1 else "is"
        text = f"{count}{verb} not well {here}" if count else f"`{ref(wrong[0].obj)}` is not well"
        raise WorkloadError(
            text if count else f"{text} {here}", id=ids.pop() if len(ids) == 1 else None
        )
    if not judged:
        return Ended(text=f"there is nothing to judge {here}", seconds=seconds)
    starting = sum(one.verdict.state == WAITING for one in judged)
    if not starting:
        return Ended(text=f"nothing is wrong {what}{here}", seconds=seconds)
    return Ended(
        text=f"{starting} of {len(judged)} not ready yet {here}, for what stands above",
        seconds=seconds,
        hints=("ask again in a moment to see whether it stays so",),
        waits=True,
    )


def _not_found(asked: Asked, look: Look, here: str) -> UsageError:
    close = nearest(look.objects, asked)
    hints = [f"did you mean {' or '.join(f'`{one}`' for one in close)}?"] if close else []
    if look.unseen:
        hints.append(blindness(look.unseen))
    return UsageError(
        f"there is no `{asked}` {here}",
        hints=(*hints, "`kubekit why` without a name shows all there is"),
        id="object-missing",
    )
