"""The containers that are run, one after the other, and what is seen of each."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from kubekit.errors import CancelledError
from kubekit.events import Emit, Progress
from kubekit.image.docker.containers import Containers, GoneError, Wanted
from kubekit.model import Cancel
from kubekit.verify.container import NoAnswerError, Running, failed_start, running
from kubekit.verify.model import (
    Answer,
    Image,
    Kept,
    Known,
    Process,
    Reached,
    Seen,
    Start,
    Told,
    Usual,
)
from kubekit.verify.routes import ROUTES, candidates, database_away, first

WORKERS = 2
_OTHER_PORT = 9000
_HOST = "127.0.0.1"
_MOST_FILES = 400
_OF_DATABASE = ("live", "ready")
_LOOKS = 20
_LOOK = 0.5


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where containers are run, and what of.

    Attributes:
        host: the Host that the app is asked by; empty for its address.
    """

    image: Image
    known: Known
    containers: Containers
    python: str
    host: str
    cancel: Cancel

    def run(
        self,
        env: Mapping[str, str] | None = None,
        *,
        volumes: Mapping[str, str] | None = None,
        locked: bool = False,
        checked: bool = False,
    ) -> contextlib.AbstractContextManager[Running]:
        """A container with what the project sets, and `env`; `checked` by its HEALTHCHECK."""
        wanted = Wanted(
            image=self.image.id,
            env={**self.known.env, **(env or {})},
            network=self.known.network,
            volumes=volumes or {},
            locked=locked,
            check_every=1 if checked and self.image.config.get("Healthcheck") else None,
        )
        return running(
            self.containers, wanted, python=self.python, host=self.host, cancel=self.cancel
        )

    @property
    def port(self) -> int | None:
        """The port it should listen on; None where it is to be seen, as PORT may be ignored."""
        if "PORT" in self.known.env or not self.image.ports:
            return None
        return self.image.ports[0]


def play(stage: Stage, wanted: Collection[str], emit: Emit) -> Seen:
    """Run the containers that are wanted, by the names of `Seen`.

    All the others wait for the usual one: where that does not start, none would.
    """
    if not wanted:
        return Seen(why="no check needs a container")
    _say(emit, "starting a container as the image has it")
    usual = _usual(stage)
    if not usual.start.up:
        return Seen(usual=usual, why="no container of it starts")
    seen = Seen(usual=usual)
    if "told" in wanted:
        _say(emit, "starting one with PORT, HOST and WORKERS")
        seen = replace(seen, told=_told(stage))
    if "kept" in wanted and usual.databases:
        _say(emit, "starting two with a volume")
        seen = replace(seen, kept=_kept(stage, usual.databases[0]))
    if "away" in wanted and any(first(kind, stage.known, usual.answers) for kind in _OF_DATABASE):
        _say(emit, "starting one without its database")
        seen = replace(seen, away=_away(stage, usual))
    if "locked" in wanted:
        _say(emit, "starting one with a read-only root")
        seen = replace(seen, locked=_locked(stage, usual))
    return seen


def _usual(stage: Stage) -> Usual:
    port = stage.port
    try:
        with stage.run(checked=True) as one:
            start, found = one.wait(port, "/", patience=stage.known.patience)
            if not start.up:
                return Usual(start=start, port=port or 0)
            return _watch(one, stage, Usual(start=start, port=found))
    except GoneError as error:
        return Usual(start=failed_start(error), port=port or 0)


def _watch(one: Running, stage: Stage, usual: Usual) -> Usual:
    """Look at a container that answers, then stop it."""
    usual = replace(usual, memory=one.containers.memory(one.id))
    with contextlib.suppress(NoAnswerError, GoneError):
        health, health_log = one.health(stage.known.patience)
        usual = replace(
            usual,
            answers=_answers(one, stage, usual.port),
            listening=one.listening(),
            processes=one.processes(),
            databases=_databases(one),
            health=health,
            health_log=health_log,
        )
    stopped = one.stop(stage.known.grace)
    return replace(usual, stopped=stopped, log=one.containers.logs(one.id))


