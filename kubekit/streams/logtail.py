"""The log of one container, over all its runs, connections that drop and files that are rotated."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from kubekit.api.kube import ApiError, Kube, TransientError, chunks, hang_up
from kubekit.api.resources import PODS
from kubekit.errors import KubekitError
from kubekit.events import LogLine
from kubekit.model import Object
from kubekit.streams.loglines import LONGEST, OVERLAP, Cutter, Line, Seen

SILENT_SECONDS = 15.0
"""After so long without a line it is asked for anew. A node reads a file on where it has stopped:
Docker, as Minikube sets it up, truncates a log at 100 MB, and nodes before Kubernetes 1.29 lose it
at any rotation. Nor does a connection that is half open tell."""

_STATUS_SECONDS = 2.0
"""How long a status may come after the end of the log that it explains."""
_TRIES = 5
_NOT_FOUND, _BAD_REQUEST = 404, 400

_NO_FILE = b"unable to retrieve container logs"
"""How a node's answer begins, with status 200, while it has deleted the container already."""

Clean = Callable[[str], str]
"""Takes secret values out of a line."""


class UnavailableError(TransientError):
    """The node does not have the log that its own status of the pod names; not yet or no more."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One container of one pod."""

    namespace: str
    pod: str
    uid: str
    container: str


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What a container's status says of its runs, each known by its container's ID.

    Attributes:
        present: the one whose log the API hands out; empty before the first one.
        previous: the one before, if its log is still there.
        over: whether the present one has ended.
    """

    present: str = ""
    previous: str = ""
    over: bool = False

    @classmethod
    def of(cls, status: Object) -> Runs:
        """Read an entry of a pod's containerStatuses."""
        ended = (status.get("lastState") or {}).get("terminated") or {}
        state = status.get("state") or {}
        present = str(status.get("containerID") or ended.get("containerID") or "")
        previous = str(ended.get("containerID") or "")
        return cls(
            present=present,
            previous=previous if previous != present else "",
            over="running" not in state,
        )


class Reader:
    """Reads one container's log, in as many answers of the API as it takes, each line once.

    Args:
        since: from when on, RFC 3339; empty for all there is.
        tail: only so many lines of what is there at first.
        clean: what a line goes through.
    """

    def __init__(
        self, kube: Kube, source: Source, *, clean: Clean, since: str = "", tail: int | None = None
    ) -> None:
        self.source = source
        self._kube = kube
        self._clean = clean
        self._start = {"sinceTime": since} if since else {}
        if tail is not None:
            self._start["tailLines"] = str(tail)
        self._seen = Seen()
        self._silent = False
        self._stopped = False
        self._response: object = None

    def read(
        self, *, follow: bool, previous: bool = False, rest: bool = False
    ) -> Generator[LogLine, None, None]:
        """The lines that were not read yet; with `follow` also those to come, until the log ends.

        Args:
            follow: wait for more.
            previous: of the run before the present one.
            rest: nothing more will be read: a last line that has no end is one, too.

        Raises:
            TransientError: it broke off; go on by reading again.
            ApiError: the API server refuses it.
        """
        short = follow and self._silent and bool(self._seen.end)
        self._silent = False
        path = f"{PODS.path(self.source.namespace, self.source.pod)}/log"
        query = {"container": self.source.container, "timestamps": "true"}
        query |= {"tailLines": "1"} if short else self._resuming()
        for name, wanted in (("follow", follow), ("previous", previous)):
            query |= {name: "true"} if wanted else {}
        response = self._kube.stream(path, query=query, read_seconds=SILENT_SECONDS)
        self._response = response
        try:
            if not self._stopped:  # by `hang_up`, before there was a response
                yield from self._fresh(_lines(response, rest=rest), short=short)
        except TransientError as error:
            self._silent = isinstance(error.__cause__, TimeoutError)
            raise
        finally:
            self._response = None
            response.close()

    @property
    def silent(self) -> bool:
        """Whether it broke off because nothing came."""
        return self._silent

    def hang_up(self) -> None:
        """End the answer that another thread reads, and any later one."""
        self._stopped = True
        response = self._response
        if response is not None:
            hang_up(response)  # type: ignore[arg-type]

    def _resuming(self) -> dict[str, str]:
        return {"sinceTime": self._seen.since} if self._seen.since else self._start

    def _fresh(self, lines: Iterator[Line], *, short: bool) -> Iterator[LogLine]:
        """The new ones among the lines of one answer.

        Args:
            lines: of the answer.
            short: it was asked for with its last line alone, which should be the last one seen.
        """
        sieve = self._seen.sieve() if self._seen.end else None
        for number, line in enumerate(lines):
            if not line.at:
                if line.text.startswith(_NO_FILE):
                    raise UnavailableError(line.text.decode(errors="replace"))
                if number:
                    raise TransientError(line.text.decode(errors="replace"))
                continue
            if short and not number:
                if line.at != self._seen.end:
                    raise TransientError("there are lines that did not come")
                sieve = None
                continue
            if sieve is not None:
                if not sieve.is_new(line.at):
                    continue
                sieve = None
            self._seen.take(line.at)
            yield self._event(line)

    def _event(self, line: Line) -> LogLine:
        text = self._clean(line.text.decode(errors="replace"))
        if len(line.text) > LONGEST:
            # Of a value that the bound itself has cut, nothing may be left.
            kept = (text[:-OVERLAP] if line.left_out else text)[:LONGEST]
            text = f"{kept}... ({line.left_out + len(line.text) - len(kept)} bytes more)"
        source = self.source
        return LogLine(pod=source.pod, container=source.container, at=line.at, line=text)


