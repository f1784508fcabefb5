"""Finders about containers that exit, again and again."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from kubekit.rollout.finders.clues import Clue, Words
from kubekit.rollout.finders.hits import Hit, brief, container_hit
from kubekit.rollout.finders.logs import ending, last_line
from kubekit.rollout.reading import Container, condition, epoch, exit_words, is_about
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import log_of

_QUICK_SECONDS = 10.0
_NOISE = re.compile(r"0x[0-9a-f]+|\d+")
SIGNALS = range(129, 160)
"""Exit codes of programs that a signal ended: what their logs say is not why."""
NO_EXIT = ("ContainerCannotRun", "StartError", "ContainerStatusUnknown")
"""Reasons of ends that are none: the first two never ran; of the last nothing is known."""
_OUT_OF_TRIES = ("BackoffLimitExceeded", "PodFailurePolicy", "FailedIndexes", "MaxFailedIndexes")


@dataclass(frozen=True, kw_only=True)
class Crashed:
    """Finds containers that exited: which exits count as a cause, and how many of them decide.

    Attributes:
        restarts: how many restarts must have happened; 0 decides with the first exit.
        code: exit codes that count; all but 0 when empty.
        reason: the runtime's reason for the end, such as OOMKilled.
        clue: what the end of the last attempt's log must tell; its words fill the texts.
        unless: a clue that makes it another cause.
        quick: two quick exits with the same last line decide at once.
        twice: two exits in a row for this `reason` decide, whatever was logged.
        init: only init containers, or none of them; None: both.
        field: which field of the container is to be looked at.
    """

    restarts: int
    code: Collection[int] = ()
    reason: str = ""
    clue: Clue | None = None
    unless: Clue | None = None
    quick: bool = True
    twice: bool = False
    init: bool | None = None
    field: str = "command"

    def __call__(self, snapshot: Snapshot, now: float) -> Iterator[Hit]:
        """A hit for each container whose last exit is one of these."""
        for container in snapshot.containers:
            if container.ready or not self.counts(container) or _was_killed(snapshot, container):
                continue
            told = _told(snapshot, container, self)
            if told is not None:
                yield _hit(snapshot, container, now, self, told)

    def counts(self, container: Container) -> bool:
        """Whether the last exit of the container is one of these, as far as its status shows."""
        end = container.exited
        if end is None or (end.get("reason") or "") in NO_EXIT:
            return False
        number = end.get("exitCode")
        of_its_code = number in self.code if self.code else number != 0
        if number == 0 and _may_end_well(container):
            return False
        if self.clue and number in SIGNALS:
            return False
        before_the_app = container.init and not container.sidecar
        of_its_kind = self.init is None or self.init == before_the_app
        return bool(of_its_code and of_its_kind) and self.reason in (end.get("reason") or "")


def newest_end(snapshot: Snapshot) -> Container | None:
    """The container that failed last; of several in one second the first by name."""
    ended = [
        container
        for container in snapshot.containers
        if container.exited and container.exited.get("exitCode") != 0
    ]
    order = {id(one): (-epoch((one.exited or {}).get("finishedAt")), one.pod_name) for one in ended}
    return min(ended, key=lambda one: order[id(one)], default=None)


def last_words(log: str | None) -> str:
    """What a log says of the end, also where there is none."""
    if log is None:
        return "its log could not be read"
    return brief(last_line(log)) or "it wrote no log"


def is_being_tried_anew(snapshot: Snapshot, container: Container, failed: float) -> bool:
    """Whether it runs, and what it failed with at that time was before this very apply.

    What was missing then may be there by now.
    """
    # The times of the API are in whole seconds, cut off.
    return container.running is not None and failed + 1 < snapshot.target.since


def _told(snapshot: Snapshot, container: Container, exits: Crashed) -> Words | None:
    """The words of its log; None where it is no evidence; empty before the log was read."""
    name = log_of(container)
    if name not in snapshot.facts:
        return {}
    text = ending(snapshot.log(name))
    if exits.unless and exits.unless(container, text) is not None:
        return None
    return exits.clue(container, text) if exits.clue else {}


def _hit(snapshot: Snapshot, container: Container, now: float, exits: Crashed, told: Words) -> Hit:
    end = container.exited or {}
    last = log_of(container)
    words = {
        "exit": exit_words(end.get("exitCode")),
        "restarts": container.restarts,
        "last": last_words(snapshot.facts.get(last)),
        "advice": _advice(container, snapshot.log(last)),
        **_memory(container),
        **told,
    }
    ended = epoch(end.get("finishedAt"))
    anew = is_being_tried_anew(snapshot, container, ended)
    decides = not anew and _enough(snapshot, container, exits)
    hit = container_hit(snapshot, container, now, words=words, field=exits.field)
    since = ended if decides else float("inf")
    return replace(hit, since=since, log=last, wants=frozenset({last}))


def _enough(snapshot: Snapshot, container: Container, exits: Crashed) -> bool:
    """Whether it exited often enough. A try that goes on may be the one that succeeds.

    Who asks for more patience expects that what is missing comes late: then two exits alike prove
    nothing.
    """
    if exits.restarts == 0:
        return True
    if snapshot.target.kind == "Job":
        return _is_out_of_tries(snapshot) and newest_end(snapshot) == container
    if container.pod["spec"].get("restartPolicy") == "Never":
        return True
    if container.attempt >= math.ceil(exits.restarts * snapshot.patience):
        return True
    if container.running is not None or snapshot.patience > 1:
        return False
    for_that = exits.twice and _ended_twice(container, exits.reason)
    return for_that or (exits.quick and _alike_twice(snapshot, container))


def _is_out_of_tries(snapshot: Snapshot) -> bool:
    """Whether a Job has failed for its pods: how often they may is its own patience."""
    state = condition(snapshot.workload, "Failed")
    return state.get("status") == "True" and str(state.get("reason")) in _OUT_OF_TRIES


def _may_end_well(container: Container) -> bool:
    """Whether exit code 0 is what is expected of it."""
    if container.init:
        return not container.sidecar
    return str(container.pod["spec"].get("restartPolicy", "Always")) != "Always"


def _ended_twice(container: Container, reason: str) -> bool:
    """Whether its last two attempts ended for this reason; in the back-off, only one is shown."""
    states = (container.status.get("state") or {}, container.status.get("lastState") or {})
    return all((state.get("terminated") or {}).get("reason") == reason for state in states)


def _alike_twice(snapshot: Snapshot, container: Container) -> bool:
    if container.attempt < 1:
        return False
    attempts = (container.attempt - 1, container.attempt)
    logs = [snapshot.facts.get(log_of(container, number)) for number in attempts]
    said = {_NOISE.sub("#", last_line(log)) for log in logs if log is not None}
    end = container.exited or {}
    lasted = epoch(end.get("finishedAt")) - epoch(end.get("startedAt"))
    return bool(None not in logs and len(said) == 1 and lasted < _QUICK_SECONDS)


def _was_killed(snapshot: Snapshot, container: Container) -> bool:
    """Whether its own node ended it: for a probe or a hook, or with the whole pod."""
    status = container.pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        return True
    for event in snapshot.events_of(container.pod_uid, "Killing"):
        said = event.get("message") or ""
        hook = "FailedPostStartHook" in said and is_about(event, container)
        if hook or f"Container {container.name} failed" in said:
            return True
    return False


def _advice(container: Container, log: str) -> str:
    """What to do with a crash; without a log, its command tells more in a shell of its image."""
    if last_line(log):
        return "correct what its log shows"
    image = container.spec.get("image")
    return f"run its command by hand: `kubectl run try --rm -it --image {image} --command -- sh`"


def _memory(container: Container) -> dict[str, object]:
    """What a container that was killed for its memory could have had, and how to give it more."""
    limit = ((container.spec.get("resources") or {}).get("limits") or {}).get("memory")
    if limit is None:
        return {"allowed": "the node has left", "more": "give Minikube more memory"}
    return {"allowed": f"its limit of {limit}", "more": "raise `resources.limits.memory`"}
