"""What became of a sync, in words: the outcomes of its containers made into events."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from kubekit import blame
from kubekit.dev.podsync import SyncOutcome
from kubekit.errors import KubekitError, Place
from kubekit.events import Reported, Synced, Warned
from kubekit.model import SyncRule
from kubekit.rollout.evidence import around_log
from kubekit.rollout.verdict import CRASHES

_MISSING = re.compile(r"ModuleNotFoundError: No module named '(?P<name>[^'.]+)")
_MODES = {
    "warm": "warm reload",
    "cold": "reload",
    "restart": "restarted",
    "none": "",
}

_STAYS = {
    True: "the app stays on the old code",
    False: "the app does not run",
    None: "whether the old code still runs is not known",
}


def synced(outcomes: Sequence[SyncOutcome], seconds: float, *, saved: bool = False) -> Synced:
    """What was done in all containers together.

    Args:
        outcomes: of each container.
        seconds: from the save to the last answer.
        saved: it was a save, and not that they were compared.
    """
    files = sum(one.files for one in outcomes)
    mode = next((one.mode for one in outcomes if one.mode != "none"), "none")
    changed = max((one.files for one in outcomes), default=0)
    where = f"{len(outcomes)} pods" if len(outcomes) > 1 else "1 pod"
    what = f"{changed} file{'' if changed == 1 else 's'} to {where}"
    how = f"{_MODES[mode]}, " if _MODES.get(mode) else ""
    size = sum(one.size for one in outcomes)
    text = f"live in {seconds:.2f} s{f' ({how}{what})' if changed else ''}"
    if mode == "own":
        # When it has done so cannot be seen from outside.
        text = f"given to the app's server in {seconds:.2f} s, which reloads by itself ({what})"
    elif not changed and mode == "none":
        has = "have" if len(outcomes) > 1 else "has"
        # As with an image that was built of the save: nothing was left to sync.
        text = f"live: {where} {has} all files already"
        if saved:
            text = f"live in {seconds:.2f} s ({where} {has} the new files)"
    return Synced(text=text, seconds=seconds, files=files, size=size, mode=mode)


def remains(outcomes: Iterable[SyncOutcome]) -> str:
    """What runs where what was synced does not, told of the worst of the containers."""
    refused = [one for one in outcomes if not one.well]
    if any(one.ready is False and one.failed is None for one in refused):
        return "the app does not answer"
    kept = [one.kept for one in refused]
    return _STAYS[False if False in kept else None if None in kept else True]


def failures(
    outcomes: Iterable[SyncOutcome],
    rules: Sequence[SyncRule],
    saved: Sequence[str],
    gone: Collection[str] = (),
) -> Iterator[Reported]:
    """What went wrong, once for all containers it went wrong in.

    Args:
        outcomes: of each container.
        rules: where the folders of this machine lie in the containers.
        saved: the files that were changed, from the project's folder.
        gone: those of them that are there no more.
    """
    change = _changes(saved, gone)
    told: set[str] = set()
    for outcome in outcomes:
        for report in _failures(outcome, rules, change):
            if report.message not in told:
                told.add(report.message)
                yield report


def _failures(outcome: SyncOutcome, rules: Sequence[SyncRule], change: str) -> Iterator[Reported]:
    for fault in outcome.faults:
        yield Reported(
            id="syntax-error",
            exit_code=3,
            message=fault.message,
            details=(fault.text,) if fault.text else (),
            hints=(f"{_STAYS[outcome.kept]}: correct it, and save",),
            place=str(fault.place),
        )
    if outcome.failed is not None:
        stays = _STAYS[outcome.kept]
        yield Reported(
            id="reload-failed",
            exit_code=6,
            message=f"{change}: {_last(outcome.failed)}",
            details=tuple(_own(outcome.failed, rules)),
            hints=(f"{stays}: correct it, and save", *_missing(outcome.failed, rules)),
            place=str(_place(outcome.failed, rules) or "") or None,
        )
    elif outcome.ready is False:
        yield Reported(
            id="not-answering",
            exit_code=6,
            message=f"{change}: the app's readiness probe does not pass: {outcome.met}",
            hints=("see its log above; the next save is tried all the same",),
        )


def waiting(line: str, rules: Sequence[SyncRule]) -> Warned:
    """What to say of new code that takes long to start.

    Args:
        line: that it is in, as in a traceback; "" if that is not known.
        rules: where the folders of this machine lie in the containers.
    """
    place = _place(line, rules)
    where = f": it is in {place}" if place else ""
    return Warned(text=f"the new code has not started yet after 3 s{where}")


def raised(text: str, rules: Sequence[SyncRule]) -> str | None:
    """An exception in the log with its line, from its traceback; None if it is not the app's.

    Args:
        text: its traceback.
        rules: where the folders of this machine lie in the containers.
    """
    place = _place(text, rules)
    return f"{place}: {_last(text)}" if place else None


def after(what: str, saved: Sequence[str], seconds: float) -> Warned:
    """What to say of an exception in the log that is seen first after a save.

    Args:
        what: it is.
        saved: the files that were changed last.
        seconds: since then.
    """
    return Warned(text=f"{what}, {seconds:.0f} s after {_changes(saved)}")


def crashed(error: KubekitError, rules: Sequence[SyncRule]) -> KubekitError:
    """How a release failed: of a program of the project that crashes, only its own lines.

    Args:
        error: of the release.
        rules: where the folders of this machine lie in the containers.
    """
    if error.id not in CRASHES:
        return error
    before, log, behind = around_log(error.details)
    text = "\n".join(log)
    if _place(text, rules) is None:
        return error
    own = [f"  {line}" for line in _own(text, rules)]
    return type(error)(
        error.message,
        hints=error.hints,
        details=(*before, *own, *_telling(behind)),
        place=error.place,
        id=error.id,
    )


def _telling(warnings: Sequence[str]) -> Sequence[str]:
    """Without the back-off, which only says again that it crashes."""
    kept = [line for line in warnings if not line.startswith("  BackOff:")]
    return kept if len(kept) > 1 else ()


def _changes(saved: Sequence[str], gone: Collection[str] = ()) -> str:
    if not saved:
        return "the files were brought anew"
    more = f" and {len(saved) - 1} more" if len(saved) > 1 else ""
    verb = "changed"
    if set(saved) <= set(gone):
        verb = "are gone" if more else "is gone"
    return f"`{saved[0]}`{more} {verb}"


def _missing(traceback: str, rules: Sequence[SyncRule]) -> Iterator[str]:
    """What to do about a package that is missing, and is none of the project's own."""
    found = _MISSING.match(_last(traceback))
    if found is None:
        return
    name = found["name"]
    sources = [Path(rule.src) for rule in rules]
    own = (
        one.name == name or (one / name).exists() or (one / f"{name}.py").exists()
        for one in sources
    )
    if not any(own):
        yield f"or add `{name}` to the requirements and save: the image is built anew"


def _last(traceback: str) -> str:
    """The exception itself."""
    lines = [line for line in traceback.splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith((" ", "Traceback"))]
    return (errors or lines or ["the new code did not start"])[-1].strip()


def _own(traceback: str, rules: Sequence[SyncRule]) -> Iterator[str]:
    """The frames of the project's own files; all of a text that has none. The log has it whole."""
    lines = traceback.strip().splitlines()
    own: list[str] = []
    inside = False
    for line in lines:
        if blame.is_frame(line):
            inside = _place(line, rules) is not None
        elif not line.startswith(" "):
            inside = False
        if inside:
            own.append(line)
    yield from own or lines


def _place(traceback: str, rules: Sequence[SyncRule]) -> Place | None:
    """The innermost line of the project's own in a traceback, where it is on this machine."""
    return blame.line(traceback, blame.by_rules(rules))
