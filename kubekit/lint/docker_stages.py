"""Rules about the stages of a Dockerfile: what they start from, what they are called.

BuildKit's own checks: https://docs.docker.com/reference/build-checks/
hadolint's: https://github.com/hadolint/hadolint/wiki
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from kubekit.image.files import names
from kubekit.image.files.dockerfile import INSTRUCTIONS, Instruction, Stage
from kubekit.image.files.variables import PREDEFINED
from kubekit.image.files.words import pairs
from kubekit.lint.rule import Book, Hit
from kubekit.lint.source import Source

_AS = re.compile(
    r"(?P<before>\s*\S+(?:\s+--\S+)*\s+\S+\s+)(?P<word>as)(?P<after>\s.*)", re.IGNORECASE
)
_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)[^}]*\})")
_KNOWN = frozenset({*INSTRUCTIONS, "MAINTAINER"})
_RESERVED = frozenset({"scratch", "context"})

BOOK: Book[Callable[[Source], Iterator[Hit]]] = Book()
_rule = BOOK.rule


def _images(source: Source) -> Iterator[tuple[Stage, str]]:
    """Each stage that starts from an image, with its reference as far as it is known."""
    for stage in source.stages:
        reference = stage.start(source.scope).reference
        above = source.dockerfile.above(stage, source.scope)
        if above is None and reference != "scratch" and not reference.isdecimal():
            yield stage, reference


def _tag(reference: str) -> str | None:
    """The tag; empty for a digest, None without either."""
    if "@" in reference:
        return ""
    return reference.rpartition("/")[2].partition(":")[2] or None


def _at_image(
    source: Source, stage: Stage, text: str, hint: str, *, wrong: Callable[[str], bool]
) -> Iterator[Hit]:
    """A hit at `FROM`, and at each `ARG` whose value is what is wrong with its image."""
    yield source.hit(stage.origin, text, hint)
    lines = {one.line: one for one in source.dockerfile.arguments}
    for name, line in names.arguments(source.dockerfile, stage.base):
        if not wrong(source.scope.get(name, "")):
            continue
        told = f"`{name}` names what line {stage.origin.line} starts from: {text}"
        # Whoever leaves it out at `FROM` means this one, too.
        yield replace(source.hit(lines[line], told, hint), starts=stage.origin.line)


@_rule("image-untagged", "DL3006", "CKV_DOCKER_7", "DS-0001", "DKL-DI-0006")
def _untagged(source: Source) -> Iterator[Hit]:
    """An image without a tag is whatever `latest` is on the day of the build."""
    for stage, reference in _images(source):
        if reference and _tag(reference) is None:
            yield from _at_image(
                source,
                stage,
                f"the image `{reference}` has no tag: it is another one every few weeks",
                f"name a version, such as `{reference}:3.13-slim`"
                if reference.rpartition("/")[2] == "python"
                else "name a version or a digest",
                wrong=reference.endswith,
            )


@_rule("image-latest", "DL3007", "CKV_DOCKER_7", "DS-0001", "DKL-DI-0006")
def _latest(source: Source) -> Iterator[Hit]:
    """The tag `latest` moves: the same Dockerfile makes another image tomorrow."""
    for stage, reference in _images(source):
        if _tag(reference) == "latest":
            yield from _at_image(
                source,
                stage,
                f"`{reference}` is another image every few weeks",
                "name a version or a digest",
                wrong=lambda value: value.endswith("latest"),
            )


@_rule("image-misspelled")
def _misspelled(source: Source) -> Iterator[Hit]:
    """An image whose name or tag is nearly one of Docker's library, or the name of a stage."""
    for stage, reference in _images(source):
        image = names.meant(reference)
        meant = image or names.stage(reference, (one.name for one in source.stages[: stage.index]))
        if meant is not None:
            hint = f"did you mean {'' if image else 'the stage '}`{meant}`?"
            text = f"`{reference}` is probably no image"
            yield from _at_image(source, stage, text, hint, wrong=_no_part_of(meant))


def _no_part_of(right: str) -> Callable[[str], bool]:
    return lambda value: value not in right


@_rule("stage-name-twice", "DL3024", "CKV_DOCKER_11", "DuplicateStageName", "DS-0012", error=True)
def _twice(source: Source) -> Iterator[Hit]:
    """Two stages of one name: the first can no longer be reached."""
    first: dict[str, int] = {}
    for stage in source.stages:
        name = stage.name.lower()
        if name and first.setdefault(name, stage.origin.line) != stage.origin.line:
            yield source.hit(
                stage.origin,
                f"the stage `{stage.name}` is there twice, first in line {first[name]}",
                "give each stage a name of its own",
            )


