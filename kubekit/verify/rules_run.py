"""Checks of what was seen of containers: they answer, obey, keep and stop. Pure."""

from __future__ import annotations

import posixpath
import re
from http import HTTPStatus

from kubekit.verify.model import (
    Check,
    Outcome,
    Process,
    Start,
    Subject,
    Told,
    Usual,
    failed,
    passed,
    skipped,
    told,
)
from kubekit.verify.routes import candidates, first, says_well
from kubekit.verify.rules_config import SHELLS
from kubekit.verify.units import bytes_said

_ERROR = re.compile(
    r"Traceback \(most recent call last\)|\b(ERROR|CRITICAL)\b|\"level\": ?\"error\""
)
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - read, not bound to
_KILLED = 137
_LONGEST = 160


def _usual(subject: Subject) -> Usual:
    assert subject.seen.usual is not None
    return subject.seen.usual


def _starts(subject: Subject) -> Outcome:
    usual = _usual(subject)
    if not usual.start.up:
        return failed(usual.start.text, *usual.start.log)
    return passed(f"it answers on port {usual.port} after {usual.start.seconds:.1f} s")


def _memory(subject: Subject) -> Outcome:
    memory = _usual(subject).memory
    return skipped("the daemon does not say") if memory is None else told(bytes_said(memory))


def _first_process(subject: Subject) -> Outcome:
    one = next((each for each in _usual(subject).processes if each.pid == 1), None)
    if one is None or not one.command:
        return skipped("process 1 cannot be seen")
    text = f"`{_short(' '.join(one.command))}`"
    if posixpath.basename(one.command[0]) in SHELLS and "-c" in one.command:
        return failed(f"it is a shell: {text}")
    return passed(text)


def _run_as(subject: Subject) -> Outcome:
    users = sorted({each.user for each in _usual(subject).processes})
    if not users:
        return skipped("no process can be seen")
    text = f"user {', '.join(map(str, users))}"
    return failed(text) if 0 in users else passed(text)


def _listens(subject: Subject) -> Outcome:
    usual = _usual(subject)
    addresses = sorted(address for address, port in usual.listening if port == usual.port)
    text = f"on {', '.join(addresses)}, port {usual.port}"
    if not addresses:
        return skipped("no address can be seen")
    return passed(text) if _EVERYWHERE & set(addresses) else failed(text)


def _plain(subject: Subject) -> Outcome:
    return _healthy(subject, "plain", body=True)


def _live(subject: Subject) -> Outcome:
    return _healthy(subject, "live", body=False)


def _ready(subject: Subject) -> Outcome:
    found = first("ready", subject.known, _usual(subject).answers)
    away = found is not None and found[1].status == HTTPStatus.SERVICE_UNAVAILABLE
    if away and subject.known.network == "none" and _has_remote_database(subject):
        return skipped("its database is not to be reached from here: see `--network`")
    return _healthy(subject, "ready", body=False)


def _healthy(subject: Subject, kind: str, *, body: bool) -> Outcome:
    found = first(kind, subject.known, _usual(subject).answers)
    if found is None:
        paths = ", ".join(candidates(kind, subject.known))
        text = f"it has none of {paths}"
        return failed(text) if kind in subject.known.paths or kind == "plain" else skipped(text)
    path, answer = found
    text = f"{path} answers {answer.status} {_short(answer.body)}".strip()
    well = answer.status == HTTPStatus.OK and (not body or says_well(answer.body))
    return passed(text) if well else failed(text)


def _has_remote_database(subject: Subject) -> bool:
    url = subject.known.env.get("DATABASE_URL", "")
    return bool(url) and not url.startswith("sqlite")


def _becomes_healthy(subject: Subject) -> Outcome:
    usual = _usual(subject)
    if not usual.health or usual.health == "none":
        return skipped("it has no HEALTHCHECK")
    if usual.health == "healthy":
        return passed("its HEALTHCHECK says healthy")
    said = usual.health_log.splitlines()[-3:]
    return failed(f"its HEALTHCHECK says {usual.health}", *said)