def _told(stage: Stage) -> Told:
    env = {"PORT": str(_OTHER_PORT), "HOST": _HOST, "WORKERS": str(WORKERS)}
    told = Told(start=Start(up=False), port=_OTHER_PORT, host=_HOST, workers=WORKERS)
    try:
        with stage.run(env) as one:
            start, _ = one.wait(None, "/", patience=stage.known.patience)
            if not start.up:
                return replace(told, start=start)
            processes = _settled(one, stage)
            return replace(told, start=start, listening=one.listening(), processes=processes)
    except (GoneError, NoAnswerError) as error:
        return replace(told, start=Start(up=False, text=str(error)))


def _settled(one: Running, stage: Stage) -> tuple[Process, ...]:
    """The processes, once there are no more of them: workers start one after the other."""
    before = one.processes()
    for _ in range(_LOOKS):
        if stage.cancel.wait(_LOOK):
            raise CancelledError("interrupted")
        now = one.processes()
        if [each.pid for each in now] == [each.pid for each in before]:
            return now
        before = now
    return before


def _kept(stage: Stage, path: str) -> Kept:
    folder = posixpath.dirname(path)
    volumes = {stage.containers.volume(): folder}
    kept = Kept(folder=folder, kept=False)
    try:
        _mark(stage, volumes, "mark", path)
        found = _mark(stage, volumes, "marked", path)
    except (GoneError, NoAnswerError) as error:
        return replace(kept, text=str(error))
    return replace(kept, kept=found, text="" if found else "after a restart it is another file")


def _mark(stage: Stage, volumes: Mapping[str, str], call: str, path: str) -> bool:
    """Have `call` done to the database of one container with these volumes, and stop it."""
    with stage.run(volumes=volumes) as one:
        start, port = one.wait(stage.port, "/", patience=stage.known.patience)
        if not start.up:
            raise NoAnswerError(start.text)
        # What makes its tables with its first request has made none yet.
        _answers(one, stage, port)
        answer = bool(one.call(call, path))
        one.stop(stage.known.grace)
    return answer


def _away(stage: Stage, usual: Usual) -> Reached:
    return _reach(stage, usual, {"DATABASE_URL": database_away(stage.image, stage.known)})


def _locked(stage: Stage, usual: Usual) -> Reached:
    volumes = {}
    if usual.databases:
        volumes = {stage.containers.volume(): posixpath.dirname(usual.databases[0])}
    return _reach(stage, usual, {}, volumes=volumes, locked=True)


def _reach(
    stage: Stage,
    usual: Usual,
    env: Mapping[str, str],
    *,
    volumes: Mapping[str, str] | None = None,
    locked: bool = False,
) -> Reached:
    try:
        with stage.run(env, volumes=volumes, locked=locked) as one:
            start, port = one.wait(usual.port, "/", patience=stage.known.patience)
            if not start.up:
                return Reached(start=start)
            return Reached(start=start, answers=_answers(one, stage, port))
    except (GoneError, NoAnswerError) as error:
        return Reached(start=Start(up=False, text=str(error)))


def _answers(one: Running, stage: Stage, port: int) -> dict[str, Answer]:
    """What each route of an app's health answers."""
    return one.routes(port, [candidates(kind, stage.known) for kind in ROUTES])


def _databases(one: Running) -> tuple[str, ...]:
    """The SQLite files that it has written."""
    paths = [path for path in one.containers.changed(one.id) if not path.startswith("/tmp/")]  # noqa: S108 - in the container
    mounts = one.containers.inspect(one.id).get("Mounts") or ()
    folders = [str(mount["Destination"]) for mount in mounts]
    return tuple(one.call("databases", paths[:_MOST_FILES], folders))


def _say(emit: Emit, text: str) -> None:
    emit(Progress(stage="verify", text=text))