@_rule("from-casing", "FromAsCasing", fixes=True)
def _from_casing(source: Source) -> Iterator[Hit]:
    """`FROM` and `AS` are written in different cases (X1)."""
    for stage in source.stages:
        line = source.one_line(stage.origin)
        match = _AS.fullmatch(line or "")
        if line is None or match is None:
            continue
        upper = line.lstrip()[:4].isupper()
        wanted = "AS" if upper else "as"
        if match["word"] != wanted:
            new = match["before"] + wanted + match["after"]
            yield source.hit(
                stage.origin,
                f"`{match['word']}` is not written as `{line.split()[0]}` is",
                f"write `{wanted}`",
                edit=source.replace(stage.origin.line, new),
            )


@_rule("stage-name-casing", "StageNameCasing")
def _name_casing(source: Source) -> Iterator[Hit]:
    """The name of a stage has capitals, which `FROM` and `COPY --from` ignore."""
    for stage in source.stages:
        if stage.name != stage.name.lower():
            text = f"the stage `{stage.name}` has capitals in its name"
            yield source.hit(
                stage.origin, text, f"write `{stage.name.lower()}`, wherever it stands"
            )


@_rule("stage-name-reserved", "ReservedStageName", error=True)
def _reserved(source: Source) -> Iterator[Hit]:
    """A stage is called `scratch` or `context`, which mean something else to a build."""
    for stage in source.stages:
        if stage.name.lower() in _RESERVED:
            text = f"`{stage.name}` is a word of Docker's own and cannot be the name of a stage"
            yield source.hit(stage.origin, text, "call the stage something else")


@_rule("from-platform", "DL3029", "FromPlatformFlagConstDisallowed")
def _platform(source: Source) -> Iterator[Hit]:
    """A fixed `--platform` builds for one kind of machine, whatever is asked for."""
    for stage in source.stages:
        for value in stage.origin.values("platform"):
            if "$" not in value:
                yield source.hit(
                    stage.origin,
                    f"`--platform={value}` makes the image for that machine only",
                    "leave it out and name the platform to the build, or use `$BUILDPLATFORM`",
                )


@_rule("from-platform-redundant", "RedundantTargetPlatform")
def _platform_redundant(source: Source) -> Iterator[Hit]:
    """`--platform=$TARGETPLATFORM` is what `FROM` does anyway."""
    for stage in source.stages:
        if {"$TARGETPLATFORM", "${TARGETPLATFORM}"} & set(stage.origin.values("platform")):
            text = "`--platform=$TARGETPLATFORM` says what is done anyway"
            yield source.hit(stage.origin, text, "leave it out")


@_rule("from-argument-unknown", "UndefinedArgInFrom")
def _argument_unknown(source: Source) -> Iterator[Hit]:
    """A `FROM` uses a variable that no `ARG` above the first `FROM` declares."""
    declared = {name for one in source.dockerfile.arguments for name, _ in pairs(one)}
    for stage in source.stages:
        for plain, braced in _NAME.findall(stage.base):
            name = plain or braced
            if name not in declared | PREDEFINED:
                close = difflib.get_close_matches(name, sorted(declared), n=1)
                hint = f"did you mean `{close[0]}`?" if close else "declare it: `ARG` above `FROM`"
                yield source.hit(stage.origin, f"`{name}` is declared nowhere above", hint)


@_rule("from-argument-hole", "InvalidDefaultArgInFrom")
def _argument_hole(source: Source) -> Iterator[Hit]:
    """With the default values of its arguments, a `FROM` names no image."""
    declared = {name for one in source.dockerfile.arguments for name, _ in pairs(one)}
    for stage, reference in _images(source):
        used = {plain or braced for plain, braced in _NAME.findall(stage.base)}
        if not reference and used <= declared:
            text = f"`{stage.base}` is no image unless a build argument is given"
            yield source.hit(stage.origin, text, "give the `ARG` a default value")


def _copied_from(source: Source) -> Iterator[tuple[Stage, Instruction, str]]:
    for stage in source.stages:
        for instruction in stage.body:
            if instruction.keyword == "COPY":
                for value in instruction.values("from"):
                    yield stage, instruction, value


@_rule("copy-from-unknown", "DL3022")
def _from_unknown(source: Source) -> Iterator[Hit]:
    """`COPY --from` names no stage above, so it is looked up in a registry."""
    for stage, instruction, value in _copied_from(source):
        before = {one.name.lower() for one in source.stages[: stage.index] if one.name}
        number = value.isdecimal() and int(value) < stage.index
        own = value.lower() == stage.name.lower()
        if own or number or value.lower() in before or set(value) & set(":/@$"):
            continue
        close = difflib.get_close_matches(value.lower(), sorted(before), n=1)
        yield source.hit(
            instruction,
            f"no stage above is called `{value}`, so it is looked for in a registry",
            f"did you mean `{close[0]}`?" if close else "name a stage, or an image with its tag",
        )


