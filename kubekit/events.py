"""What a run tells while it works; `-o json` prints each event as one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol


class Emit(Protocol):
    """Where stages send their events."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened; `-o json` prints each as one line, with `type` and its fields."""

    type: ClassVar[str] = "event"


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """A stage of the run begins; `text` says what it is about to do."""

    type: ClassVar[str] = "stage-started"
    stage: str
    text: str


@dataclass(frozen=True, kw_only=True)
class StageDone(Event):
    """A stage ended well; `changed` is False when there was nothing to do."""

    type: ClassVar[str] = "stage-done"
    stage: str
    text: str
    seconds: float
    changed: bool = True


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """What a stage is waiting for at this moment; a newer one replaces it."""

    type: ClassVar[str] = "progress"
    stage: str
    text: str


@dataclass(frozen=True, kw_only=True)
class BuildStep(Event):
    """One step of the image build; `state` is started, done, cached or failed."""

    type: ClassVar[str] = "build-step"
    step: str
    state: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BuildLog(Event):
    """A line that a step of the build printed."""

    type: ClassVar[str] = "build-log"
    step: str
    line: str


@dataclass(frozen=True, kw_only=True)
class ContextSent(Event):
    """All that the daemon lacked of the build context was sent; `size` is in bytes."""

    type: ClassVar[str] = "context-sent"
    text: str
    files: int
    size: int


