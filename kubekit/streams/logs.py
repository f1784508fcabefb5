"""The logs of many pods at once: every container, from its first line to its last."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from kubekit.api.kube import Kube
from kubekit.errors import KubekitError
from kubekit.events import LogLine
from kubekit.model import Object
from kubekit.streams.logtail import Clean, Reader, Runs, Source, Tail

_GOODBYE_SECONDS = 2.0
_LISTS = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


class Logs:
    """Follows the logs of the pods it is told of: ready or not, each container from its start on.

    Lines are delivered as they come, one at a time, in the order of each container's log; a
    receiver that is slow slows the reading down, and nothing is kept in between.

    Args:
        kube: the cluster.
        namespace: the pods'.
        deliver: takes each line, from several threads but never at once. What it raises ends
            everything, and `failure` is then that.
        clean: what each line goes through first, such as a Redactor's.
        since: from when on, RFC 3339, of containers that run already; empty for all there is.
        tail: only so many lines of what is there before the first `listed`; None for all.
        containers: only those of these names; all of them if there are none.
        trouble: is told once of each container why its log cannot be had.
        readers: of logs that were read before: they go on from there.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        *,
        deliver: Callable[[LogLine], None],
        clean: Clean = str,
        since: str = "",
        tail: int | None = None,
        containers: Collection[str] = (),
        trouble: Callable[[Source, KubekitError], None] | None = None,
        readers: Mapping[Source, Reader] | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self._kube = kube
        self._namespace = namespace
        self._deliver = deliver
        self._clean = clean
        self._since = since
        self._tail = tail
        self._containers = frozenset(containers)
        self._trouble = trouble or _untold
        self._readers = dict(readers or {})
        self._lock = threading.Lock()
        self._tails: dict[Source, Tail] = {}
        self._closed = False

    def listed(self, pods: Iterable[Object]) -> None:
        """Take note of all pods there are: of others, what is being read is read to its end."""
        present = list(pods)
        for pod in present:
            self.changed(pod)
        uids = {pod["metadata"]["uid"] for pod in present}
        self._leave(lambda source: source.uid not in uids)
        self._tail = None  # of what starts from now on, every line is wanted

    def changed(self, pod: Object, *, gone: bool = False) -> None:
        """Take note of a pod as it is now; if `gone`, as it was at its end."""
        for container, runs in started(pod, self._containers):
            source = source_of(self._namespace, pod, container)
            tail = self._tails.get(source)
            if tail is not None:
                tail.see(runs)
            elif not gone and not self._closed:
                self._tails[source] = self._new(source)
                self._tails[source].start(runs)
        if gone:
            uid = pod["metadata"]["uid"]
            self._leave(lambda source: source.uid == uid)

    def close(self) -> None:
        """End it: no line is delivered any more, and soon no thread is left."""
        self._closed = True
        for tail in self._tails.values():
            tail.signal()
        end = time.monotonic() + _GOODBYE_SECONDS
        for tail in self._tails.values():
            tail.join(end - time.monotonic())

    def _new(self, source: Source) -> Tail:
        reader = self._readers.pop(source, None) or Reader(
            self._kube, source, clean=self._clean, since=self._since, tail=self._tail
        )
        return Tail(reader, deliver=self._hand_on, trouble=self._trouble)

    def _leave(self, is_gone: Callable[[Source], bool]) -> None:
        for source, tail in self._tails.items():
            if is_gone(source):
                tail.gone()
        self._tails = {source: tail for source, tail in self._tails.items() if not tail.done}

    def _hand_on(self, line: LogLine) -> bool:
        with self._lock:
            if self._closed:
                return False
            try:
                self._deliver(line)
            except Exception as error:  # noqa: BLE001 - it is the caller's, who is told of it
                self.failure = error
                self._closed = True
        return not self._closed


def started(pod: Object, only: Collection[str] = ()) -> Iterator[tuple[str, Runs]]:
    """The containers of a pod that have run, in the order they are started in.

    Args:
        pod: as the API has it.
        only: of these names; all of them if there are none.
    """
    status = pod.get("status") or {}
    for listed, stated in _LISTS:
        known = {entry["name"]: Runs.of(entry) for entry in status.get(stated) or ()}
        for container in pod["spec"].get(listed) or ():
            name = container["name"]
            runs = known.get(name, Runs())
            if runs.present and (not only or name in only):
                yield name, runs


def moment(at: float) -> str:
    """A time, in seconds since the epoch, as `since` wants it."""
    return dt.datetime.fromtimestamp(at, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def source_of(namespace: str, pod: Object, container: str) -> Source:
    """The name of one container's log."""
    metadata = pod["metadata"]
    return Source(
        namespace=namespace, pod=metadata["name"], uid=metadata["uid"], container=container
    )


def _untold(_source: Source, _error: KubekitError) -> None:
    """The default: a log that cannot be had is missing, and nothing is said."""
