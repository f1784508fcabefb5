"""Rules about what an image says of itself: user, command, ports, health, environment, labels.

hadolint's: https://github.com/hadolint/hadolint/wiki; dockle's and CIS':
https://github.com/goodwithtech/dockle/blob/master/CHECKPOINT.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from kubekit.image.files.dockerfile import Instruction
from kubekit.image.files.words import exec_form, pairs
from kubekit.lint.rule import Book, Edit, Hit
from kubekit.lint.secrets import is_secret
from kubekit.lint.source import Source

_PLAIN_COMMAND = re.compile(r"[\w./:=,@%+-]+( +[\w./:=,@%+-]+)*")
_BUILTINS = frozenset(". : cd exec eval export set source test trap true ulimit umask".split())  # noqa: SIM905
_NUMERIC = re.compile(r"\d+(:\d+)?")
_PORT = re.compile(r"(?P<first>\d+)(-(?P<last>\d+))?(/(?P<protocol>\w+))?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_MOST = 65535

BOOK: Book[Callable[[Source], Iterator[Hit]]] = Book()
_rule = BOOK.rule


def _last(source: Source, *keywords: str) -> Instruction | None:
    """The last such instruction of the image: the one that counts."""
    if source.final is None:
        return None
    found = [one for one in source.lineage(source.final) if one.keyword in keywords]
    return found[-1] if found else None


@_rule("user-root", "DL3002", "CKV_DOCKER_8", "DS-0002", "CIS-DI-0001")
def _user_root(source: Source) -> Iterator[Hit]:
    """The image runs as root by its own `USER`."""
    one = _last(source, "USER")
    if one is not None and one.text.partition(":")[0] in {"root", "0"}:
        hint = "end with `USER 10001:10001`, after all that needs root"
        yield source.hit(one, "the image runs as root", hint)


@_rule("user-missing", "CKV_DOCKER_3", "DS-0002", "CIS-DI-0001")
def _user_missing(source: Source) -> Iterator[Hit]:
    """No `USER`: the image runs as its base does, which mostly is root."""
    final = source.final
    if final is None or "nonroot" in final.base or _last(source, "USER") is not None:
        return
    hint = "make a user and end with `USER 10001:10001`"
    text = "no `USER`, so the image runs as its base does, which mostly is root"
    yield source.hit(final.origin, text, hint)


@_rule("user-by-name", "DL3066")
def _user_name(source: Source) -> Iterator[Hit]:
    """`USER` by name: Kubernetes cannot prove `runAsNonRoot` and refuses to start it (X2)."""
    one = _last(source, "USER")
    if one is None or "$" in one.text or not one.text:
        return
    user = one.text.partition(":")[0]
    if not user.isdecimal() and user != "root":
        text = f"`USER {one.text}` is a name, which `runAsNonRoot` does not accept"
        yield source.hit(one, text, "write the numbers: `USER 10001:10001`")


@_rule("healthcheck-missing", "DL3057", "CKV_DOCKER_2", "DS-0026", "CIS-DI-0006", extra=True)
def _healthcheck(source: Source) -> Iterator[Hit]:
    """No `HEALTHCHECK`: plain Docker cannot tell whether the app answers. Kubernetes ignores it."""
    if source.final is not None and _last(source, "HEALTHCHECK") is None:
        hint = 'write one that asks the app, such as `HEALTHCHECK CMD ["python", "-m", ...]`'
        yield source.hit(source.final.origin, "no `HEALTHCHECK`", hint)


def _repeated(source: Source, keyword: str) -> Iterator[Hit]:
    for stage in source.stages:
        found = [one for one in stage.body if one.keyword == keyword]
        for one in found[:-1]:
            text = f"only the last `{keyword}` of a stage counts, and this is not it"
            yield source.hit(one, text, "leave this one out")


@_rule("command-twice", "DL4003", "MultipleInstructionsDisallowed", "DS-0016")
def _command_twice(source: Source) -> Iterator[Hit]:
    """Several `CMD` in a stage: only the last one counts."""
    yield from _repeated(source, "CMD")


@_rule("entrypoint-twice", "DL4004", "MultipleInstructionsDisallowed", "DS-0007")
def _entrypoint_twice(source: Source) -> Iterator[Hit]:
    """Several `ENTRYPOINT` in a stage: only the last one counts."""
    yield from _repeated(source, "ENTRYPOINT")


@_rule("healthcheck-twice", "DL3012", "MultipleInstructionsDisallowed", "DS-0023")
def _healthcheck_twice(source: Source) -> Iterator[Hit]:
    """Several `HEALTHCHECK` in a stage: only the last one counts."""
    yield from _repeated(source, "HEALTHCHECK")


@_rule("command-by-shell", "DL3025", "JSONArgsRecommended", fixes=True)
def _shell_form(source: Source) -> Iterator[Hit]:
    """`CMD` or `ENTRYPOINT` without brackets runs below a shell, which keeps SIGTERM to itself."""
    both = any(source.of("ENTRYPOINT")) and any(source.of("CMD"))
    for stage in source.stages:
        own_shell = any(one.keyword == "SHELL" for one in source.lineage(stage))
        for one in stage.body:
            if one.keyword not in {"CMD", "ENTRYPOINT"} or exec_form(one.text) is not None:
                continue
            # With brackets an ENTRYPOINT takes the CMD as its arguments, without them it does not.
            simple = not own_shell and not both
            argv = json.dumps(one.text.split())
            edit = _exec_edit(source, one) if simple else None
            shown = f"`{one.keyword} {argv}`" if edit else "the form with brackets"
            text = f"`{one.keyword}` runs below a shell, so SIGTERM does not reach the app"
            yield source.hit(one, text, f"write {shown}", edit=edit)


def _exec_edit(source: Source, one: Instruction) -> Edit | None:
    """The form with brackets, where the shell had nothing to do but split the words."""
    line = source.one_line(one)
    if line is None or not _PLAIN_COMMAND.fullmatch(one.text):
        return None
    words = one.text.split()
    if words[0] in _BUILTINS or "=" in words[0] or one.text not in line:
        return None
    if words[0].endswith(".sh"):  # a shell runs it without a first line that names one, too
        return None
    return source.replace(one.line, line.replace(one.text, json.dumps(words)))


@_rule("workdir-relative", "DL3000", "CKV_DOCKER_10", "WorkdirRelativePath", "DS-0009")
def _workdir(source: Source) -> Iterator[Hit]:
    """A relative `WORKDIR` depends on the one before, or on the base image's."""
    for stage in source.stages:
        anchored = False
        for one in source.lineage(stage):
            if one.keyword != "WORKDIR":
                continue
            path = one.text.strip("\"'")
            absolute = path.startswith(("/", "$")) or re.match(r"[A-Za-z]:[\\/]", path) is not None
            if not absolute and not anchored and one in stage.body:
                text = f"`WORKDIR {one.text}` is below whatever the base image has"
                yield source.hit(one, text, f"write `WORKDIR /{path.lstrip('./')}`")
            anchored = anchored or absolute


