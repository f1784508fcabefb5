"""Rules about `RUN`: package managers, and what a shell does in a build.

hadolint's: https://github.com/hadolint/hadolint/wiki; Trivy's DS checks; Checkov's CKV2_DOCKER.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kubekit.image.files.dockerfile import Instruction
from kubekit.lint.rule import Book, Edit, Hit
from kubekit.lint.shell import Command
from kubekit.lint.source import Source

_POINTLESS = frozenset(
    ("free", "ifconfig", "kill", "mount", "ps", "service", "shutdown", "ssh", "top", "vim")
)
_WITH_VALUE = frozenset({"-t", "--target-release", "-o", "--option", "-c"})
_PIP_VALUES = frozenset(
    (
        *("-r", "--requirement", "-c", "--constraint", "-t", "--target", "-i", "--index-url"),
        *("--extra-index-url", "-f", "--find-links", "--prefix", "--root", "--platform"),
        *("--python-version", "--trusted-host", "--python", "--cert", "-e", "--editable"),
    )
)
_PIP = r"\bpip3?(\.\d+)? .*?install\b"

BOOK: Book[Callable[[Source], Iterator[Hit]]] = Book()
_rule = BOOK.rule

_Run = tuple[Instruction, Command]


def _apt(source: Source, *subcommands: str) -> Iterator[_Run]:
    for one, command in source.runs():
        if command.runs("apt-get", *subcommands) or (
            command.name == "apt-get" and set(subcommands) & set(command.arguments)
        ):
            yield one, command


def _packages(command: Command, after: str, with_value: frozenset[str]) -> list[str]:
    """What is installed: the words after the subcommand, without flags and their values."""
    words = list(command.words)
    found, skip = [], False
    for word in words[words.index(after) + 1 :] if after in words else []:
        if skip or word.startswith("-"):
            skip = not skip and word in with_value
        elif not word.startswith(("<", ">", "$(")):
            found.append(word)
    return found


@_rule("apt-unpinned", "DL3008", extra=True)
def _apt_unpinned(source: Source) -> Iterator[Hit]:
    """Packages of Debian without a version.

    Only with `--all`: Debian keeps no old versions, so that a build that names them soon fails.
    """
    for one, command in _apt(source, "install"):
        packages = _packages(command, "install", _WITH_VALUE)
        loose = [name for name in packages if "=" not in name and not name.endswith(".deb")]
        if loose:
            text = f"`{loose[0]}` is installed in whatever version there is"
            yield source.hit(one, text, f"write `{loose[0]}=VERSION`", at=r"apt-get.* install")


@_rule("apt-recommends", "DL3015", "DS-0029")
def _apt_recommends(source: Source) -> Iterator[Hit]:
    """`apt-get install` brings packages along that nothing needs."""
    for one, command in _apt(source, "install"):
        if not command.has("--no-install-recommends") and not any(
            "Install-Recommends=" in word for word in command.words
        ):
            text = "`apt-get install` brings recommended packages along"
            hint = "write `apt-get install --no-install-recommends`"
            yield source.hit(one, text, hint, at=r"apt-get.* install")


@_rule("apt-asks", "DL3014", "DS-0021", error=True)
def _apt_asks(source: Source) -> Iterator[Hit]:
    """`apt-get install` without `-y` asks, and nobody answers in a build."""
    for one, command in _apt(source, "install"):
        quiet = command.has("-y", "--yes", "--assume-yes", "-qq") or any(
            word.startswith(("-q=2", "-q2")) for word in command.words
        )
        if not quiet:
            text = "`apt-get install` asks whether to go on, and nobody is there to answer"
            yield source.hit(one, text, "write `apt-get install -y`", at=r"apt-get.* install")


@_rule("apt-lists", "DL3009", "DKL-DI-0005")
def _apt_lists(source: Source) -> Iterator[Hit]:
    """The package lists of `apt-get update` stay in the image: some 20 MB."""
    for one in source.of("RUN"):
        commands = source.commands(one)
        updates = any(command.runs("apt-get", "update") for command in commands)
        mounted = any("/var/lib/apt" in mount.get("target", "") for mount in one.mounts)
        cleaned = any(
            command.name == "rm" and any("/var/lib/apt/lists" in word for word in command.words)
            for command in commands
        )
        if updates and not cleaned and not mounted and _reaches_image(source, one):
            text = "the lists of `apt-get update` stay in the image"
            hint = "end the same `RUN` with `&& rm -rf /var/lib/apt/lists/*`"
            yield source.hit(one, text, hint, at="apt-get.* update")


def _reaches_image(source: Source, one: Instruction) -> bool:
    """Whether the layers of the instruction's stage are those of the image."""
    return source.final is not None and one in source.lineage(source.final)


