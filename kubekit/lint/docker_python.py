"""Rules about Python services in images: what was found to fail in real ones (X3 to X9)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from kubekit.image.files.dockerfile import Instruction
from kubekit.image.files.words import exec_form, pairs
from kubekit.lint.docker_files import copies
from kubekit.lint.rule import Book, Hit
from kubekit.lint.shell import commands
from kubekit.lint.source import Source
from kubekit.text.scripts import shell_script

_MODULE = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):\w+(\(\))?")
_SERVERS = frozenset({"uvicorn", "gunicorn", "hypercorn", "granian", "daphne"})
_VARIABLES = {"--port": "PORT", "--host": "HOST", "--workers": "WORKERS", "-w": "WORKERS"}
_DEPENDENCIES = ("requirements.txt", "requirements.in", "pyproject.toml", "uv.lock", "setup.cfg")

BOOK: Book[Callable[[Source], Iterator[Hit]]] = Book()
_rule = BOOK.rule


def _image(source: Source) -> tuple[Instruction, ...]:
    return source.lineage(source.final) if source.final else ()


def _started(source: Source) -> tuple[Instruction, tuple[str, ...]] | None:
    """The last `CMD` or `ENTRYPOINT` of the image, with its words."""
    found = [one for one in _image(source) if one.keyword in {"CMD", "ENTRYPOINT"}]
    if not found:
        return None
    argv = exec_form(found[-1].text)
    words = tuple(found[-1].text.split()) if argv is None else argv
    return (found[-1], words) if words else None


def _program(words: tuple[str, ...]) -> tuple[str, ...]:
    """What a `sh -c` runs in the end; the words themselves without one."""
    script = shell_script(words)
    if script is None:
        return words
    found = commands(script)
    return found[-1].words if found else ("",)


def _environment(source: Source) -> dict[str, str]:
    return {
        name: value for one in _image(source) if one.keyword == "ENV" for name, value in pairs(one)
    }


@_rule("uv-not-in-venv", error=True)
def _uv(source: Source) -> Iterator[Hit]:
    """`uv venv` puts no uv into the environment: its `bin/uv` is not found (X3)."""
    for stage in source.stages:
        made: set[str] = set()
        for one in stage.body:
            for command in source.commands(one):
                if command.runs("uv", "venv"):
                    made |= {path.rstrip("/") for path in command.arguments[1:] or (".venv",)}
                folder, _, program = command.words[0].rpartition("/bin/")
                if program == "uv" and folder in made:
                    text = f"`{command.words[0]}` is not there: `uv venv` puts no uv into it"
                    hint = f"write `uv pip install --python {folder} ...`"
                    yield source.hit(one, text, hint, at=re.escape(command.words[0]))


@_rule("app-not-importable", error=True)
def _importable(source: Source) -> Iterator[Hit]:
    """The app's module lies in a folder that Python does not look into (X4)."""
    started = _started(source)
    if started is None or source.context is None:
        return
    one, words = started
    program = _program(words)
    modules = [match[1] for word in program if (match := _MODULE.fullmatch(word))]
    if not modules or posixpath.basename(program[0]) not in _SERVERS:
        return
    package = modules[0].partition(".")[0]
    homes = set(_homes(source, package))
    if homes and not homes & set(_searched(source, program)) and not _installed(source):
        home = min(homes)
        text = f"`{package}` lies in `{home}`, where Python does not look for modules"
        yield source.hit(one, text, f"write `ENV PYTHONPATH={home}` above, or `--app-dir {home}`")


def _homes(source: Source, package: str) -> Iterator[str]:
    """The folders of the container that a `COPY` brings the package into."""
    at = "/"
    body = _image(source)
    taken = {one.line: words for _, one, words in copies(source)}
    for one in body:
        if one.keyword == "WORKDIR":
            at = posixpath.normpath(posixpath.join(at, one.text.strip("\"'")))
        for word in taken.get(one.line, ())[:-1]:
            local = posixpath.normpath(word.lstrip("/"))
            to = posixpath.normpath(posixpath.join(at, taken[one.line][-1]))
            for inner in ("", "src"):
                yield from _lies(source, package, posixpath.join(local, inner), to, inner)
            if posixpath.basename(local) == package and posixpath.basename(to) == package:
                yield posixpath.dirname(to)


def _lies(source: Source, package: str, local: str, to: str, inner: str) -> Iterator[str]:
    folder = (source.context or Path()) / local
    if (folder / package).is_dir() or (folder / f"{package}.py").is_file():
        yield posixpath.normpath(posixpath.join(to, inner))


def _searched(source: Source, program: tuple[str, ...]) -> Iterator[str]:
    """The folders in which the server looks for the app's module."""
    at = "/"
    for one in _image(source):
        if one.keyword == "WORKDIR":
            at = posixpath.normpath(posixpath.join(at, one.text.strip("\"'")))
    yield at
    found = _environment(source).get("PYTHONPATH", "").split(":")
    for index, word in enumerate(program):
        flag, _, value = word.partition("=")
        if flag in {"--app-dir", "--chdir", "--pythonpath"}:
            found.append(value or (program[index + 1] if index + 1 < len(program) else ""))
    yield from (posixpath.normpath(posixpath.join(at, path)) for path in found if path)


