"""What is known of a backend: the one thing that `init` writes from and `detect` fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Packaging = Literal["uv-sync", "uv-pip", "pip-venv"]
"""How dependencies get into the image: from uv.lock, or from requirements by uv or by pip."""

Framework = Literal["fastapi", "starlette", "flask", "django"]
Server = Literal["uvicorn", "gunicorn", "module"]
"""What serves the app; `module` is a package that serves itself by `python -m`."""

Database = Literal["sqlite", "postgresql", "other"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """Paths that answer of the app's health; None where the app has none."""

    plain: str | None = None
    live: str | None = None
    ready: str | None = None


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One that the app reads from its environment; `secret` by its name, `default` as text."""

    name: str
    secret: bool
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Where settings have the file of sqlite.

    Attributes:
        path: of the settings; with `line` where the file is named.
        written: the expression there, as Python has it.
        text: what it stands for, relative to the backend's folder; None where there is no telling.
        variable: that the path, and nothing else, is read from; empty where it is read from none.
        below: what is put behind the variable's value; empty where that names the file itself.
    """

    path: str
    line: int
    written: str
    text: str | None = None
    variable: str = ""
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What was found, and where, or what was assumed, and why; for the person.

    Attributes:
        found: False for what was assumed.
        text: such as "Python 3.13", in the words of the person's field.
        where: of what was found, `file:line` relative to kubekit.yaml; why, of what was assumed.
    """

    found: bool
    text: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the files do not tell, or tell twice.

    Attributes:
        key: the flag of `init` that answers it, such as "app".
        text: the question.
        choices: what was found; empty where anything goes.
        default: what a run that asks nothing takes; None where there is no telling.
    """

    key: str
    text: str
    choices: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An existing backend. Paths are POSIX and relative to `folder`, but for `folder` itself.

    Attributes:
        name: a DNS label (RFC 1123), of the project's own name or its folder's.
        folder: relative to kubekit.yaml's; "." where that is the backend's own.
        python: such as "3.13".
        other_python: another version that the project allows; empty where it allows no other.
        base: what follows the version in the tag of the base image, such as "slim".
        requirements: the file that uv-pip and pip-venv install from, then those it names by `-r`
            and `-c`: all are copied, only the first is installed from.
        manifests: the files that uv sync needs before the source is there, in the order of COPY:
            pyproject.toml, uv.lock, .python-version and a readme that pyproject.toml names. With
            pip-venv and uv-pip: what installing the project itself needs; empty where it is not.
        development: dependencies that must not be in the image, by their names on PyPI.
        app: `module:attribute` of the ASGI or WSGI application, as the server imports it.
        factory: whether that attribute is a function that makes the application.
        source: the folder that modules are imported from, such as "src" or ".".
        packages: folders and modules below `source` that are copied, such as ("app",).
        data: further folders, and files such as alembic.ini, that exist and belong into the image.
        documents: folders in these in which the app keeps Markdown, such as "app/prompts".
        collected: Django's settings module by which the build collects static files; None where
            whitenoise serves none.
        stored: where Django's settings have the file of sqlite; None where they have none.
        migrate: the command that migrates the database before the app starts; usually none.
        settings: Django's settings module to migrate by; None where `migrate` takes the app's.
        installed: whether the project itself is a distribution that is installed.
        port: that the container listens on.
        native: Debian packages that its dependencies need to be compiled; usually none.
        libraries: Debian packages that need to be in the final image for what was compiled.
        imports: third-party packages that the app imports, as they are: such as "sqlalchemy.orm".
    """

    name: str
    folder: str = "."
    python: str = "3.13"
    other_python: str = "3.11"
    base: str = "slim"
    packaging: Packaging
    requirements: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    development: tuple[str, ...] = ()
    framework: Framework
    server: Server = "uvicorn"
    app: str
    factory: bool = False
    source: str = "."
    packages: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    collected: str | None = None
    stored: Stored | None = None
    migrate: tuple[str, ...] = ()
    settings: str | None = None
    installed: bool = False
    port: int = 8000
    health: Health = Health()
    database: Database | None = None
    env: tuple[Variable, ...] = ()
    native: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The outcome of a look: the backend, or None while a question without a default is open."""

    backend: Backend | None
    notes: tuple[Note, ...]
    questions: tuple[Question, ...]
