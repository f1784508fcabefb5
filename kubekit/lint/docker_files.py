"""Rules about the files that a Dockerfile takes into the image, and those it should not.

https://docs.docker.com/reference/dockerfile/#copy; .dockerignore as in kubekit/image/files.
"""

from __future__ import annotations

import os
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator

from kubekit.errors import Place
from kubekit.image.files import missing
from kubekit.image.files.dockerfile import Instruction, Stage
from kubekit.image.files.sources import taken
from kubekit.image.files.weigh import ENV, SECRET
from kubekit.image.files.words import operands
from kubekit.lint.rule import Book, Hit
from kubekit.lint.source import Source

_ARCHIVE = re.compile(r".*\.(tar|tar\.\w+|tgz|tbz2?|txz|tzst|gz|bz2|xz|zst)", re.IGNORECASE)
_OPEN = re.compile(r"[$*?\[]")
_JUNK = (".git", "__pycache__", "tests")
_PROBES = {".env": ".env", "__pycache__": "__pycache__/x.pyc"}

BOOK: Book[Callable[[Source], Iterator[Hit]]] = Book()
_rule = BOOK.rule


def copies(source: Source) -> Iterator[tuple[Stage, Instruction, tuple[str, ...]]]:
    """Each `COPY` and `ADD` from the context with its operands, the destination last."""
    for stage in source.stages:
        for one in stage.body:
            if one.keyword in {"COPY", "ADD"} and not one.values("from") and not one.heredoc:
                words = operands(one)
                if len(words) > 1:
                    yield stage, one, words


@_rule("add-for-copy", "DL3020", "CKV_DOCKER_4", "DS-0005", "CIS-DI-0009", fixes=True)
def _add(source: Source) -> Iterator[Hit]:
    """`ADD` of plain files: it also unpacks and downloads, where `COPY` only copies."""
    for _, one, words in copies(source):
        sources = words[:-1]
        if one.keyword != "ADD" or any(
            missing.REMOTE.search(word) or _ARCHIVE.fullmatch(word) for word in sources
        ):
            continue
        shared = all(name in {"chown", "chmod", "link"} for name, _ in one.flags)
        edit = None
        if shared and all(_copies_alike(source, word) for word in sources):
            line = source.lines[one.line - 1]
            word = line.split(maxsplit=1)[0]
            copy = "COPY" if word.isupper() else "copy"
            edit = source.replace(one.line, line.replace(word, copy, 1))
        yield source.hit(one, "`ADD` may do more than to copy", "write `COPY`", edit=edit)


def _copies_alike(source: Source, word: str) -> bool:
    """Whether `ADD` only copies it: it is there, and no archive, which is told by its content."""
    if source.context is None or _OPEN.search(word):
        return False
    path = source.context / posixpath.normpath(word.lstrip("/"))
    try:
        return path.is_dir() or (path.is_file() and not tarfile.is_tarfile(path))
    except (OSError, ValueError):
        return False


@_rule("copy-many", "DL3021", "DS-0011", error=True)
def _many(source: Source) -> Iterator[Hit]:
    """Several files are copied to what does not end with `/`: the build ends there."""
    for one in source.of("COPY"):
        words = operands(one)
        if len(words) > 2 and not words[-1].endswith(("/", ".")) and "$" not in words[-1]:  # noqa: PLR2004
            text = f"several files are copied to `{words[-1]}`, which is no folder"
            yield source.hit(one, text, f"write `{words[-1]}/`")


@_rule("copy-whole-stage", "DL3067")
def _whole(source: Source) -> Iterator[Hit]:
    """`COPY --from=... / /` takes all of another stage along, caches and compilers too."""
    for one in source.of("COPY"):
        words = operands(one)
        if one.values("from") and len(words) > 1 and "/" in words[:-1] and words[-1] == "/":
            text = "all of another stage is copied"
            yield source.hit(one, text, "copy only what runs, such as the virtual environment")


@_rule("copy-without-workdir", "DL3045")
def _relative(source: Source) -> Iterator[Hit]:
    """A relative destination without a `WORKDIR`: it lands wherever the base image stands."""
    for stage in source.stages:
        anchored = False
        for one in source.lineage(stage):
            anchored = anchored or one.keyword == "WORKDIR"
            words = operands(one) if one.keyword == "COPY" else ()
            if len(words) < 2 or anchored or one not in stage.body:  # noqa: PLR2004
                continue
            if not words[-1].startswith(("/", "$", "<<")) and not re.match(r"\w:", words[-1]):
                text = f"`{words[-1]}` is below whatever folder the base image has"
                yield source.hit(one, text, "write `WORKDIR` above, or a path from `/`")


@_rule("copy-secret", "CIS-DI-0010", error=True)
def _secret(source: Source) -> Iterator[Hit]:
    """A file that holds secrets is copied into a layer, where anybody reads it."""
    for _, one, words in copies(source):
        for word in words[:-1]:
            name = posixpath.basename(word.rstrip("/"))
            if ENV.fullmatch(name) or SECRET.fullmatch(name):
                text = f"`{word}` and the secrets in it get into the image"
                hint = "use a Secret at run time, or `RUN --mount=type=secret` in the build"
                yield source.hit(one, text, hint)


