"""What is known of an image, what was seen of its containers, and what the checks make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kubekit.verify.tree import Tree

Status = Literal["passed", "failed", "skipped", "told"]
"""`told` is information: there is no right or wrong about it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check found; `details` is the evidence, each a line."""

    status: Status
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One check of a report.

    Attributes:
        id: stable, for machines and for `--only` and `--skip`.
        title: what was looked at.
        text: what was found, or why it was skipped.
        fix: what to do; empty unless it failed.
    """

    id: str
    title: str
    status: Status
    text: str
    fix: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came out.

    Attributes:
        image: as it was asked for.
        id: ``sha256:...``.
        size: bytes of all its layers together.
        start_seconds: from the start of the container to its first answer; None if none came.
        memory: bytes in use once it answered; None where that is not known.
        sbom: CycloneDX 1.6.
    """

    image: str
    id: str
    size: int
    checks: tuple[Checked, ...]
    start_seconds: float | None
    memory: int | None
    sbom: Mapping[str, Any] = field(repr=False)

    @property
    def failed(self) -> tuple[Checked, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    def __getitem__(self, id_: str) -> Checked:
        """The check of this id.

        Raises:
            KeyError: it was not asked for.
        """
        for check in self.checks:
            if check.id == id_:
                return check
        raise KeyError(id_)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the project's files say; all of it may be empty, for an image alone.

    Attributes:
        env: variables the containers get, as from `.env`; kept out of `repr`.
        claims: names of variables that the project says it reads.
        development: packages that must not be in the image, by their names on PyPI.
        paths: routes that answer of the app's health, by ``plain``, ``live`` and ``ready``.
        framework: of the app; None where only the image can tell.
        max_size: bytes the image may have; None without a budget.
        grace: seconds a container has to stop.
        patience: seconds a container has to answer.
        network: of the containers; ``none`` reaches nothing, and nothing reaches them.
    """

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    claims: frozenset[str] = frozenset()
    development: frozenset[str] = frozenset()
    paths: Mapping[str, str] = field(default_factory=dict)
    framework: str | None = None
    max_size: int | None = None
    grace: int = 10
    patience: float = 60.0
    network: str = "none"


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image as its daemon tells of it, and the files of its layers.

    Attributes:
        config: as Docker and the OCI write it.
        history: the steps it was made by, the last first.
        architecture: such as ``amd64``.
        size: bytes of all layers together, and how that number came about.
    """

    reference: str
    id: str
    config: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    architecture: str
    size: int
    size_from: str
    tree: Tree

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        pairs = (str(item).partition("=") for item in self.config.get("Env") or ())
        return {name: value for name, _, value in pairs}

    @property
    def command(self) -> tuple[str, ...]:
        """What a container runs: entry point and command."""
        return (*(self.config.get("Entrypoint") or ()), *(self.config.get("Cmd") or ()))

    @property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports it exposes."""
        exposed = self.config.get("ExposedPorts") or {}
        return tuple(int(one.partition("/")[0]) for one in exposed if not one.endswith("/udp"))

    @property
    def workdir(self) -> str:
        """Where its command starts, without slashes around it."""
        return str(self.config.get("WorkingDir") or "").strip("/")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a route answered; status 0 where nobody did."""

    status: int
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a container started.

    Attributes:
        up: whether it answered.
        text: what happened instead, if it did not.
        seconds: until it answered.
        log: its last lines.
    """

    up: bool
    text: str = ""
    seconds: float = 0.0
    log: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process in a container."""

    pid: int
    parent: int
    command: tuple[str, ...]
    user: int


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What was seen of a container as the image has it.

    Attributes:
        answers: route -> what it answered.
        listening: addresses and ports.
        health: ``healthy``, ``unhealthy``, ``starting``, or empty without a HEALTHCHECK.
        health_log: what the last run of it said.
        databases: SQLite files that were written.
        stopped: seconds until it had stopped, and its exit code.
    """

    start: Start
    port: int
    answers: Mapping[str, Answer] = field(default_factory=dict)
    listening: tuple[tuple[str, int], ...] = ()
    processes: tuple[Process, ...] = ()
    health: str = ""
    health_log: str = ""
    memory: int | None = None
    databases: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    stopped: tuple[float, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was seen of a container that PORT, HOST and WORKERS were given to."""

    start: Start
    port: int
    host: str
    workers: int
    listening: tuple[tuple[str, int], ...] = ()
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was seen of a database in a volume, over two containers."""

    folder: str
    kept: bool
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What was seen of one more container: how it started, and its answers by route."""

    start: Start
    answers: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that was seen of containers; None where there was none, and `why` not.

    Attributes:
        away: without its database.
        locked: with a root that is read-only and no capabilities.
    """

    why: str = ""
    usual: Usual | None = None
    told: Told | None = None
    kept: Kept | None = None
    away: Reached | None = None
    locked: Reached | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """All that a check may look at."""

    image: Image
    known: Known
    seen: Seen
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One requirement.

    Attributes:
        fix: what to do when it fails.
        look: finds out.
        scene: which container it needs: a field of `Seen`; None for the image alone.
    """

    id: str
    title: str
    fix: str
    look: Callable[[Subject], Outcome]
    scene: str | None = None


def passed(text: str, *details: str) -> Outcome:
    """As it should be."""
    return Outcome(status="passed", text=text, details=details)


def failed(text: str, *details: str) -> Outcome:
    """Not as it should be."""
    return Outcome(status="failed", text=text, details=details)


def skipped(text: str) -> Outcome:
    """It does not apply, and why."""
    return Outcome(status="skipped", text=text)


def told(text: str, *details: str) -> Outcome:
    """To know."""
    return Outcome(status="told", text=text, details=details)