@dataclass(frozen=True, kw_only=True)
class ObjectChanged(Event):
    """One object was created, configured, left unchanged, pruned or deleted (or would be).

    Attributes:
        detail: why, where that is not the manifest alone.
        changes: each field that differs, ``spec.replicas: 1 -> 2``; of a Secret without values.
    """

    type: ClassVar[str] = "object"
    ref: str
    action: str
    detail: str = ""
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something to know that does not end the run.

    Attributes:
        details: all that is meant, where the text names only some.
    """

    type: ClassVar[str] = "warning"
    text: str
    hints: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FilesChanged(Event):
    """Files were saved, and what `dev` does about it: ``sync``, ``rebuild``, ``apply`` or nothing.

    Attributes:
        text: which and why, in words.
        files: paths from the project's folder.
    """

    type: ClassVar[str] = "files-changed"
    action: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Synced(Event):
    """What was saved is in the pods, and the app answers with it.

    Attributes:
        text: what was done, for people.
        seconds: from the first change seen to the answer.
        files: how many were written or deleted, in all pods together.
        size: bytes sent.
        mode: how the app took it: ``warm``, ``cold``, ``restart``, ``own`` (by its server) or
            ``none`` (nothing of it was Python, or nothing had to).
    """

    type: ClassVar[str] = "synced"
    text: str
    seconds: float
    files: int
    size: int
    mode: str


@dataclass(frozen=True, kw_only=True)
class Listening(Event):
    """A port of this machine leads to the app, for as long as the run lasts."""

    type: ClassVar[str] = "listening"
    url: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Debugging(Event):
    """A port of this machine leads a debugger to the app, for as long as the run lasts.

    Attributes:
        port: on the loopback.
        launch: the entry of VS Code's ``launch.json`` that attaches to it.
        text: what a person is to do.
    """

    type: ClassVar[str] = "debugging"
    port: int
    launch: dict[str, Any]
    text: str


@dataclass(frozen=True, kw_only=True)
class Watching(Event):
    """`dev` waits for the next save; `well` is False while the app does not run with the last one.

    Attributes:
        text: how it stands, in words.
        url: where the app answers, None where no port is forwarded.
        waits: a pod starts by itself: it is not well, but there is nothing to correct.
    """

    type: ClassVar[str] = "watching"
    text: str
    well: bool
    url: str | None = None
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class Following(Event):
    """Whose logs are shown from now on.

    Attributes:
        pods: pod -> its containers, without those that only prepare for them.
        probes: the paths that the kubelet asks for, as far as `dev` knows them.
    """

    type: ClassVar[str] = "following"
    pods: dict[str, tuple[str, ...]]
    probes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogLine(Event):
    """A line that a container logged.

    Attributes:
        at: when, as the container runtime noted it: RFC 3339 with nanoseconds.
        line: without its end; secret values masked.
    """

    type: ClassVar[str] = "log"
    pod: str
    container: str
    at: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Diagnosed(Event):
    """What is to be said of one workload or Service; the text view prints it on stdout.

    Attributes:
        title: what it is called among the others that are told of.
        state: ``ready``, ``waiting`` or ``failed``, and `wrong` whether it is not well.
        text: the cause, or how it is.
        id: of the cause, as in the catalogue; None where there is none.
        fix: what to do.
        where: the object that shows it.
        place: where the fix belongs: a file and line, or the object and its field.
        details: the evidence.
        seconds: for how long it has not been ready.
    """

    type: ClassVar[str] = "diagnosis"
    namespace: str
    ref: str
    title: str
    state: str
    wrong: bool
    text: str
    id: str | None = None
    fix: str | None = None
    where: str | None = None
    place: str | None = None
    details: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Checked(Event):
    """What one check of `doctor` has found; the text view prints it on stdout.

    Attributes:
        id: of the check.
        title: what was looked at.
        state: ``ok``, ``warning``, ``failure`` or ``skipped``.
        text: what was found, or why nobody has looked.
        cause: the id of what is wrong, as in the errors of other commands; None where nothing is.
        exit_code: what a command that meets this ends with; 0 unless it is a failure.
        seconds: how long looking took.
    """

    type: ClassVar[str] = "check"
    id: str
    title: str
    state: str
    text: str
    cause: str | None = None
    exit_code: int = 0
    hints: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    place: str | None = None
    seconds: float = 0.0

    @property
    def wrong(self) -> bool:
        """Whether there is something to do about it."""
        return self.state in ("warning", "failure")


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """What `init` found in the files, and where; or what it assumed, and why."""

    type: ClassVar[str] = "note"
    found: bool
    text: str
    where: str


@dataclass(frozen=True, kw_only=True)
class FileWritten(Event):
    """A file that `init` wrote, or did not: created, updated, overwritten, unchanged or kept.

    Attributes:
        path: from the current folder.
        diff: what was overwritten, as lines of a unified diff.
    """

    type: ClassVar[str] = "file"
    path: str
    action: str
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Found(Event):
    """What `lint` has found; the text view prints it on stdout.

    Attributes:
        id: of the rule, `also` what it is called in other tools.
        severity: ``error`` or ``warning``.
        place: `file` and `line`, as they are shown.
        fixable: whether ``--fix`` corrects it.
    """

    type: ClassVar[str] = "finding"
    wrong: ClassVar[bool] = True
    id: str
    also: tuple[str, ...]
    severity: str
    text: str
    hints: tuple[str, ...]
    place: str
    file: str
    line: int | None
    fixable: bool


@dataclass(frozen=True, kw_only=True)
class Output(Event):
    """What the command was asked for; the text view prints `text` on stdout, and only it."""

    type: ClassVar[str] = "output"
    text: str
    data: Any = None


@dataclass(frozen=True, kw_only=True)
class Ended(Event):
    """The last event of a run that ended well.

    Attributes:
        empty: whether there was nothing to do, which is no success to speak of.
        waits: whether something is not ready yet.
    """

    type: ClassVar[str] = "ended"
    text: str
    seconds: float
    hints: tuple[str, ...] = ()
    empty: bool = False
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class Reported(Event):
    """Something failed in a run that goes on, as a build in `dev`: the fields of `Failed`."""

    type: ClassVar[str] = "report"
    id: str
    exit_code: int
    message: str
    hints: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    place: str | None = None


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The last event of a run that did not."""

    type: ClassVar[str] = "failed"
    id: str
    exit_code: int
    message: str
    hints: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    place: str | None = None
