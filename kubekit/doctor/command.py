"""`kubekit doctor` as a whole: every check is made and told, and the worst decides its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kubekit.config.levels import Given
from kubekit.doctor.examine import examine
from kubekit.doctor.known import Known
from kubekit.doctor.roster import CHECKS
from kubekit.errors import CancelledError, KubekitError
from kubekit.events import Checked, Ended, Progress
from kubekit.session import Run


def doctor(run: Run, *, flags: Mapping[str, object], environ: Mapping[str, str], cwd: Path) -> None:
    """Look at this machine, the project and the cluster, and say what is wrong. Changes nothing.

    Args:
        run: of this command.
        flags: what was given, by the name of the setting; None is not given.
        environ: an empty variable counts as not set.
        cwd: where the project is looked for; absolute.

    Raises:
        KubekitError: something is, with the exit code of the worst of it.
        CancelledError: the person interrupted.
    """
    start = run.clock.now()
    run.emit(Progress(stage="doctor", text="looking at this machine, the project and the cluster"))
    known = Known(run=run, given=Given(flags, environ, cwd))
    found = []
    for event in examine(CHECKS, known):
        if run.cancel.is_set():  # what asks no program does not notice
            raise CancelledError("interrupted")
        run.emit(event)
        found.append(event)
    if (failed := worst(found)) is not None:
        raise failed
    run.emit(Ended(text=told(found), seconds=run.clock.now() - start))


def worst(found: Sequence[Checked]) -> KubekitError | None:
    """The failure that the command ends with, None if there is none.

    Exit codes grow with how far away from the project's own files something is wrong: what is
    missing on this machine comes before a cluster that is silent, and that before a setting.
    """
    failures = [one for one in found if one.state == "failure"]
    if not failures:
        return None
    first = max(failures, key=lambda one: one.exit_code)
    count = f"{len(failures)} of {len(found)} checks failed"
    error = KubekitError(f"{count}, the worst of them `{first.title}`", id=first.cause)
    error.exit_code = first.exit_code
    return error


def told(found: Sequence[Checked]) -> str:
    """How it ends where nothing failed."""
    warnings = sum(one.state == "warning" for one in found)
    looked = sum(one.state != "skipped" for one in found)
    if not warnings:
        return f"nothing is wrong in {looked} checks"
    many = "1 warning" if warnings == 1 else f"{warnings} warnings"
    return f"{many} in {looked} checks"
