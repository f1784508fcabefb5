"""Why a build failed: one sentence, and its place in the Dockerfile. Pure."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from kubekit.errors import BuildError, FilesError, Place
from kubekit.image.account import failures
from kubekit.image.account.steps import Account, command_of
from kubekit.image.files.dockerfile import INSTRUCTIONS, Dockerfile, Instruction
from kubekit.image.files.missing import cropped, not_found
from kubekit.image.registries.errors import reason
from kubekit.model import BuildPlan

_EXIT = re.compile(r"(?:exit code:|non-zero code:) (\d+)")
_SYNTAX = re.compile(r"dockerfile parse error(?: on)? line (\d+): (.*)", re.IGNORECASE | re.DOTALL)
_WRONG = re.compile(
    r"no build stage in current context|the Dockerfile .*?cannot be empty|ENV must have two"
    r"|unsupported mount type|failed to process \"|Invalid containerPort|failed to parse platform"
)
"""What builders say of a Dockerfile without a line."""
_METADATA = re.compile(r"\[internal\] load metadata for (?P<reference>\S+)")
_NO_STAGE = re.compile(r"target stage \S+ could not be found|failed to reach build target")
_NO_SOURCE = re.compile(
    r"\"/?(?P<path>[^\"]+)\":? not found"
    # The daemon's own folders, where stage and context are, mean nothing to a person.
    r"|l?stat /?(?:var/lib/\S+?/(?:merged|docker-builder\d+)/)?(?P<stat>\S+):"
    r" (?:no such file|file does not exist)"
)
_PREFIX = re.compile(
    r"^(failed to solve[^:]*|rpc error|failed to parse Dockerfile|(?:ADD|COPY) failed"
    r"|failed to load cache key|process \".*?\" did not complete successfully"
    r"|failed to create LLB definition|executor failed[^:]*"
    r"|failed to create shim task|OCI runtime create failed|runc create failed): "
)


def explain(
    account: Account, parsed: Dockerfile, plan: BuildPlan, *, room: tuple[str, ...] = ()
) -> BuildError | FilesError:
    """Turn the failure of a build into one sentence, with the place in the Dockerfile.

    Args:
        account: the build; its `error` is set.
        parsed: the Dockerfile.
        plan: what was built.
        room: what to do when the disk is full where it was built.
    """
    if known := _of_dockerfile(account, parsed, plan):
        return known
    said, file = account.error or "", plan.settings.dockerfile
    if base := _METADATA.fullmatch(account.failed):
        return _no_base(base["reference"], parsed, said, file)
    instruction, missing = account.instruction, _NO_SOURCE.search(said)
    command = cropped(command_of(account.failed))
    if instruction and instruction.keyword == "ADD" and "://" in command.partition(" ")[0]:
        command = f"ADD {cropped(instruction.text)}"
    if missing and instruction and instruction.keyword in {"COPY", "ADD"}:
        return _no_source(command, missing["path"] or missing["stat"], instruction, plan)
    place = Place(file=file, line=instruction.line if instruction else None)
    return _no_step(account, command, place, room)


def _of_dockerfile(
    account: Account, parsed: Dockerfile, plan: BuildPlan
) -> BuildError | FilesError | None:
    """What stopped the build before its first step, as the Dockerfile explains it."""
    said = account.error or ""
    file = plan.settings.dockerfile
    if syntax := _SYNTAX.search(said):
        return _wrong(syntax[2].strip(), Place(file=file, line=int(syntax[1])))
    if _WRONG.match(_reason(said)) and not _EXIT.search(said):
        return _wrong(_reason(said), Place(file=file, line=_line_of(said, account, parsed)))
    if "syntax" in parsed.directives and account.failed.startswith("resolve image config for "):
        return _no_syntax(parsed, said, file)
    if _NO_STAGE.search(said) and plan.settings.target is not None:
        return _no_stage(plan.settings.target, parsed)
    return None


def _no_step(account: Account, command: str, place: Place, room: tuple[str, ...]) -> BuildError:
    """The general case: a step that ended with a code, or that the daemon could not do."""
    said = account.error or ""
    found = _EXIT.search(said)
    code = int(found[1]) if found else None
    if code is not None:
        killed = " (killed)" if code == failures.KILLED else ""
        what = f"`{command}`" if command else "a step that the builder does not name"
        message = f"{what} ended with exit code {code}{killed}"
    else:
        why = _reason(said)
        message = f"`{command}` failed: {why}" if command else f"the build failed: {why}"
    if code is None and failures.FULL.search(said):
        return BuildError(message, place=place, details=account.tail, hints=room, id="disk-full")
    asked = account.instruction is not None and account.instruction.keyword == "ADD"
    hints = failures.fetching(said) if asked else ()
    hints = hints or failures.clues((*account.tail, said), code, room=room)
    return BuildError(message, place=place, details=account.tail, hints=hints, id="build-step")


def _no_base(reference: str, parsed: Dockerfile, said: str, file: Path) -> BuildError:
    """A base image that BuildKit itself asked for: only one for another platform is."""
    id_, why = reason(said)
    short = reference.removeprefix("docker.io/").removeprefix("library/")
    origins = [stage.origin for stage in parsed.stages]
    asked = [one for one in origins if short in one.text.split()]
    asked = asked or [one for one in origins if one.values("platform")]
    platform = next((value for one in asked for value in one.values("platform")), None)
    there = f"for `{platform}` " if platform else ""
    return BuildError(
        f"the base image `{short}` {there}is not there and cannot be pulled: {why}",
        hints=("leave `--platform` out to build for the cluster's own processor",)
        if platform
        else (),
        details=(_reason(said),),
        place=Place(file=file, line=asked[0].line if asked else None),
        id=id_,
    )


def _no_stage(target: str, parsed: Dockerfile) -> BuildError:
    names = [stage.name for stage in parsed.stages if stage.name]
    close = difflib.get_close_matches(target, names, n=1)
    there = f"stages there: {', '.join(names)}" if names else "no stage there has a name"
    return BuildError(
        f"the Dockerfile has no stage `{target}`, which `build.target` in kubekit.yaml asks for",
        hints=(f"did you mean `{close[0]}`?" if close else there,),
        id="stage-missing",
    )


def _no_syntax(parsed: Dockerfile, said: str, file: Path) -> BuildError:
    return BuildError(
        f"the syntax image `{parsed.directives['syntax']}` cannot be pulled: {_reason(said)}",
        hints=("leave the line `# syntax=` out: the daemon has a syntax of its own",),
        place=Place(file=file, line=[*parsed.directives].index("syntax") + 1),
        id="syntax-image",
    )


def _no_source(command: str, path: str, copy: Instruction, plan: BuildPlan) -> BuildError:
    origin = next(iter(copy.values("from")), None)
    if origin is not None:
        message = f"`{command}` failed: `/{path}` is not in `{origin}`"
        hints = ("paths there start at `/`, whatever its `WORKDIR` is",)
        place = Place(file=plan.settings.dockerfile, line=copy.line)
        return BuildError(message, place=place, hints=hints, id="copy-source")
    return not_found(command, path, copy, plan)


def _wrong(said: str, place: Place) -> FilesError:
    return FilesError(
        f"the Dockerfile is wrong: {said}",
        hints=_near(said),
        place=place,
        id="dockerfile-syntax",
    )


def _line_of(said: str, account: Account, parsed: Dockerfile) -> int | None:
    """The line of what is quoted, named last, or the only instruction of its kind."""
    if account.instruction is not None:
        return account.instruction.line
    text = _reason(said)
    quoted = re.search(r"\"([^\"]+)\"", text)
    word = quoted[1] if quoted else text.split()[-1]
    written = {one.line: f"{one.flags} {one.text}" for one in parsed.instructions}
    lines = [line for line, text in written.items() if word in text]
    kind = text.split()[0]
    lines = lines or [one.line for one in parsed.instructions if one.keyword == kind]
    return lines[0] if len(lines) == 1 else None


def _near(said: str) -> tuple[str, ...]:
    unknown = re.search(r"unknown instruction: (\w+)", said, re.IGNORECASE)
    close = difflib.get_close_matches(unknown[1].upper(), INSTRUCTIONS, n=1) if unknown else ()
    if close:
        return (f"did you mean `{close[0]}`?",)
    return ("how each instruction is written: https://docs.docker.com/reference/dockerfile/",)


def _reason(said: str) -> str:
    text = said.strip()
    while match := _PREFIX.match(text):
        text = text[match.end() :]
    return text.splitlines()[0] if text else "the daemon gives no reason"