def _log(subject: Subject) -> Outcome:
    found = [line for line in _usual(subject).log if _ERROR.search(line)]
    if found:
        return failed(f"{len(found)} lines tell of errors", *map(_short, found[:5]))
    return passed(f"{len(_usual(subject).log)} lines, none of an error")


def _stops(subject: Subject) -> Outcome:
    stopped = _usual(subject).stopped
    if stopped is None:
        return skipped("it was not stopped")
    seconds, code = stopped
    text = f"{seconds:.1f} s after SIGTERM, with exit code {code}"
    if code == _KILLED:
        return failed(f"killed after {subject.known.grace} s: SIGTERM did not end it")
    return passed(text) if code == 0 else failed(text)


def _port(subject: Subject) -> Outcome:
    seen = _told(subject)
    good = seen.start.up and any(port == seen.port for _, port in seen.listening)
    return _honoured(subject, "PORT", seen.port, good=good, ports=_ports(seen))


def _host(subject: Subject) -> Outcome:
    seen = _told(subject)
    addresses = {address for address, _ in seen.listening}
    good = seen.start.up and addresses == {seen.host}
    return _honoured(subject, "HOST", seen.host, good=good, ports=", ".join(sorted(addresses)))


def _workers(subject: Subject) -> Outcome:
    seen = _told(subject)
    count = len(_serving(seen.processes))
    good = seen.start.up and count == seen.workers
    return _honoured(subject, "WORKERS", seen.workers, good=good, ports=f"{count} of them")


def _serving(processes: tuple[Process, ...]) -> list[Process]:
    """The processes that serve: those that have started no others."""
    parents = {each.parent for each in processes if not _is_tracker(each)}
    return [each for each in processes if each.pid not in parents and not _is_tracker(each)]


def _is_tracker(process: Process) -> bool:
    return any("resource_tracker" in part for part in process.command)


def _ports(seen: Told) -> str:
    return ", ".join(f"port {port}" for port in sorted({port for _, port in seen.listening}))


def _told(subject: Subject) -> Told:
    assert subject.seen.told is not None
    return subject.seen.told


def _honoured(subject: Subject, name: str, value: object, *, good: bool, ports: str) -> Outcome:
    """Whether a variable is; one that nothing says is read may be ignored."""
    if good:
        return passed(f"{name}={value}: {ports}")
    start = _told(subject).start
    text = f"{name}={value}, but {ports or _why(start)}"
    if name in subject.known.claims or name in subject.image.environment:
        return failed(text, *start.log)
    return skipped(f"nothing says that it reads {name}: {text}")


def _why(start: Start) -> str:
    return start.text or "nothing was seen"


def _database(subject: Subject) -> Outcome:
    found = _usual(subject).databases
    return passed(", ".join(found)) if found else skipped("no SQLite file was written")


def _keeps(subject: Subject) -> Outcome:
    kept = subject.seen.kept
    assert kept is not None
    if kept.kept:
        return passed(f"a volume at {kept.folder} keeps it over a restart")
    return failed(f"with a volume at {kept.folder}: {kept.text}")


def _away_live(subject: Subject) -> Outcome:
    return _away(subject, "live", frozenset({200}))


def _away_ready(subject: Subject) -> Outcome:
    return _away(subject, "ready", frozenset({503}))


def _away(subject: Subject, kind: str, right: frozenset[int]) -> Outcome:
    away = subject.seen.away
    assert away is not None
    name = "DATABASE_URL"
    if first(kind, subject.known, _usual(subject).answers) is None:
        return skipped(f"it has none of {', '.join(candidates(kind, subject.known))}")
    found = first(kind, subject.known, away.answers)
    if found is not None and found[1].status in right:
        return passed(f"{found[0]} answers {found[1].status} {_short(found[1].body)}".strip())
    claimed = name in subject.known.claims or name in subject.image.environment
    if not claimed:
        return skipped(f"nothing says that it reads {name}")
    if found is None:
        return failed(
            f"without its database {away.start.text or 'it does not answer'}", *away.start.log
        )
    return failed(f"{found[0]} answers {found[1].status} {_short(found[1].body)}".strip())