@_rule("expose-invalid", "DL3011", "ExposeInvalidFormat", "DS-0008", error=True)
def _expose(source: Source) -> Iterator[Hit]:
    """`EXPOSE` of what is no port."""
    for one in source.of("EXPOSE"):
        for word in one.text.split():
            match = _PORT.fullmatch(word)
            numbers = [int(match[part] or 0) for part in ("first", "last")] if match else []
            if "$" not in word and (not match or max(numbers) > _MOST):
                text = f"`{word}` is no port"
                yield source.hit(one, text, "write a number up to 65535, such as `EXPOSE 8000`")


@_rule("expose-casing", "ExposeProtoCasing", fixes=True)
def _expose_casing(source: Source) -> Iterator[Hit]:
    """The protocol of an `EXPOSE` is in capitals."""
    for one in source.of("EXPOSE"):
        upper = re.search(r"/(TCP|UDP|SCTP|Tcp|Udp)\b", one.text)
        if upper:
            line = source.one_line(one)
            new = line and line.replace(upper[0], upper[0].lower())
            edit = source.replace(one.line, new) if new else None
            text = f"`{upper[0][1:]}` is in capitals"
            yield source.hit(one, text, f"write `{upper[0][1:].lower()}`", edit=edit)


@_rule("expose-ssh", "CKV_DOCKER_1", "DS-0004")
def _ssh(source: Source) -> Iterator[Hit]:
    """Port 22: an image with an SSH server in it; `kubectl exec` does that better."""
    for one in source.of("EXPOSE"):
        if {word.partition("/")[0] for word in one.text.split()} & {"22"}:
            yield source.hit(one, "port 22 is for SSH, which no image needs", "leave it out")


