"""Sources of a `COPY` that do not exist: told before a base image is pulled for nothing."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from kubekit.errors import BuildError, Place
from kubekit.image.files import dockerfile, globs, sources
from kubekit.image.files.context import ignore_file, ignore_path
from kubekit.image.files.dockerfile import Instruction
from kubekit.image.files.dockerignore import Ignore
from kubekit.image.files.weigh import may_hold_secrets
from kubekit.image.files.words import operands
from kubekit.model import BuildPlan

REMOTE = re.compile(r":|\.git(#|$)")
"""What an `ADD` may fetch: where it stands in a source, that is not sure to be a file's path."""

_LONG = 200
"""Characters of an instruction that a message repeats."""


def check(plan: BuildPlan) -> None:
    """Refuse a build that would not find what it is to copy, in the words it would end with.

    Raises:
        BuildError: names the first source that does not exist; what is not certain is let pass.
        FilesError: the Dockerfile cannot be read any more.
    """
    settings = plan.settings
    text = dockerfile.load(settings.dockerfile)[0].decode("utf-8", "replace")
    parsed = dockerfile.parse(text)
    if not sources.is_plain(parsed, text, args=settings.args):
        return
    for stage in parsed.built(settings.target, settings.args):
        for one in stage.body:
            for path in absent(one, settings.context):
                flags = (f"--{name}={value} " for name, value in one.flags)
                command = f"{one.keyword} {''.join(flags)}{one.text}"
                raise not_found(cropped(command), path, one, plan)


def absent(instruction: Instruction, context: Path) -> Iterator[str]:
    """The sources of a `COPY` or `ADD` that surely do not exist in the context."""
    words = operands(instruction)[:-1]
    if instruction.keyword not in {"COPY", "ADD"} or instruction.heredoc or not words:
        return
    if any(globs.CHARACTERS.search(word) for word in words):
        return  # one that matches nothing is no error
    if instruction.keyword == "ADD" and any(REMOTE.search(word) for word in words):
        return
    for parts in sources.taken(instruction):
        if not _may_exist(context, parts):
            yield "/".join(parts)


def _may_exist(context: Path, parts: tuple[str, ...]) -> bool:
    at = context
    for part in parts:
        at /= part
        if not os.path.lexists(at):
            return False
        if at.is_symlink():
            return True  # a builder follows it within the context alone
    return True


def not_found(command: str, path: str, copy: Instruction, plan: BuildPlan) -> BuildError:
    """What a build ends with that has not found a source in its context."""
    context = plan.settings.context
    rules = ignore_path(plan.settings).name
    there = os.path.exists(context / path)  # noqa: PTH110 - a path raises on a long name
    why = f"is excluded by `{rules}`" if there else "is not in the build context"
    meant = None if there else nearest(context, path, ignore_file(plan.settings))
    if there:
        hint = f"let it through with a line `!{path}` there"
    else:
        hint = f"did you mean `{meant}`?" if meant else "paths start at `build.context`"
    return BuildError(
        f"`{command}` failed: `{path}` {why}",
        place=Place(file=plan.settings.dockerfile, line=copy.line),
        hints=(hint,),
        id="copy-source",
    )


def nearest(context: Path, path: str, rules: Ignore | None) -> str | None:
    """The path that may be meant by one that is not there: mostly one part of it is misspelled.

    None where the build does not get that path by the rules, or should not as it may be secret.
    """
    parts = path.split("/")
    for index, part in enumerate(parts):
        folder = context.joinpath(*parts[:index])
        if not os.path.lexists(folder / part):
            close = difflib.get_close_matches(part, _names(folder), n=1)
            meant = "/".join([*parts[:index], *close, *parts[index + 1 :]])
            found = close and os.path.lexists(context / meant) and not may_hold_secrets(meant)
            return meant if found and not (rules and keeps_out(rules, meant)) else None
    return None


def keeps_out(rules: Ignore, path: str) -> bool:
    """Whether the rules surely keep all of a file or folder out of the build."""
    return rules.leaves_out(path) and not rules.may_hold_exceptions(path)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except OSError:  # a file, or nobody may look into it: nothing there is near
        return []


def cropped(command: str) -> str:
    """An instruction as a message repeats it."""
    return command if len(command) <= _LONG else f"{command[:_LONG]}..."
