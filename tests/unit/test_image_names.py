"""Misspelled names of base images, and the `ARG` that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.image.files.dockerfile import parse
from kubekit.image.files.names import arguments, meant, stage
from kubekit.lint.files import loose
from kubekit.lint.look import Look


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("pyton:3.12", "python:3.12"),
        ("pyhton", "python"),
        ("python:3.12-slmi", "python:3.12-slim"),
        ("pyton:3.12-silm-bokworm", "python:3.12-slim-bookworm"),
        ("docker.io/library/pyton:3.12", "docker.io/library/python:3.12"),
        ("postgre:17", "postgres:17"),
        ("node:22-alpin3.20", "node:22-alpine3.20"),
        ("ngnix:1", "nginx:1"),
        ("debain", "debian"),
        ("pythonn", "python"),
        ("mysqk:8", "mysql:8"),
    ],
)
def test_what_is_nearly_an_image_of_dockers_library(written: str, right: str) -> None:
    assert meant(written) == right


@pytest.mark.parametrize(
    "written",
    [
        *("python", "python:3.13-slim", "python:3.14.0rc1-slim-trixie", "python:3.13-alpine3.21"),
        *("node:22-bullseye-slim", "golang:1.25-windowsservercore-ltsc2022", "mono:6", "debian:13"),
        *("postgres:17-alpien", "tasks:kk-1", "pyton@sha256:00", "me/pyton:3.12", "ghcr.io/pyton"),
        *("localhost:5000/pyton", "", "python:", ":3.12"),
        *("myregistry:5000/team/app:1", "nodes:5000/app", "mypython:3.13", "postgis:1", "base:1"),
        *("python3:1", "nginx1", "nodejs:20", "golangci", "nod:20"),
    ],
)
def test_what_may_be_meant_as_it_is(written: str) -> None:
    assert meant(written) is None


def test_where_a_name_comes_from() -> None:
    parsed = parse(
        "ARG TAG=3.13-slim\nARG NONE\nARG IMAGE=python:$TAG\nARG X=$X\nFROM x\nARG IMAGE=y\n"
    )
    assert [*arguments(parsed, "${IMAGE:-python}")] == [("IMAGE", 3), ("TAG", 1)]
    assert [*arguments(parsed, "$NONE-$X")] == [("X", 4)]
    assert [*arguments(parsed, "python")] == []


@pytest.mark.parametrize(
    ("default", "id_", "hint"),
    [
        ("pyton:3.12", "image-misspelled", "did you mean `python:3.12`?"),
        ("python:latest", "image-latest", "name a version or a digest"),
        ("python", "image-untagged", "name a version, such as `python:3.13-slim`"),
    ],
)
def test_what_is_wrong_by_an_argument_is_told_at_both_lines(
    tmp_path: Path, default: str, id_: str, hint: str
) -> None:
    file = tmp_path / "Dockerfile"
    text = f"# first\nARG IMAGE={default}\n\nFROM ${{IMAGE}} AS runtime\n"

    def told() -> dict[int | None, tuple[str, ...]]:
        found = loose([file], Look()).findings
        return {one.place.line: one.hints for one in found if one.id == id_}

    file.write_text(text)
    assert told() == {2: (hint,), 4: (hint,)}
    file.write_text(text.replace("FROM", f"# kubekit: ignore={id_}\nFROM"))
    assert told() == {}


def test_a_stage_whose_name_is_misspelled(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python:3.13-slim AS builder\nFROM bulder\n")
    (one,) = [one for one in loose([file], Look()).findings if one.id == "image-misspelled"]
    assert (one.place.line, one.hints) == (2, ("did you mean the stage `builder`?",))


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        *(("bulder", "Builder"), ("buildr", "Builder")),
        # An image by all that it says, or of Docker's own library.
        *(("node:20", None), ("node2", "node20"), ("redis", None), ("me/builder", None)),
        *(("builder@sha256:00", None), ("other", None)),
    ],
)
def test_a_stage_is_meant_by_nothing_that_is_an_image(reference: str, meant: str | None) -> None:
    assert stage(reference, ["Builder", "", "node20", "redis1"]) == meant


def told(tmp_path: Path, text: str) -> list[tuple[str, int | None]]:
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    found = loose([file], Look()).findings
    return [(one.id, one.place.line) for one in found if one.id.startswith("image-")]


@pytest.mark.parametrize(
    "text",
    [
        "ARG V=prod\nFROM a:1 AS base-dev\nFROM a:1 AS base-prod\nFROM base-${V}\n",
        'FROM a:1 AS base\nFROM "base"\n',
        "FROM node:20 AS node20\nFROM node:20 AS deps\n",
        "FROM mypython:3.13\n",
    ],
)
def test_a_stage_by_a_variable_or_in_quotes_is_no_image(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == []


def test_only_the_argument_that_is_wrong_is_told(tmp_path: Path) -> None:
    misspelled = "image-misspelled"
    assert told(tmp_path, "ARG V=3.13\nFROM pyhton:$V-slim\n") == [(misspelled, 2)]
    both = [(misspelled, 1), (misspelled, 3)]
    assert told(tmp_path, "ARG NAME=pyhton\nARG V=3.13\nFROM $NAME:$V\n") == both
    text = "ARG HOST=ghcr.io\nARG NAME=app\nFROM $HOST/$NAME\n"
    assert told(tmp_path, text) == [("image-untagged", 2), ("image-untagged", 3)]
    text = "ARG NAME=python\nARG TAG=latest\nFROM $NAME:$TAG\n"
    assert told(tmp_path, text) == [("image-latest", 2), ("image-latest", 3)]
