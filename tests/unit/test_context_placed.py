"""Which file of the context lies at a path of the image."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kubekit.image.files.dockerfile import parse
from kubekit.image.files.placed import Layout

STAGES = """\
ARG PYTHON=3.13
FROM python:${PYTHON} AS builder
WORKDIR /build
COPY requirements.txt .
COPY src ./src
FROM python:${PYTHON} AS base
ENV HOME=/srv
WORKDIR $HOME
COPY alembic.ini pyproject.toml ./
FROM base
ARG CODE=app
COPY --from=builder --chown=1000:1000 /build/src ${CODE}/src
COPY --from=nginx:1 /etc/nginx /srv/nginx
COPY ["data", "data"]
COPY config/*.toml config/
"""


def layout(text: str, target: str | None = None, args: Mapping[str, str] | None = None) -> Layout:
    """Of a Dockerfile."""
    return Layout(parse(text), target=target, args=args or {})


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/srv/app/src/main.py", "src/main.py"),
        ("/srv/app/src", "src"),
        ("/srv/alembic.ini", "alembic.ini"),
        ("/srv/data/a/b.json", "data/a/b.json"),
        ("/srv/config/one.toml", "config/one.toml"),
    ],
)
def test_a_file_is_found_over_stages_and_variables(path: str, source: str) -> None:
    assert source in layout(STAGES).sources(path)


@pytest.mark.parametrize(
    "path",
    [
        "/build/src/main.py",  # of a stage that is only copied from
        "/srv/nginx/nginx.conf",  # of another image
        "/srv/other.txt",
        "/srvapp/src/main.py",
    ],
)
def test_what_no_copy_lays_there_is_not_found(path: str) -> None:
    assert not {"src/main.py", "nginx.conf", "other.txt"} & set(layout(STAGES).sources(path))


def test_all_of_the_context_at_once() -> None:
    laid = layout("FROM python\nWORKDIR /app\nCOPY . .\n")
    assert laid.sources("/app/app/main.py") == ("app/main.py",)
    assert laid.sources("/opt/venv/lib/x.py") == ()
    assert laid.workdir == "/app"


def test_what_is_copied_later_is_the_likelier() -> None:
    laid = layout("FROM python\nCOPY . /app\nCOPY backend/app /app\n")
    assert laid.sources("/app/main.py") == ("backend/app/main.py", "main.py")
    assert laid.last == 3


def test_the_stage_and_the_arguments_of_the_build_count() -> None:
    assert layout(STAGES, "builder").workdir == "/build"
    assert "src/a.py" in layout(STAGES, args={"CODE": "x"}).sources("/srv/x/src/a.py")


@pytest.mark.parametrize("text", ["", "FROM", "FROM x\nCOPY\nCOPY --from=1 a b\nADD a"])
def test_what_is_no_dockerfile_lays_nothing(text: str) -> None:
    assert layout(text).sources("/a") == ()


def test_many_stages_that_copy_from_each_other_take_no_time() -> None:
    lines = ["FROM python AS s0", "COPY . /app"]
    for number in range(1, 40):
        lines += [f"FROM s{number - 1} AS s{number}", f"COPY --from=s{number - 1} /app /app"]
    assert "a.py" in layout("\n".join(lines)).sources("/app/a.py")


def test_what_would_lie_beside_what_is_copied() -> None:
    laid = layout("FROM python\nCOPY . /all\nCOPY a/src /app/src\nCOPY b/x.py y.py /srv/\n")
    assert laid.beside("/app/data/one.json") == ("a/data/one.json",)
    assert laid.beside("/srv/one.json") == ("one.json", "b/one.json")
    assert laid.beside("/data/one.json") == laid.beside("/all/one.json") == ()
    assert layout("FROM python\nCOPY app.py /\n").beside("/one.json") == ()


def test_what_docker_flattens_is_not_brought_under_its_own_name() -> None:
    laid = layout(
        "FROM python\nCOPY src static *.toml LICENSE /app/\nCOPY conf /app/conf\nCOPY ui/* /ui/\n"
    )
    assert laid.brings("static/a.css", "/app/a.css", folder=False)
    assert laid.brings("LICENSE", "/app/LICENSE", folder=False)
    assert laid.brings("a.toml", "/app/a.toml", folder=False)
    assert laid.brings("conf", "/app/conf", folder=True)
    assert laid.brings("ui", "/ui", folder=True)
    assert not laid.brings("ui/css/a.css", "/ui/css/a.css", folder=False)
    assert not laid.brings("static", "/app/static", folder=True)
    assert not laid.brings("static/a.css", "/app/static/a.css", folder=False)
    assert not laid.brings("sub/a.toml", "/app/sub/a.toml", folder=False)
    assert "sub/a.toml" in laid.sources("/app/sub/a.toml")  # who runs it has it from somewhere


@pytest.mark.parametrize(
    "between", ["FROM ui AS built\n", "FROM scratch AS built\nCOPY --from=ui /ui /ui\n"]
)
def test_what_a_run_of_another_stage_made_is_not_known(between: str) -> None:
    text = (
        f"FROM node AS ui\nCOPY ui /ui\n{{run}}{between}FROM python\n"
        "COPY --from=built /ui /app/ui\nCOPY src /app/src\nRUN x\n"
    )
    made = layout(text.format(run="RUN npm run build\n"))
    assert not made.is_known("/app/ui/a.js")
    assert made.is_known("/app/src/main.py")
    assert layout(text.format(run="")).is_known("/app/ui/a.js")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ARG D=/a\nARG D=/b", "/b"),
        ("ENV D=/b\nARG D=/a", "/b"),
        ("ARG D=/a\nENV D=/b", "/b"),
        ("ARG D=/b\nARG D", "/b"),
    ],
)
def test_the_last_value_counts_and_env_before_arg(text: str, place: str) -> None:
    laid = layout(f"ARG D=/c\nFROM python\n{text}\nCOPY src $D\n".replace("ARG D=/c\n", ""))
    assert laid.sources(f"{place}/a.py")
    assert not laid.sources("/a/a.py")


def test_a_stages_own_default_is_nearer_than_that_above_all_stages() -> None:
    text = "ARG D=/c\nFROM python\nARG D=/b\nCOPY src $D\n"
    assert layout(text).sources("/b/a.py")
    assert layout(text, args={"D": "/x"}).sources("/x/a.py")
    assert layout("ARG D=/c\nFROM python\nARG D\nCOPY src $D\n").sources("/c/a.py")