@_rule("copy-junk", "DKL-LI-0003")
def _junk(source: Source) -> Iterator[Hit]:
    """What only the workshop needs is copied: `.git`, caches, tests."""
    final = source.final
    for stage, one, words in copies(source):
        for word in words[:-1]:
            name = posixpath.basename(word.rstrip("/"))
            if final is not None and stage.index == final.index and name in _JUNK:
                yield source.hit(one, f"`{word}` has no use in the image", "do not copy it")


@_rule("copy-missing", error=True)
def _missing(source: Source) -> Iterator[Hit]:
    """What is copied does not exist: the build ends there."""
    context = source.context
    if context is None or not (source.certain or _is_context(source)):
        return
    for stage in source.dockerfile.built(source.target, source.args):
        for one in stage.body:
            for path in missing.absent(one, context):
                text = f"`{path}` does not exist in the build context"
                yield source.hit(one, text, _instead(source, path), at=re.escape(path))


def _is_context(source: Source) -> bool:
    """Whether a folder that is only taken for the context has what is copied from it."""
    sources = [path for _, one, _ in copies(source) for path in taken(one)]
    return source.ignored is not None or any(
        path and source.context is not None and os.path.lexists(source.context.joinpath(*path))
        for path in sources
    )


def _instead(source: Source, path: str) -> str:
    """What to do about a path that is not there."""
    rules = source.ignored.rules if source.ignored else None
    meant = missing.nearest(source.context, path, rules) if source.context is not None else None
    if meant is not None:
        return f"did you mean `{meant}`?"
    kept_out = rules is not None and missing.keeps_out(rules, path)
    more = f" and add `!{path}` to `.dockerignore`" if kept_out else ""
    return f"correct the path, or create it{more}"


@_rule("copy-ignored", "CopyIgnoredFile", error=True)
def _ignored(source: Source) -> Iterator[Hit]:
    """What is copied is kept out by the `.dockerignore`: the build does not find it."""
    if source.ignored is None:
        return
    for _, one, words in copies(source):
        for word in words[:-1]:
            path = posixpath.normpath(word.lstrip("/"))
            remote = one.keyword == "ADD" and missing.REMOTE.search(word)
            local = not _OPEN.search(word) and not remote and path not in {".", ".."}
            there = source.context is None or os.path.lexists(source.context / path)
            if local and there and missing.keeps_out(source.ignored.rules, path):
                text = f"`{word}` is kept out of the build by `.dockerignore`"
                yield source.hit(one, text, f"add `!{path}` to `.dockerignore`")


def _copied_folders(source: Source) -> list[str]:
    """The folders of the context that a `COPY` takes as a whole; `.` for all of it."""
    context = source.context
    found: dict[str, None] = {}
    for _, _, words in copies(source):
        for word in words[:-1]:
            path = posixpath.normpath(word.lstrip("/"))
            if path == "." or (context is not None and (context / path).is_dir()):
                found[path] = None
    return list(found)


@_rule("dockerignore-missing")
def _no_ignore(source: Source) -> Iterator[Hit]:
    """All of the context is copied, and no `.dockerignore` keeps `.env` and `.git` out of it."""
    if source.context is None or source.ignored is not None:
        return
    image = source.lineage(source.final) if source.final else ()
    whole = [
        (stage, one)
        for stage, one, words in copies(source)
        if "." in {posixpath.normpath(word.lstrip("/")) for word in words[:-1]}
    ]
    # What is in the image weighs more than what only a stage beside it has.
    for stage, one in sorted(whole, key=lambda found: found[1] not in image)[:1]:
        where = "the image" if one in image else f"the stage `{stage.name or stage.index}`"
        text = f"all there is gets into {where}: `.env` and `.git`, too"
        hint = "write a `.dockerignore` that begins with `*`, and `!` for what the image needs"
        yield source.hit(one, text, hint)


@_rule("nested-not-ignored")
def _nested(source: Source) -> Iterator[Hit]:
    """A pattern without `**/` matches at the top only: a nested `.env` gets in (X13)."""
    ignored = source.ignored
    if ignored is None:
        return
    for name, probe in _PROBES.items():
        for folder in _copied_folders(source):
            below = f"nested/{probe}" if folder == "." else f"{folder}/{probe}"
            if ignored.rules.leaves_out(below):
                continue
            line = next(
                (
                    number
                    for number, text in enumerate(ignored.lines, start=1)
                    if text.strip().strip("/").startswith(name)
                ),
                1,
            )
            where = "any folder" if folder == "." else f"`{folder}`"
            yield Hit(
                place=Place(file=ignored.file, line=line),
                text=f"`{name}` in {where} would get into the image",
                hint=f"write `**/{name}*`" if name == ".env" else f"write `**/{name}`",
                starts=line,
            )
            break
