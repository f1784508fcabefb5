"""What a container's command runs, and running it in this process as Python itself would.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later, and nothing
that is slow to import.
"""

from __future__ import annotations

import itertools
import os
import re
import runpy
import shlex
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType

MODULE, SCRIPT, CODE, OTHER = "module", "script", "code", "other"
"""The kinds of programs: `python -m x`, `python x.py`, `python -c x`, anything else."""

_PYTHON = re.compile(r"python(\d+(\.\d+)*)?t?$")
_SHELLS = ("sh", "bash", "dash", "ash")
_PLAIN_FLAGS = frozenset("bBdEIOPqRsSuvx")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}$]*))?\})")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_OTHER_SERVERS = (
    *("gunicorn", "flask", "runserver", "hypercorn"),
    *("granian", "daphne", "waitress-serve", "waitress", "celery"),
)
_FOLDER = os.path.dirname(os.path.abspath(__file__))


class Program:
    """What a command runs.

    Attributes:
        kind: one of the kinds above.
        name: the module, the script's path or the code; of another program its first word.
        argv: what the program sees as `sys.argv`; of another program the whole command.
        python: the interpreter it asks for, "" if any will do.
        flags: that interpreter's own options.
        env: what the command sets in the environment of the program alone.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        argv: Sequence[str],
        *,
        python: str = "",
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.kind, self.name, self.argv = kind, name, list(argv)
        self.python, self.flags, self.env = python, list(flags), dict(env or {})

    @property
    def words(self) -> list[str]:
        """The command that starts it in a process of its own."""
        if self.kind == OTHER:
            return self.argv
        start = [self.python, *self.flags]
        option = {MODULE: "-m", CODE: "-c"}.get(self.kind)
        return [*start, *([option] if option else []), self.name, *self.argv[1:]]

    @property
    def tool(self) -> str:
        """What it is called: `gunicorn` for the module, the script and the whole path."""
        name = self.name.split(".", maxsplit=1)[0] if self.kind == MODULE else self.name
        return os.path.basename(name) if self.kind != CODE else ""


def understand(command: Sequence[str], environ: Mapping[str, str]) -> Program:
    """Find the Python program in a command; what is not understood is of the kind `OTHER`."""
    words, env = _unwrapped(list(command), environ)
    program = _python_program(words, {**environ, **env}) if words else None
    if program is None:
        return Program(OTHER, command[0], command)
    program.env = env
    return program


def _unwrapped(words: list[str], environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command in `sh -c`, `env` and what stands in for an init; nothing if it is not plain."""
    env: dict[str, str] = {}
    while words:
        tool = os.path.basename(words[0])
        if tool in ("tini", "dumb-init"):
            words = words[1:]
            while words and words[0] in ("-g", "-s", "-v", "-c", "--single-child", "-w"):
                words = words[1:]
            words = words[1:] if words[:1] == ["--"] else words
        elif tool == "env":
            words = words[1:]
        elif tool in _SHELLS and len(words) == 3 and words[1] == "-c":  # noqa: PLR2004
            words = shell_words(words[2], {**environ, **env})
            words = words[1:] if words[:1] == ["exec"] else words
        else:
            return ([], {}) if words[0].startswith("-") else (words, env)
        while words and _ASSIGNMENT.match(words[0]):
            name, _, env[name] = words[0].partition("=")
            words = words[1:]
        words = words[1:] if words[:1] == ["exec"] else words
    return [], {}


def shell_words(line: str, environ: Mapping[str, str]) -> list[str]:
    """The words of one simple command as a shell would see them; none if it is more than that."""
    if re.search(r"[`;&|<>()*?\[\]~#!\n\\]", line.strip()) or ("'" in line and "$" in line):
        return []

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        # `:-` stands in for what is empty, too.
        return environ.get(name) or found[3] or ""

    # A value with blanks would be several words, or one within quotes: left to the shell.
    if any(re.search(r"[\s'\"*?\[$]", value(found)) for found in _VARIABLE.finditer(line)):
        return []
    text = _VARIABLE.sub(value, line)
    try:
        return [] if "$" in text or "{" in text else shlex.split(text)
    except ValueError:
        return []


def _python_program(words: list[str], environ: Mapping[str, str]) -> Program | None:
    path = shutil.which(words[0], path=environ.get("PATH"))
    if path is None:
        return None
    if _PYTHON.match(os.path.basename(path)):
        return _of_python(path, words[1:])
    python, flags = _shebang(path, environ)
    if not python:
        return None
    return Program(SCRIPT, path, [path, *words[1:]], python=python, flags=flags)


def _of_python(python: str, words: list[str]) -> Program | None:
    """What the arguments of an interpreter let it run."""
    flags: list[str] = []
    while words and words[0].startswith("-"):
        word, words = words[0], words[1:]
        if word in ("-m", "-c"):
            if not words:
                return None
            kind, name = (MODULE, words[0]) if word == "-m" else (CODE, words[0])
            return Program(kind, name, [word, *words[1:]], python=python, flags=flags)
        if word[:2] in ("-W", "-X"):
            flags.append(word)
            if len(word) == 2 and words:  # noqa: PLR2004
                flags.append(words[0])
                words = words[1:]
        elif len(word) > 1 and set(word[1:]) <= _PLAIN_FLAGS:
            flags.append(word)
        else:
            return None
    if not words or not os.path.isfile(words[0]):
        return None
    return Program(SCRIPT, words[0], words, python=python, flags=flags)