def _installed(source: Source) -> bool:
    """Whether the project itself is installed, so that its modules are found anywhere."""
    for _, command in source.runs():
        if command.runs("uv", "sync") and not command.has("--no-install-project"):
            return True
        if "install" in command.words and {".", "-e", "./"} & set(command.words):
            return True
    return any("$" in one.text for one in _image(source) if one.keyword == "WORKDIR")


@_rule("healthcheck-tool", error=True)
def _tool(source: Source) -> Iterator[Hit]:
    """The `HEALTHCHECK` uses a program that the slim image does not have (X5)."""
    final = source.final
    bases = "" if final is None else final.base
    installed = {word for _, command in source.runs() for word in command.words[1:]}
    for one in _image(source):
        if one.keyword != "HEALTHCHECK" or not re.search(r"slim|PYTHON", bases):
            continue
        for tool in ("curl", "wget"):
            if re.search(rf"\b{tool}\b", one.text) and tool not in installed:
                text = f"the `HEALTHCHECK` needs `{tool}`, which `{bases}` does not have"
                hint = "ask by Python: `urllib.request.urlopen(url, timeout=2)`"
                yield source.hit(one, text, hint)


@_rule("healthcheck-module")
def _module(source: Source) -> Iterator[Hit]:
    """The `HEALTHCHECK` imports a package that the app does not name among its own (X5)."""
    context = source.context
    if context is None:
        return
    known = ""
    for name in _DEPENDENCIES:
        if (context / name).is_file():
            known += (context / name).read_text(errors="replace").lower()
    for one in _image(source) if known else ():
        for package in ("requests", "httpx") if one.keyword == "HEALTHCHECK" else ():
            imported = re.search(rf"import {package}\b", one.text)
            if imported and not re.search(rf"(?m)(^|[\"'\s]){package}\b", known):
                text = f"the `HEALTHCHECK` imports `{package}`, which is not installed"
                yield source.hit(one, text, "use `urllib.request`, which Python brings along")


@_rule("healthcheck-any-status")
def _status(source: Source) -> Iterator[Hit]:
    """The `HEALTHCHECK` takes an answer 500 or 503 for health (X5)."""
    for one in _image(source):
        if one.keyword != "HEALTHCHECK":
            continue
        curl = next((c for c in commands(_probe(one)) if c.name == "curl"), None)
        careless = curl is not None and not curl.has("-f", "--fail", "--fail-with-body")
        asked = re.search(r"(requests|httpx)\.get\(", one.text)
        if careless or (asked and not re.search(r"raise_for_status|status_code|\.ok\b", one.text)):
            text = "the `HEALTHCHECK` takes an answer 503 for health"
            hint = "write `curl -f`, or use `urllib.request.urlopen`, which fails from 400 on"
            yield source.hit(one, text, hint)


def _probe(one: Instruction) -> str:
    text = re.sub(r"^(--\S+\s+)*CMD\s+", "", one.text)
    argv = exec_form(text)
    return text if argv is None else " ".join(argv)


@_rule("shell-without-exec")
def _exec(source: Source) -> Iterator[Hit]:
    """`sh -c` without `exec` stays process 1: SIGTERM is lost, and a stop takes 10 s (X6)."""
    started = _started(source)
    if started is None or exec_form(started[0].text) is None:
        return
    one, words = started
    script = shell_script(words)
    if script is not None and not re.search(r"(^|[;&|\n]\s*)exec\s", script):
        text = f"`{words[0]} -c` stays process 1 and keeps SIGTERM from the app"
        yield source.hit(one, text, "write `exec` before the last command in it")


@_rule("declared-variable-ignored")
def _ignored(source: Source) -> Iterator[Hit]:
    """`ENV PORT` is declared, and the command has the number in it: nobody reads it (X6)."""
    started = _started(source)
    if started is None:
        return
    one, words = started
    declared = _environment(source)
    for flag, value in zip(words, (*words[1:], ""), strict=True):
        name, _, inline = flag.partition("=")
        number = inline or value
        variable = _VARIABLES.get(name)
        if variable in declared and number and "$" not in number:
            text = f"`{name} {number}` is fixed, so `{variable}` has no effect"
            hint = f"write `sh -c 'exec ... {name} \"${variable}\"'`, or let the app read it"
            yield source.hit(one, text, hint)


@_rule("bytecode-missing")
def _bytecode(source: Source) -> Iterator[Hit]:
    """Unless it is told to, uv compiles nothing, and each start does it anew (X9)."""
    for stage in source.stages:
        told = any(
            one.keyword in {"ENV", "ARG"} and "UV_COMPILE_BYTECODE" in one.text
            for one in source.lineage(stage)
        )
        for one in stage.body:
            for command in source.commands(one):
                installs = command.runs("uv", "sync") or command.words[:3] == (
                    "uv",
                    "pip",
                    "install",
                )
                if not installs or told or "UV_COMPILE_BYTECODE" in one.text:
                    continue
                if "uv" in command.words[3:] or command.has("--compile-bytecode", "--compile"):
                    continue
                text = "packages are installed without bytecode: each start compiles them anew"
                yield source.hit(one, text, "write `ENV UV_COMPILE_BYTECODE=1` above", at=r"\buv ")
