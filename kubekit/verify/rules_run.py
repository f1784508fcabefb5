"""Checks of a container as the image has it: it answers, logs and stops. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus

from kubekit.text.scripts import shell_script
from kubekit.verify.model import (
    Answer,
    Check,
    Outcome,
    Subject,
    Usual,
    failed,
    passed,
    skipped,
    told,
)
from kubekit.verify.routes import first, none_of, says_well
from kubekit.verify.units import bytes_said

_ERROR = re.compile(
    r"Traceback \(most recent call last\)|\b(ERROR|CRITICAL)\b|\"level\": ?\"error\""
)
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - read, not bound to
_KILLED = 137
_LONGEST = 160


def usual_of(subject: Subject) -> Usual:
    """What was seen of it."""
    assert subject.seen.usual is not None
    return subject.seen.usual


def _starts(subject: Subject) -> Outcome:
    usual = usual_of(subject)
    if not usual.start.up:
        return failed(usual.start.text, *usual.start.log)
    return passed(f"it answers on port {usual.port} after {usual.start.seconds:.1f} s")


def _memory(subject: Subject) -> Outcome:
    memory = usual_of(subject).memory
    return skipped("the daemon does not say") if memory is None else told(bytes_said(memory))


def _first_process(subject: Subject) -> Outcome:
    one = next((each for each in usual_of(subject).processes if each.pid == 1), None)
    if one is None or not one.command:
        return skipped("process 1 cannot be seen")
    text = f"`{short(' '.join(one.command))}`"
    if shell_script(one.command) is not None:
        return failed(f"it is a shell: {text}")
    return passed(text)


def _run_as(subject: Subject) -> Outcome:
    users = sorted({each.user for each in usual_of(subject).processes})
    if not users:
        return skipped("no process can be seen")
    text = f"user {', '.join(map(str, users))}"
    return failed(text) if 0 in users else passed(text)


def _listens(subject: Subject) -> Outcome:
    usual = usual_of(subject)
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
    found = first("ready", subject.known, usual_of(subject).answers)
    away = found is not None and found[1].status == HTTPStatus.SERVICE_UNAVAILABLE
    if away and subject.known.network == "none" and _has_remote_database(subject):
        return skipped("its database is not to be reached from here: see `--network`")
    return _healthy(subject, "ready", body=False)


def _healthy(subject: Subject, kind: str, *, body: bool) -> Outcome:
    found = first(kind, subject.known, usual_of(subject).answers)
    if found is None:
        text = none_of(kind, subject.known)
        # Whoever names another route of its health needs none that stands for all.
        wanted = kind in subject.known.paths or (kind == "plain" and not subject.known.paths)
        return failed(text) if wanted else skipped(text)
    path, answer = found
    text = f"{path} answers {answer.status} {short(answer.body)}".strip()
    well = answer.status == HTTPStatus.OK and (not body or _is_of_health(subject, kind, answer))
    return passed(text) if well else failed(text)


def _is_of_health(subject: Subject, kind: str, answer: Answer) -> bool:
    """Whether a 200 is the health's own: one of a path that was guessed may be a catch-all's."""
    said = says_well(answer.body)
    return kind in subject.known.paths if said is None else said


def _has_remote_database(subject: Subject) -> bool:
    url = subject.known.env.get("DATABASE_URL", "")
    return bool(url) and not url.startswith("sqlite")


def _becomes_healthy(subject: Subject) -> Outcome:
    usual = usual_of(subject)
    if not usual.health or usual.health == "none":
        return skipped("it has no HEALTHCHECK")
    if usual.health == "healthy":
        return passed("its HEALTHCHECK says healthy")
    said = usual.health_log.splitlines()[-3:]
    return failed(f"its HEALTHCHECK says {usual.health}", *said)


def _log(subject: Subject) -> Outcome:
    found = [line for line in usual_of(subject).log if _ERROR.search(line)]
    if found:
        return failed(f"{len(found)} lines tell of errors", *map(short, found[:5]))
    return passed(f"{len(usual_of(subject).log)} lines, none of an error")


def _stops(subject: Subject) -> Outcome:
    stopped = usual_of(subject).stopped
    if stopped is None:
        return skipped("it was not stopped")
    seconds, code = stopped
    text = f"{seconds:.1f} s after SIGTERM, with exit code {code}"
    if code == _KILLED:
        return failed(f"killed after {subject.known.grace} s: SIGTERM did not end it")
    return passed(text) if code == 0 else failed(text)


def short(text: str) -> str:
    """A text in one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


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
        fix='let `GET /health`, or a route of your own, answer 200 and `{"status": "healthy"}`',
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
    Check(id="memory", title="memory once it answers", fix="", look=_memory, scene="usual"),
)
"""In the order of the report."""