@_rule("apt-tool", "DL3027", "CKV_DOCKER_9")
def _apt_tool(source: Source) -> Iterator[Hit]:
    """`apt` is for people: what it prints and does may change."""
    for one, command in source.runs():
        if command.name == "apt" and command.arguments:
            text = "`apt` is for people in a terminal"
            yield source.hit(one, text, "use `apt-get`", at=r"\bapt\b")


@_rule("apt-upgrade", "DL3005", "DS-0024", "DKL-DI-0003")
def _apt_upgrade(source: Source) -> Iterator[Hit]:
    """`dist-upgrade` makes another system of the base image, differently each day."""
    for one, command in _apt(source, "dist-upgrade", "full-upgrade"):
        del command
        text = "the base image is upgraded: each build gets another one"
        yield source.hit(one, text, "name a newer base image", at="upgrade")


@_rule("apt-update-alone", "CKV_DOCKER_5", "DS-0017", "CIS-DI-0007")
def _apt_update_alone(source: Source) -> Iterator[Hit]:
    """`apt-get update` in a layer of its own: a later install uses lists from months ago."""
    for one in source.of("RUN"):
        commands = source.commands(one)
        updates = [command for command in commands if command.runs("apt-get", "update")]
        if updates and not any(
            command.has("install") or "install" in command.words for command in commands
        ):
            text = "`apt-get update` alone: what it fetched is kept, and grows old"
            hint = "put it into the `RUN` that installs: `apt-get update && apt-get install ...`"
            yield source.hit(one, text, hint)


def _pip(source: Source) -> Iterator[_Run]:
    for one, command in source.runs():
        words = command.words
        pip = re.fullmatch(r"pip3?(\.\d+)?", command.name) and "install" in words
        module = words[1:4] == ("-m", "pip", "install")
        if pip or (module and command.name.startswith("python")):
            yield one, command


@_rule("pip-unpinned", "DL3013")
def _pip_unpinned(source: Source) -> Iterator[Hit]:
    """A package of PyPI without a version: each build may get another one."""
    for one, command in _pip(source):
        loose = [
            name
            for name in _packages(command, "install", _PIP_VALUES)
            if not re.search(r"[=<>~@$*]|^[./]|\.(whl|tar\.gz|zip)$|://", name)
        ]
        if loose and not command.has("-r", "--requirement", "-c", "--constraint"):
            text = f"`{loose[0]}` is installed in the version of the day"
            yield source.hit(
                one, text, f"write `{loose[0]}==VERSION`, or use a requirements file", at=_PIP
            )


@_rule("pip-cache", "DL3042", fixes=True)
def _pip_cache(source: Source) -> Iterator[Hit]:
    """The cache of what pip downloaded stays in the layer."""
    for one, command in _pip(source):
        mounted = any("cache" in mount.get("target", "") for mount in one.mounts)
        if mounted or command.has("--no-cache-dir") or _without_cache(source, one):
            continue
        number = source.line(one, _PIP)
        line = source.lines[number - 1]
        found = re.findall(r"\bpip3?(?:\.\d+)? install\b", line)
        edit = None
        if len(found) == 1 and not one.heredoc:
            new = line.replace(found[0], f"{found[0]} --no-cache-dir")
            edit = source.replace(number, new)
        text = "pip keeps what it downloaded in the image"
        yield source.hit(one, text, "write `pip install --no-cache-dir`", at=_PIP, edit=edit)


def _without_cache(source: Source, one: Instruction) -> bool:
    stage = next((stage for stage in source.stages if one in stage.body), None)
    above = source.lineage(stage) if stage else ()
    set_here = [item for item in above if item.keyword in {"ENV", "ARG"} and item.line < one.line]
    return any("PIP_NO_CACHE_DIR" in item.text for item in set_here) or (
        "PIP_NO_CACHE_DIR=" in one.text
    )


@_rule("pip-trusted-host", "CKV2_DOCKER_16", "CKV2_DOCKER_4")
def _pip_trusted(source: Source) -> Iterator[Hit]:
    """By `--trusted-host` pip does not check whom it downloads from."""
    for one in source.of("RUN", "ENV", "ARG"):
        if re.search(r"--trusted-host|PIP_TRUSTED_HOST", one.text):
            text = "pip does not check whom it downloads from"
            hint = "hand the build the authority's certificate: `RUN --mount=type=secret,...`"
            yield source.hit(one, text, hint, at="--trusted-host|PIP_TRUSTED_HOST")


@_rule("download-unchecked", "CKV2_DOCKER_2", "CKV2_DOCKER_3")
def _unchecked(source: Source) -> Iterator[Hit]:
    """`curl -k` or `wget --no-check-certificate`: anybody in between may answer."""
    for one, command in source.runs():
        curl = command.name == "curl" and command.has("-k", "--insecure")
        wget = command.name == "wget" and command.has("--no-check-certificate")
        if curl or wget:
            text = f"`{command.name}` does not check whom it downloads from"
            yield source.hit(one, text, "leave the flag out", at=rf"\b{command.name}\b")