def _locked(subject: Subject) -> Outcome:
    locked = subject.seen.locked
    assert locked is not None
    if not locked.start.up:
        return failed(locked.start.text, *locked.start.log)
    before = _usual(subject).answers
    worse = [
        f"{path} answers {answer.status}"
        for path, answer in locked.answers.items()
        if answer.status != before.get(path, answer).status
    ]
    if worse:
        return failed(", ".join(worse))
    return passed("it answers as usual")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


_STAYS = 'read it where the server starts, or let the command do it: `--{} "${}"`'

CHECKS = (
    Check(
        id="starts",
        title="a container starts",
        fix="see its last lines above; what it needs comes from `.env`, or by `--env-file`",
        look=_starts,
        scene="usual",
    ),
    Check(
        id="process-one",
        title="process 1 is the server",
        fix="write CMD as a list, or begin with `exec`: only process 1 gets SIGTERM",
        look=_first_process,
        scene="usual",
    ),
    Check(
        id="run-as",
        title="no process is root's",
        fix="end the Dockerfile with `USER 10001:10001`",
        look=_run_as,
        scene="usual",
    ),
    Check(
        id="listens-everywhere",
        title="listens on every address",
        fix="let it listen on 0.0.0.0: probes and Services come from outside the container",
        look=_listens,
        scene="usual",
    ),
    Check(
        id="health",
        title="answers of its health",
        fix='add `GET /health` with 200 and `{"status": "healthy"}`',
        look=_plain,
        scene="usual",
    ),
    Check(
        id="health-live",
        title="answers whether it lives",
        fix="let it answer 200 as long as the process runs, without asking the database",
        look=_live,
        scene="usual",
    ),
    Check(
        id="health-ready",
        title="answers whether it is ready",
        fix="let it answer 200 once the database does",
        look=_ready,
        scene="usual",
    ),
    Check(
        id="healthcheck-healthy",
        title="HEALTHCHECK reaches healthy",
        fix="use what the image has, such as Python's urllib, and 127.0.0.1 with the right port",
        look=_becomes_healthy,
        scene="usual",
    ),
    Check(
        id="log-clean",
        title="logs no error",
        fix="see the lines above",
        look=_log,
        scene="usual",
    ),
    Check(
        id="stops",
        title="stops in time, with 0",
        fix="let process 1 end on SIGTERM: CMD as a list, or `exec`; exit with 0",
        look=_stops,
        scene="usual",
    ),
    Check(
        id="port-honoured",
        title="PORT is honoured",
        fix=_STAYS.format("port", "PORT"),
        look=_port,
        scene="told",
    ),
    Check(
        id="host-honoured",
        title="HOST is honoured",
        fix=_STAYS.format("host", "HOST"),
        look=_host,
        scene="told",
    ),
    Check(
        id="workers-honoured",
        title="WORKERS is honoured",
        fix=_STAYS.format("workers", "WORKERS"),
        look=_workers,
        scene="told",
    ),
    Check(
        id="sqlite-written",
        title="writes its SQLite file",
        fix="",
        look=_database,
        scene="usual",
    ),
    Check(
        id="sqlite-kept",
        title="a volume keeps it",
        fix="make the folder in the image, owned by the user: a new volume takes its owner over",
        look=_keeps,
        scene="kept",
    ),
    Check(
        id="database-away-live",
        title="lives without its database",
        fix="ask no database for liveness: it would restart every pod while that is away",
        look=_away_live,
        scene="away",
    ),
    Check(
        id="database-away-ready",
        title="is not ready without it",
        fix="answer 503 while the database is away, within the probe's timeout",
        look=_away_ready,
        scene="away",
    ),
    Check(
        id="read-only-root",
        title="runs with a read-only root",
        fix="write to a volume or to /tmp only, and need no capability",
        look=_locked,
        scene="locked",
    ),
    Check(id="memory", title="memory once it answers", fix="", look=_memory, scene="usual"),
)
"""In the order of the report."""