def _shebang(path: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The Python that the first line of a script names, and its options; "" for anything else."""
    try:
        with open(path, "rb") as file:
            head = file.read(1024).decode("utf-8", "replace").splitlines()
    except OSError:
        return "", []
    if not head or not head[0].startswith("#!"):
        return "", []
    words = head[0][2:].split()
    # How installers write a path that is too long for a first line, or has blanks in it.
    quoted = re.match(r"'''exec' \"?([^\"]+?)\"? \"\$0\" \"\$@\"$", head[1]) if head[1:] else None
    if words[:1] == ["/bin/sh"] and quoted:
        words = [quoted[1]]
    if words and os.path.basename(words[0]) == "env":
        words = [shutil.which(words[-1], path=environ.get("PATH")) or ""] if words[1:] else []
    if not words or not _PYTHON.match(os.path.basename(words[0])):
        return "", []
    return words[0], words[1:]


def needs_other_python(program: Program) -> bool:
    """Whether it needs another interpreter than this one, or this one with other options."""
    if not program.python or not os.access(program.python, os.X_OK):
        return False
    wanted, here = os.path.abspath(program.python), sys.executable
    same = wanted == here or (
        # `python3` beside `python`; a virtual environment is told from its base by its folder.
        os.path.realpath(os.path.dirname(wanted)) == os.path.realpath(os.path.dirname(here))
        and os.path.realpath(wanted) == os.path.realpath(here)
    )
    return not same or bool(program.flags)


def manner(program: Program, environ: Mapping[str, str]) -> tuple[str, str]:
    """How a program is made to run new code, and why.

    Returns:
        `warm` (as far as uvicorn serves it), `own` (it does so itself), `hup` (it does so when it
        gets that signal) or `restart`; and why it is not `warm`, "" if it is.
    """
    if program.kind == OTHER:
        return "restart", f"kubekit cannot tell what Python program `{program.name}` runs"
    tool, args = program.tool, program.argv
    if tool in ("manage.py", "django", "django-admin") and "runserver" in args:
        tool = "runserver"
    debug = environ.get("FLASK_DEBUG", "").lower() in ("1", "true", "yes")
    reloads = {
        "runserver": "--noreload" not in args,
        "flask": bool({"--reload", "--debug"} & set(args)) or debug,
    }.get(tool, "--reload" in args)
    if tool not in _OTHER_SERVERS:
        return "warm", ""
    if reloads:
        return "own", f"{tool} watches the files itself"
    if tool == "gunicorn":
        if _preloads(args, environ):
            return "restart", "gunicorn loads the app before its workers (`preload_app`)"
        return "hup", "gunicorn replaces its workers when it gets SIGHUP"
    return "restart", f"{tool} is not uvicorn: it is ended and started again"


def _preloads(args: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether gunicorn loads the app in its first process, which no signal makes it do again."""
    given = [*environ.get("GUNICORN_CMD_ARGS", "").split(), *args]
    files = [after for one, after in itertools.pairwise(given) if one in ("-c", "--config")]
    files += [one.partition("=")[2] for one in given if one.startswith("--config=")]
    for name in files or ["gunicorn.conf.py"]:
        try:
            with open(name.removeprefix("file:"), encoding="utf-8") as file:
                if re.search(r"^\s*preload_app\s*=\s*True", file.read(), re.MULTILINE):
                    return True
        except OSError:
            continue
    return "--preload" in given


def environ() -> dict[str, str]:
    """The environment for another process: without what Python has set in its own (PEP 538)."""
    given = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as file:
            began = file.read()
    except OSError:
        return given
    if not any(one.startswith(b"LC_CTYPE=") for one in began.split(b"\0")):
        given.pop("LC_CTYPE", None)
    return given


def search_path(program: Program, given: Sequence[str]) -> list[str]:
    """`sys.path` as Python would begin this program with; `given`: without a first entry."""
    if sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        return list(given)
    first = {
        MODULE: os.getcwd(),
        SCRIPT: os.path.dirname(os.path.realpath(program.name)),
    }
    return [first.get(program.kind, ""), *given]


def run(program: Program) -> None:
    """Run it in this process as `__main__`; what it raises, `SystemExit` too, goes through."""
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = list(program.argv)
    if program.kind == MODULE:
        # What `python -m` calls; `run_module` differs in its traceback and in whose `__main__`.
        runpy._run_module_as_main(program.name)  # type: ignore[attr-defined] # noqa: SLF001
        return
    if program.kind == CODE:
        code = compile(program.name, "<string>", "exec", dont_inherit=True)
    else:
        path = os.path.abspath(program.name)
        main.__file__ = path
        main.__loader__ = SourceFileLoader("__main__", path)
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102


def own_frames_cut(error: BaseException) -> TracebackType | None:
    """The traceback of an error without the frames of these files.

    Python leaves out those of an import that failed, but not where one of these files took part.
    """
    kept: list[TracebackType] = []
    imports: list[TracebackType] = []
    ours = False
    frame = error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if _is_own(file):
            ours = True
        elif file.startswith("<frozen importlib"):
            imports.append(frame)
        else:
            kept += [*([] if ours else imports), frame]
            imports, ours = [], False
        frame = frame.tb_next
    kept += [] if ours else imports
    for one, after in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = after
    return kept[0] if kept else None


def _is_own(file: str) -> bool:
    return os.path.dirname(os.path.abspath(file)) == _FOLDER


def told(error: BaseException) -> str:
    """An error as Python prints it, without frames of the import system and of these files."""
    lines = traceback.TracebackException(type(error), error, own_frames_cut(error))
    seen: traceback.TracebackException | None = lines
    while seen is not None:
        kept = [
            one
            for one in seen.stack
            if not one.filename.startswith("<frozen ") and not _is_own(one.filename)
        ]
        seen.stack[:] = kept
        seen = seen.__cause__ or seen.__context__
    return "".join(lines.format())
