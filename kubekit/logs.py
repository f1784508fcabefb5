"""The logs of a project, a workload or a pod, as they are and as they come. Reads only."""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
import heapq
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from kubekit.api.follow import Changed, Follower, Listed, Lost, Update
from kubekit.api.kube import ApiError, Kube, TransientError
from kubekit.api.lineage import lineage
from kubekit.api.podsecrets import Masks
from kubekit.api.resources import PODS
from kubekit.cluster.target import resolve_for_reading
from kubekit.config.validators import seconds
from kubekit.errors import CancelledError, KubekitError, UsageError
from kubekit.events import Ended, Following, LogLine, Warned
from kubekit.model import Object, Settings, Where
from kubekit.podchoice import Choice
from kubekit.rollout.inspect.roster import Asked, parse
from kubekit.session import Run, check_namespace, open_api
from kubekit.streams.logs import Logs, moment, source_of, started
from kubekit.streams.logtail import Reader, Source, UnavailableError

_Updates = queue.SimpleQueue[Update | Exception | None]
_TRIES = 5
_SKIPPED = (400, 404)  # there is no previous run, or the pod has gone meanwhile


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of the logs is asked for.

    Attributes:
        name: a workload, Service or pod, such as ``deploy/web``; None for all of the project.
        since: ``5m``, or a time in ISO 8601, local unless it says otherwise; None for all.
        tail: only so many lines of each container; None for all.
        containers: only those of these names; all of them if there are none.
        previous: of the run before the present one.
        follow: also the lines to come.
    """

    name: str | None = None
    since: str | None = None
    tail: int | None = None
    containers: tuple[str, ...] = ()
    previous: bool = False
    follow: bool = False


def show(where: Where, run: Run, wanted: Wanted) -> None:
    """Emit the lines in the order of their times, and with `follow` the others as they come.

    Raises:
        UsageError: there is no such object, container or namespace.
        CancelledError: the person interrupted it, which is how following ends.
    """
    if wanted.previous and wanted.follow:
        raise UsageError("`--previous` is of a run that is over, so there is nothing to follow")
    asked = parse(wanted.name) if wanted.name is not None else None
    target, namespace = resolve_for_reading(where)
    kube = open_api(target, run)
    _Shown(kube, namespace, where.settings, run, wanted, asked).run()


class _Shown:
    """One run of the command."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        settings: Settings | None,
        run: Run,
        wanted: Wanted,
        asked: Asked | None,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._run = run
        self._wanted = wanted
        self._asked = asked
        project = settings.name if settings is not None else None
        self._what = f"`{asked or project}`" if asked or project else "any workload"
        self._choice = Choice(kube, namespace, project=project, asked=asked)
        self._masks = Masks(kube, namespace, settings)
        self._since = _since(wanted.since, kube.server_now()) if wanted.since else ""
        self._pods: dict[str, Object] = {}
        self._said: dict[str, tuple[str, ...]] = {}

    def run(self) -> None:
        """Show what there is, then what comes."""
        listed = self._kube.list(PODS.path(self._namespace))
        if not listed:
            check_namespace(self._kube, self._namespace)
        found = self._choice.find()
        for pod in listed:
            self._meet(pod)
        if not found and not self._pods:
            raise self._not_found(listed)
        self._check_containers()
        self._announce()
        readers = {source: self._reader(source) for source in self._sources()}
        self._read(readers)
        if self._wanted.follow:
            self._follow(readers)
        elif not readers:
            self._run.emit(Ended(text=self._nothing(), seconds=0.0, hints=self._why()))

    def _meet(self, pod: Object) -> bool:
        """Take note of a pod, if it is one that is meant."""
        uid = pod["metadata"]["uid"]
        if uid not in self._pods:
            if not self._choice.means(pod):
                return False
            self._masks.learn(pod)
        self._pods[uid] = pod
        return True

    def _sources(self) -> Iterator[Source]:
        for pod in self._pods.values():
            restarts = _restarts(pod)
            for container, _ in started(pod, self._wanted.containers):
                if restarts.get(container) or not self._wanted.previous:
                    yield source_of(self._namespace, pod, container)

    def _reader(self, source: Source) -> Reader:
        return Reader(
            self._kube,
            source,
            clean=self._masks.clean,
            since=self._since,
            tail=self._wanted.tail,
        )

    def _read(self, readers: dict[Source, Reader]) -> None:
        """Emit what is there, in the order of time."""

        def stop() -> None:
            for reader in readers.values():
                reader.hang_up()

        self._run.cancel.on_set(stop)
        logs = [self._history(reader) for reader in readers.values()]
        try:
            for line in heapq.merge(*logs, key=attrgetter("at")):
                self._run.emit(line)
        finally:
            self._run.cancel.forget(stop)
        self._check_cancel()

    def _history(self, reader: Reader) -> Iterator[LogLine]:
        """What is there of one log, over connections that drop."""
        previous, last = self._wanted.previous, not self._wanted.follow
        for left in reversed(range(_TRIES)):
            try:
                yield from reader.read(follow=False, previous=previous, rest=last)
            except TransientError as error:
                self._check_cancel()
                if not left and isinstance(error, UnavailableError):
                    self._tell_trouble(reader.source, error)
                    return
                if not left:
                    raise
                self._kube.pause(0.5)
            except ApiError as error:
                if error.status not in _SKIPPED:
                    raise
                return
            else:
                return

    def _follow(self, readers: dict[Source, Reader]) -> None:
        """Emit lines as they come, until the person has seen enough."""
        updates: _Updates = queue.SimpleQueue()
        path = PODS.path(self._namespace)
        pods = Follower(self._kube, kind="Pod", path=path, deliver=updates.put)
        self._run.cancel.on_set(lambda: updates.put(None))
        if not self._pods:
            self._run.emit(Warned(text=f"{self._nothing()}; waiting for it"))
        pods.start()
        with contextlib.closing(self._logs(readers, updates)) as logs:
            try:
                while (update := updates.get()) is not None:
                    self._take(update, logs)
            finally:
                pods.signal()
        self._check_cancel()

    def _logs(self, readers: dict[Source, Reader], updates: _Updates) -> Logs:
        def deliver(line: LogLine) -> None:
            try:
                self._run.emit(line)
            except Exception as error:
                updates.put(error)
                raise

        def trouble(source: Source, error: KubekitError) -> None:
            try:
                self._tell_trouble(source, error)
            except Exception as failure:  # noqa: BLE001 - it is raised in the main thread
                updates.put(failure)

        return Logs(
            self._kube,
            self._namespace,
            deliver=deliver,
            clean=self._masks.clean,
            since=self._since,
            containers=self._wanted.containers,
            trouble=trouble,
            readers=readers,
        )

    def _take(self, update: Update | Exception, logs: Logs) -> None:
        match update:
            case Exception():
                raise update
            case Listed(items=items):
                met = [pod for pod in items if self._meet(pod)]
                uids = {pod["metadata"]["uid"] for pod in met}
                self._pods = {uid: pod for uid, pod in self._pods.items() if uid in uids}
                self._announce()
                logs.listed(met)
            case Changed(item=pod, gone=gone) if self._meet(pod):
                if gone:
                    del self._pods[pod["metadata"]["uid"]]
                self._announce()
                logs.changed(pod, gone=gone)
            case Lost(fatal=True, error=error):
                raise error
            case _:
                pass

    def _announce(self) -> None:
        """Say whose logs these are, where that has changed."""
        pods = {
            str(pod["metadata"]["name"]): tuple(
                item["name"]
                for item in pod["spec"]["containers"]
                if not self._wanted.containers or item["name"] in self._wanted.containers
            )
            for pod in self._pods.values()
        }
        if pods and pods != self._said:
            self._said = pods
            self._run.emit(Following(pods=pods))

    def _tell_trouble(self, source: Source, error: KubekitError) -> None:
        text = f"no log of `{source.pod}`, container `{source.container}`: {error.message}"
        self._run.emit(Warned(text=text))

    def _check_cancel(self) -> None:
        if self._run.cancel.is_set():
            raise CancelledError("interrupted")

    def _check_containers(self) -> None:
        """Make sure that a container that was named is one of some pod.

        Raises:
            UsageError: it is not.
        """
        names = {
            item["name"]
            for pod in self._pods.values()
            for listed in ("initContainers", "containers", "ephemeralContainers")
            for item in pod["spec"].get(listed) or ()
        }
        for name in self._wanted.containers:
            if names and name not in names:
                raise UsageError(
                    f"no pod of {self._what} has a container `{name}`",
                    hints=(f"containers there: {', '.join(sorted(names))}",),
                    id="container-missing",
                )

    def _not_found(self, listed: list[Object]) -> UsageError:
        names = {name for pod in listed for _, name in lineage(pod)}
        asked = self._asked.name if self._asked else ""
        close = difflib.get_close_matches(asked, names, n=3)
        hints = (f"did you mean {' or '.join(f'`{name}`' for name in close)}?",) if close else ()
        return UsageError(
            f"there is no {self._what} in namespace `{self._namespace}` of `{self._kube.context}`",
            hints=(*hints, "`kubekit logs` without a name shows all there is"),
            id="object-missing",
        )

    def _nothing(self) -> str:
        """Why there is no log."""
        here = f"in namespace `{self._namespace}` of `{self._kube.context}`"
        if not self._pods:
            return f"there is no pod of {self._what} {here}"
        if self._wanted.previous:
            return f"no container of {self._what} {here} has run before"
        return f"no container of {self._what} {here} has started yet"

    def _why(self) -> tuple[str, ...]:
        name = f" {self._asked}" if self._asked else ""
        return () if self._wanted.previous else (f"`kubekit why{name}` says what is wrong",)


def _since(text: str, now: float) -> str:
    """A point in time as the API wants it, from how a person says it.

    Raises:
        UsageError: it cannot be understood.
    """
    with contextlib.suppress(ValueError):
        return moment(now - seconds(text))
    with contextlib.suppress(ValueError):
        return moment(dt.datetime.fromisoformat(text).timestamp())
    raise UsageError(
        f"`--since {text}` is no time",
        hints=("write it as `5m` or `1h30m`, or as a time such as `2026-11-21T20:15:00`",),
    )


def _restarts(pod: Object) -> dict[str, int]:
    status = pod.get("status") or {}
    listed = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return {
        entry["name"]: int(entry.get("restartCount") or 0)
        for key in listed
        for entry in status.get(key) or ()
    }