@_rule(
    *("secret-in-image", "DL3064", "SecretsUsedInArgOrEnv", "DS-0031", "CIS-DI-0010"), error=True
)
def _secret(source: Source) -> Iterator[Hit]:
    """A secret by its name in `ENV` or `ARG`: whoever has the image can read it."""
    for one in source.of("ENV", "ARG"):
        for name, value in pairs(one):
            empty = one.keyword == "ENV" and not value
            if not empty and is_secret(name, value):
                text = f"`{name}` stays in the image's history, where anybody reads it"
                hint = "at run time: a Secret; in the build: `RUN --mount=type=secret,id=...`"
                yield source.hit(one, text, hint, at=rf"\b{re.escape(name)}\b")


@_rule("env-legacy", "LegacyKeyValueFormat", fixes=True)
def _legacy(source: Source) -> Iterator[Hit]:
    """`ENV name value` without `=`: the old form, which may go."""
    for one in source.of("ENV"):
        words = one.text.split(maxsplit=1)
        if not words or "=" in words[0] or not re.fullmatch(r"\w+", words[0]):
            continue
        line = source.one_line(one)
        plain = len(words) > 1 and re.fullmatch(r"[\w./:,@%+-]+", words[1])
        edit = None
        if plain and line is not None and one.text in line:
            edit = source.replace(one.line, line.replace(one.text, "=".join(words)))
        text = f"`ENV {words[0]}` has no `=`"
        yield source.hit(one, text, f"write `ENV {words[0]}=...`", edit=edit)


@_rule("env-of-itself", "DL3044")
def _self(source: Source) -> Iterator[Hit]:
    """A variable is used in the `ENV` that sets it: there it has the value of before, or none."""
    for stage in source.stages:
        known: set[str] = set()
        for one in source.lineage(stage):
            if one.keyword not in {"ENV", "ARG"}:
                continue
            names = [name for name, _ in pairs(one)]
            for name in names if one.keyword == "ENV" and one in stage.body else ():
                used = re.search(
                    rf"(?<!\\)\$(\{{{re.escape(name)}\b|{re.escape(name)}\b)", one.text
                )
                if used and name not in known and name not in {"PATH", "HOME", "PYTHONPATH"}:
                    text = f"`{name}` is set here, and has no value yet where it is used"
                    yield source.hit(one, text, "set it in an `ENV` above", at=re.escape(used[0]))
            known |= set(names)


@_rule("label-key", "DL3048")
def _label(source: Source) -> Iterator[Hit]:
    """The key of a label has other characters than small letters, digits, `.` and `-`."""
    for one in source.of("LABEL"):
        for name, _ in pairs(one):
            if not _LABEL.fullmatch(name) or ".." in name or "--" in name:
                text = f"the label `{name}` is not as Docker wants the keys of labels"
                yield source.hit(
                    one, text, "use small letters, digits, `.` and `-`", at=re.escape(name)
                )


@_rule("onbuild-forbidden", "DL3043", error=True)
def _onbuild(source: Source) -> Iterator[Hit]:
    """`ONBUILD` of `ONBUILD`, `FROM` or `MAINTAINER`, which no build does."""
    for one in source.of("ONBUILD"):
        word = one.text.split(maxsplit=1)[0].upper() if one.text else ""
        if word in {"ONBUILD", "FROM", "MAINTAINER"}:
            yield source.hit(one, f"`ONBUILD {word}` is not allowed", "leave it out")