@_rule("copy-from-itself", "DL3023", "DS-0006", error=True)
def _from_itself(source: Source) -> Iterator[Hit]:
    """`COPY --from` names the stage that it stands in."""
    for stage, instruction, value in _copied_from(source):
        if stage.name and value.lower() == stage.name.lower():
            text = f"the stage `{value}` copies from itself"
            yield source.hit(instruction, text, "name another stage")


@_rule("before-from", "DL3061", error=True)
def _before_from(source: Source) -> Iterator[Hit]:
    """Something else than `ARG` stands above the first `FROM`, or there is none."""
    if not source.stages:
        yield source.hit(None, "there is no `FROM`, so nothing can be built", "begin with `FROM`")
        return
    for number, line in enumerate(source.lines[: source.stages[0].origin.line - 1], start=1):
        word = line.split(maxsplit=1)[0] if line.strip() else "#"
        if word.upper() in _KNOWN - {"ARG"}:
            origin = Instruction(keyword=word.upper(), flags=(), text="", line=number)
            text = f"`{word}` stands above the first `FROM`, where only `ARG` may"
            yield source.hit(origin, text, "move it below `FROM`")
            return


@_rule("unknown-instruction", error=True)
def _unknown(source: Source) -> Iterator[Hit]:
    """An instruction that Docker does not know: the build ends there."""
    for one in source.instructions:
        if one.keyword not in _KNOWN:
            close = difflib.get_close_matches(one.keyword, sorted(_KNOWN), n=1)
            hint = f"did you mean `{close[0]}`?" if close else "see Docker's Dockerfile reference"
            yield source.hit(one, f"`{one.keyword}` is no instruction", hint)


@_rule("maintainer", "DL4000", "CKV_DOCKER_6", "MaintainerDeprecated", "DS-0022")
def _maintainer(source: Source) -> Iterator[Hit]:
    """`MAINTAINER` is deprecated."""
    for one in source.of("MAINTAINER"):
        hint = f'write `LABEL org.opencontainers.image.authors="{one.text}"`'
        yield source.hit(one, "`MAINTAINER` is deprecated", hint)


@_rule("instruction-casing", "ConsistentInstructionCasing", fixes=True)
def _casing(source: Source) -> Iterator[Hit]:
    """Keywords are written in capitals here and in small letters there."""
    words = {
        one.line: source.lines[one.line - 1].split(maxsplit=1)[0] for one in source.instructions
    }
    upper = sum(word.isupper() for word in words.values())
    if upper in (0, len(words)) and all(
        word.isupper() or word.islower() for word in words.values()
    ):
        return
    for one in source.instructions:
        word = words[one.line]
        if word.isupper() or word.upper() not in _KNOWN:
            continue
        line = source.lines[one.line - 1]
        edit = source.replace(one.line, line.replace(word, word.upper(), 1))
        text = f"`{word}` is not in capitals, as other keywords are"
        yield source.hit(one, text, f"write `{word.upper()}`", edit=edit)


def scopes(source: Source) -> Iterator[tuple[Stage, Mapping[str, str]]]:
    """Each stage with the variables it declares itself, or inherits from a stage above."""
    for stage in source.stages:
        yield (
            stage,
            dict(
                pair
                for one in source.lineage(stage)
                if one.keyword in {"ARG", "ENV"}
                for pair in pairs(one)
            ),
        )


@_rule("undefined-variable", "UndefinedVar")
def _undefined(source: Source) -> Iterator[Hit]:
    """A variable is used that the stage does not declare: it is empty.

    One that the base image sets cannot be told from here, so only two are told of: an `ARG` that
    stands above `FROM` and not in the stage, and a name that is nearly that of another.
    """
    above = {name for one in source.dockerfile.arguments for name, _ in pairs(one)}
    for stage, declared in scopes(source):
        for one in stage.body:
            if one.keyword not in {"ENV", "COPY", "ADD", "WORKDIR", "USER", "EXPOSE", "LABEL"}:
                continue
            for plain, braced in _NAME.findall(re.sub(r"\\\$|'[^']*'", "", one.text)):
                name = plain or braced
                if name in declared or name in PREDEFINED:
                    continue
                close = difflib.get_close_matches(name, sorted(declared), n=1, cutoff=0.8)
                if name in above:
                    text = f"the `ARG {name}` above `FROM` does not reach into a stage"
                    yield source.hit(one, text, f"write `ARG {name}` below `FROM`, too")
                elif close:
                    text = f"`{name}` is declared nowhere in this stage"
                    yield source.hit(one, text, f"did you mean `{close[0]}`?")
