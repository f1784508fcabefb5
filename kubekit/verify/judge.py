"""The checks there are, which of them were asked for, and what they make of an image. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from kubekit.errors import UsageError
from kubekit.redact import Redactor, hidden
from kubekit.verify import rules_config, rules_files, rules_run, rules_scenes, rules_secrets
from kubekit.verify.model import Check, Checked, Subject
from kubekit.verify.needles import is_masked

CHECKS: tuple[Check, ...] = (
    *rules_config.CHECKS,
    *rules_files.CHECKS,
    *rules_secrets.CHECKS,
    *rules_run.CHECKS,
    *rules_scenes.CHECKS,
)
"""All of them, in the order of the report."""

_NO_SCENE = {
    "kept": "no SQLite file was written",
    "away": "it has no route that says whether it lives or is ready",
}


def chosen(only: Collection[str] = (), skip: Collection[str] = ()) -> tuple[Check, ...]:
    """The checks that are asked for.

    Raises:
        UsageError: one of the ids is none.
    """
    ids = [check.id for check in CHECKS]
    for id_ in (*only, *skip):
        if id_ not in ids:
            close = difflib.get_close_matches(id_, ids, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(ids)}"
            raise UsageError(f"there is no check `{id_}`", hints=(hint,), id="check-unknown")
    return tuple(
        check for check in CHECKS if (not only or check.id in only) and check.id not in skip
    )


def scenes(checks: Collection[Check]) -> frozenset[str]:
    """The containers that these checks need."""
    return frozenset(check.scene for check in checks if check.scene is not None)


def judge(checks: Collection[Check], subject: Subject) -> tuple[Checked, ...]:
    """What each check makes of it, without the secrets that the image itself sets."""
    image = subject.image
    own = [value for name, value in image.environment.items() if is_masked(name, value)]
    redactor = Redactor(hidden(own, public=image.reference))
    return redactor.clean(tuple(_one(check, subject) for check in checks))


def _one(check: Check, subject: Subject) -> Checked:
    if check.scene is not None and (why := _unseen(check, subject)):
        return Checked(id=check.id, title=check.title, status="skipped", text=why)
    outcome = check.look(subject)
    return Checked(
        id=check.id,
        title=check.title,
        status=outcome.status,
        text=outcome.text,
        fix=check.fix if outcome.status == "failed" else "",
        details=outcome.details,
    )


def _unseen(check: Check, subject: Subject) -> str:
    """Why a check cannot be made, for want of a container; empty if it can."""
    seen = subject.seen
    if seen.usual is None:
        return seen.why
    if check.id != "starts" and not seen.usual.start.up:
        return seen.why
    return _NO_SCENE.get(check.scene or "", "") if getattr(seen, check.scene or "") is None else ""