@_rule("wget-and-curl", "DL4001", "DS-0014")
def _both(source: Source) -> Iterator[Hit]:
    """Both `wget` and `curl` are used in one stage."""
    for stage in source.stages:
        first: dict[str, Instruction] = {}
        for one in stage.body:
            for command in source.commands(one):
                if command.name in {"curl", "wget"}:
                    first.setdefault(command.name, one)
        if len(first) > 1:
            last = max(first.values(), key=lambda one: one.line)
            yield source.hit(last, "both `wget` and `curl` are used", "use one of them")


@_rule("wget-progress", "DL3047")
def _progress(source: Source) -> Iterator[Hit]:
    """`wget` draws its progress into the log of the build, a line for each 50 kB."""
    for one, command in source.runs():
        quiet = ("-q", "--quiet", "-nv", "--no-verbose", "-o", "--output-file", "--progress", "-a")
        if command.name == "wget" and command.arguments and not command.has(*quiet):
            text = "`wget` fills the log of the build with its progress"
            yield source.hit(one, text, "write `wget -q`, or `--progress=dot:giga`", at="wget")


@_rule("sudo", "DL3004", "CKV2_DOCKER_1", "DS-0010", "DKL-DI-0001")
def _sudo(source: Source) -> Iterator[Hit]:
    """`sudo` in a build: it is root already, and in the image it is a way to become it."""
    for one, command in source.runs():
        if command.name == "sudo":
            text = "`sudo` has no use in a build"
            yield source.hit(one, text, "leave it out; `USER root` above, if need be", at="sudo")


@_rule("cd-in-run", "DL3003", "DS-0013")
def _cd(source: Source) -> Iterator[Hit]:
    """A `RUN` that begins with `cd`: the folder is forgotten with the next instruction."""
    for one in source.of("RUN"):
        commands = source.commands(one)
        if commands and commands[0].name == "cd" and not one.heredoc:
            yield source.hit(one, "`cd` lasts for this `RUN` only", "write `WORKDIR` above it")


@_rule("pointless-command", "DL3001")
def _pointless(source: Source) -> Iterator[Hit]:
    """A program that makes no sense in a build, such as `ssh`, `top` or `service`."""
    for one, command in source.runs():
        if command.name in _POINTLESS:
            text = f"`{command.name}` makes no sense while an image is built"
            yield source.hit(one, text, "leave it out", at=rf"\b{command.name}\b")


@_rule("useradd-large", "DL3046", fixes=True)
def _useradd(source: Source) -> Iterator[Hit]:
    """`useradd` with a high number and without `-l` writes a log as large as the number."""
    for one, command in source.runs():
        flags = ("-l", "--no-log-init")
        numbers = [word for word in command.words if re.fullmatch(r"(--uid=)?\d{5,}", word)]
        if command.name != "useradd" or command.has(*flags) or not numbers:
            continue
        number = source.line(one, r"\buseradd ")
        line = source.lines[number - 1]
        edit: Edit | None = None
        if line.count("useradd ") == 1 and not one.heredoc:
            edit = source.replace(number, line.replace("useradd ", "useradd -l "))
        text = "`useradd` with a high number makes `/var/log/faillog` and `lastlog` huge"
        yield source.hit(one, text, "write `useradd -l`", at=r"\buseradd ", edit=edit)


@_rule("pipefail", "DL4006")
def _pipefail(source: Source) -> Iterator[Hit]:
    """A failure before a `|` is not seen: the build goes on."""
    for stage in source.stages:
        safe = False
        for one in source.lineage(stage):
            if one.keyword == "SHELL":
                safe = "pipefail" in one.text or not re.search(r"sh\b", one.text)
            piped = any(command.piped for command in source.commands(one))
            if one in stage.body and piped and not safe and "pipefail" not in source.script(one):
                text = "if what stands before the `|` fails, the build goes on"
                hint = 'write `SHELL ["/bin/bash", "-o", "pipefail", "-c"]` above'
                yield source.hit(one, text, hint, at=r"(?<!\|)\|(?!\|)")


@_rule("run-consecutive", "DL3059", extra=True)
def _consecutive(source: Source) -> Iterator[Hit]:
    """A `RUN` after a `RUN`: a layer more. Two that are cached apart may be meant."""
    for stage in source.stages:
        for before, one in zip(stage.body, stage.body[1:], strict=False):
            both = before.keyword == one.keyword == "RUN"
            small = max(len(source.commands(item)) for item in (before, one))
            if both and small == 1 and before.flags == one.flags:
                yield source.hit(one, "a `RUN` follows a `RUN`", "join them with `&&`")


@_rule("shell-link", "DL4005")
def _shell_link(source: Source) -> Iterator[Hit]:
    """`/bin/sh` is made another program by `ln`, instead of by `SHELL`."""
    for one, command in source.runs():
        if command.name == "ln" and command.words[-1] == "/bin/sh":
            yield source.hit(one, "`/bin/sh` becomes another program", "use `SHELL`")
