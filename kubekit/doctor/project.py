"""The project's own files: its settings, and whether its secrets stay where they are."""

from __future__ import annotations

import shutil
import stat
import time
from pathlib import Path

from kubekit import proc
from kubekit.api.ownership import OwnedSet
from kubekit.cluster.target import active_profile
from kubekit.config.levels import FILE_NAME, look_for_file
from kubekit.config.load import load
from kubekit.dev.command import LOCAL_PORT
from kubekit.doctor.known import Known
from kubekit.doctor.verdict import Verdict, failure, left_out, ok, warning
from kubekit.errors import FilesError, Place, shown
from kubekit.image.files.context import ignore_file, ignore_path
from kubekit.model import Settings
from kubekit.runfile import Holder, signed
from kubekit.streams import ports
from kubekit.text import envfile
from kubekit.turn import DEV, lock_key

_GIT_SECONDS = 20.0
_NO_FILE = f"there is no `{FILE_NAME}`"


def config(known: Known) -> Verdict:
    """Whether the settings can be read, and all they name is there."""
    if look_for_file(known.given) is None:
        return left_out(_NO_FILE)
    try:
        known.settings = _load(known, check=False)
    finally:
        known.unread = known.settings is None
    try:
        _load(known, check=True)
    except FilesError as error:  # what is there can be looked at all the same
        return failure(error)
    return ok(f"`{shown(known.settings.file)}`, and all that it names is there")


def _load(known: Known, *, check: bool) -> Settings:
    given = known.given
    return load(
        flags=given.flags,
        environ=given.environ,
        cwd=given.cwd,
        active_profile=active_profile,
        check=check,
    )


def env_file(known: Known) -> Verdict:
    """Whether the environment's file can be read, and by whom."""
    file = known.env_file
    if file is None:
        return left_out("there is none")
    try:
        found = envfile.load(file)
    except FilesError as error:  # who may read it, and who has it, can be told all the same
        return failure(error)
    return judge_env_file(file, file.stat().st_mode, len(found.values))


def judge_env_file(file: Path, mode: int, variables: int) -> Verdict:
    """Who may read it, by its mode."""
    if mode & stat.S_IROTH:
        return warning(
            f"every user of this machine may read `{shown(file)}`",
            f"`chmod 600 {shown(file)}`",
            cause="env-readable",
            place=Place(file=file),
        )
    who = "its group, too" if mode & stat.S_IRGRP else "no other user"
    return ok(f"`{shown(file)}` with {variables} variables, readable by {who}")


def env_git(known: Known) -> Verdict:
    """Whether git has the environment's file, or would take it with the next `git add`."""
    file = known.env_file
    assert file is not None
    if shutil.which("git") is None:
        return left_out("`git` is not on PATH")
    tracked = _git(known, file, "ls-files", "--error-unmatch")
    if tracked.code not in (0, 1):
        return left_out(f"`{shown(file.parent)}` is in no repository that git can read")
    ignored = _git(known, file, "check-ignore", "-q")
    return judge_env_git(file, tracked=tracked.code == 0, ignored=ignored.code == 0)


def _git(known: Known, file: Path, *command: str) -> proc.Finished:
    argv = ["git", "-C", str(file.parent), *command, "--", file.name]
    return proc.run(argv, timeout=_GIT_SECONDS, cancel=known.run.cancel)


def judge_env_git(file: Path, *, tracked: bool, ignored: bool) -> Verdict:
    """What git's two answers mean."""
    name = shown(file)
    if tracked:
        text = f"git has `{name}`, and so has everybody who has the repository"
        hints = (
            f"`git rm --cached {name}`, and a line `{file.name}` in `.gitignore`",
            "it stays in the history: put other values in the place of those that are secret",
        )
        return failure(FilesError(text, hints=hints, place=Place(file=file), id="env-tracked"))
    if not ignored:
        return warning(
            f"the next `git add .` takes `{name}`",
            f"add a line `{file.name}` to `.gitignore`",
            cause="env-not-ignored",
            place=Place(file=file),
        )
    return ok(f"git neither has `{name}` nor takes it")


def env_image(known: Known) -> Verdict:
    """Whether the environment's file goes into the build."""
    file, settings = known.env_file, known.settings
    assert file is not None
    if settings is None or settings.build is None:
        return left_out("nothing is built")
    if not file.is_relative_to(settings.build.context):
        return ok(f"`{shown(file)}` lies outside of the build context")
    path = file.relative_to(settings.build.context).as_posix()
    rules = ignore_path(settings.build)
    return judge_env_image(file, rules, excluded=ignore_file(settings.build).leaves_out(path))


def judge_env_image(file: Path, rules: Path, *, excluded: bool) -> Verdict:
    """What it means that the rules leave it out, or do not."""
    if excluded:
        return ok(f"`{shown(rules)}` keeps `{shown(file)}` out of the image")
    return warning(
        f"`{shown(file)}` goes into the build, and by a `COPY` its secrets into the image",
        f"add to `{shown(rules)}`: `{file.name}`",
        cause="env-in-image",
        place=Place(file=file),
    )


def port(known: Known) -> Verdict:
    """Whether `dev` gets the port of this machine that is wanted."""
    assert known.settings is not None
    wanted = known.settings.dev.port or LOCAL_PORT
    taken, number = ports.take(wanted)
    for one in taken:
        one.close()
    return judge_port(wanted, number, ports.owner(wanted) if number != wanted else "")


def judge_port(wanted: int, number: int, owner: str) -> Verdict:
    """Another one than was wanted is the next that is free."""
    if wanted == number:
        return ok(f"{wanted} is free for `dev`")
    return warning(
        f"{owner} listens on {wanted}, so `dev` would take {number}",
        "end it, or set another `dev.port`",
        cause="port-taken",
    )


def runs(known: Known) -> Verdict:
    """Runs for this project on this machine: one that goes on, or one that was killed."""
    assert known.settings is not None
    assert known.target is not None
    assert known.kube is not None
    owned = OwnedSet(project=known.settings.name, namespace=known.settings.namespace)
    key = lock_key(known.target, owned, host=known.kube.host)
    mine = dict(signed()).get(key)
    return judge_runs(mine, alive=mine is not None and mine.alive())


def judge_runs(holder: Holder | None, *, alive: bool) -> Verdict:
    """What it means that a lock is signed."""
    if holder is None:
        return ok("none goes on for this project, and none was killed")
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(holder.since))
    which = f"`kubekit {holder.command}` (pid {holder.pid}), begun {since},"
    if alive:
        return ok(f"{which} is at work for this project")
    return warning(
        f"{which} was killed; its lock counts no longer, but what it made may run still",
        "go on with it: `kubekit dev`" if holder.command == DEV else "look at it: `kubekit status`",
        "or take it away: `kubekit teardown`",
        cause="run-killed",
    )