def _lines(response: object, *, rest: bool) -> Iterator[Line]:
    """The lines of an answer; with `rest` also one at its end that has none itself."""
    cutter = Cutter()
    for chunk in chunks(response):  # type: ignore[arg-type]
        yield from cutter.feed(chunk)
    last = cutter.rest() if rest else None
    if last is not None:
        yield last


class Tail:
    """Follows one container on a thread of its own, run by run, until its pod is gone.

    Args:
        reader: of its log; may have read some of it already.
        deliver: takes each line; False ends it.
        trouble: is told once why the log cannot be had; of a defect, too, which ends the thread.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        deliver: Callable[[LogLine], bool],
        trouble: Callable[[Source, KubekitError], None],
    ) -> None:
        self._reader = reader
        self._deliver = deliver
        self._trouble = trouble
        self._changed = threading.Condition()
        self._runs = Runs()
        self._gone = False
        self._stopped = False
        name = f"log-{reader.source.pod}-{reader.source.container}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self, runs: Runs) -> None:
        """Begin with the present run."""
        self._runs = runs
        self._thread.start()

    def see(self, runs: Runs) -> None:
        """Take note of how it stands now."""
        with self._changed:
            self._runs = runs
            self._changed.notify_all()

    def gone(self) -> None:
        """Its pod is gone: what is being read is read to its end, and nothing more is asked for."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def signal(self) -> None:
        """End it at once, without waiting for its thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._reader.hang_up()

    def join(self, seconds: float) -> None:
        """Wait so long for its thread to end: it may hang in a dead connection."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=max(0.0, seconds))

    @property
    def done(self) -> bool:
        """Whether its pod is gone, and all of its log that can be had was read."""
        return self._gone and not self._thread.is_alive()

    def _work(self) -> None:
        run = self._runs.present
        while run:
            try:
                self._follow(run)
            except KubekitError as error:
                self._trouble(self._reader.source, error)
                return
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                self._trouble(self._reader.source, KubekitError(what))
                raise
            run = self._next(run)

    def _next(self, run: str) -> str:
        """The run after this one, once there is one; empty if there will be none."""
        with self._changed:
            while not self._ended():
                runs = self._runs
                if runs.present != run:
                    missed = runs.previous if runs.previous != run else ""
                    return missed or runs.present
                self._changed.wait()
        return ""

    def _follow(self, run: str) -> None:
        """Read one run to its end, over every connection that drops."""
        failures = 0
        while not self._ended():
            runs = self._runs
            if run not in (runs.present, runs.previous):
                return  # by now its log is deleted
            previous = run != runs.present
            over = previous or runs.over
            try:
                self._read(over=over, previous=previous)
            except TransientError as error:
                if over and failures >= _TRIES and isinstance(error, UnavailableError):
                    return
                failures = 0 if self._reader.silent else failures + 1
                if failures:
                    pause = min(2.0, 0.1 * 2 ** (failures - 1))
                    self._pause(runs, pause * random.uniform(0.5, 1.0))  # noqa: S311
                continue
            except ApiError as error:
                if error.status not in (_NOT_FOUND, _BAD_REQUEST):
                    raise
                over = over or error.status == _NOT_FOUND
            failures = 0
            if over:
                return
            self._until_explained(run)

    def _read(self, *, over: bool, previous: bool) -> None:
        lines = self._reader.read(follow=not over, previous=previous, rest=over)
        with contextlib.closing(lines):
            for line in lines:
                if self._stopped or not self._deliver(line):
                    return

    def _until_explained(self, run: str) -> None:
        """The log has ended: wait a moment for the status that says why."""
        end = time.monotonic() + _STATUS_SECONDS
        with self._changed:
            while not self._ended() and self._runs.present == run and not self._runs.over:
                if not self._changed.wait(end - time.monotonic()):
                    return

    def _pause(self, known: Runs, seconds: float) -> None:
        """Wait before the next try, but not on at a new status: a log may soon go with its pod."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self._ended() and self._runs == known:
                if not self._changed.wait(end - time.monotonic()):
                    return

    def _ended(self) -> bool:
        return self._gone or self._stopped
