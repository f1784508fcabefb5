"""Checks of containers run otherwise: told a port, without the database, locked. Pure."""

from __future__ import annotations

from kubekit.verify.model import (
    Check,
    Outcome,
    Process,
    Start,
    Subject,
    Told,
    failed,
    passed,
    skipped,
)
from kubekit.verify.routes import first, none_of
from kubekit.verify.rules_run import short, usual_of

_STAYS = 'read it where the server starts, or let the command do it: `--{} "${}"`'


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
    found = usual_of(subject).databases
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
    if first(kind, subject.known, usual_of(subject).answers) is None:
        return skipped(none_of(kind, subject.known))
    found = first(kind, subject.known, away.answers)
    if found is not None and found[1].status in right:
        return passed(f"{found[0]} answers {found[1].status} {short(found[1].body)}".strip())
    claimed = name in subject.known.claims or name in subject.image.environment
    if not claimed:
        return skipped(f"nothing says that it reads {name}")
    if found is None:
        return failed(
            f"without its database {away.start.text or 'it does not answer'}", *away.start.log
        )
    return failed(f"{found[0]} answers {found[1].status} {short(found[1].body)}".strip())


def _locked(subject: Subject) -> Outcome:
    locked = subject.seen.locked
    assert locked is not None
    if not locked.start.up:
        return failed(locked.start.text, *locked.start.log)
    before = usual_of(subject).answers
    worse = [
        f"{path} answers {answer.status}"
        for path, answer in locked.answers.items()
        if answer.status != before.get(path, answer).status
    ]
    if worse:
        return failed(", ".join(worse))
    return passed("it answers as usual")


CHECKS = (
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
)
"""In the order of the report."""
