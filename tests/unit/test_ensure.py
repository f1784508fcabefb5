"""What is asked of a store before a build, and what a build that fails says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from kubekit.errors import (
    BuildError,
    CancelledError,
    FilesError,
    KubekitError,
    UnreachableError,
    shown,
)
from kubekit.image import build
from kubekit.image.changes import Memory, Record
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.image.store import Base, Order
from kubekit.model import BuildSettings, Cancel, DockerEndpoint

TOKEN = "s3cr3t-t0ken"


class Ending(DockerStore):
    """A Docker of which only the way a build ends matters."""

    def __init__(self, error: KubekitError) -> None:
        super().__init__(Engine(DockerEndpoint(host="unix:///nowhere")))
        self.error = error

    def build(self, *_: object, **__: object) -> None:
        raise self.error


@pytest.mark.parametrize("kind", [BuildError, UnreachableError, FilesError, CancelledError])
def test_no_end_of_a_build_tells_the_value_of_a_secret_argument(
    tmp_path: Path, kind: type[KubekitError]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    plan = context.plan(
        BuildSettings(
            context=tmp_path, dockerfile=tmp_path / "Dockerfile", args={"API_TOKEN": TOKEN}
        ),
        name="tasks",
    )
    said = f"the daemon answers: bad argument {TOKEN}"
    store = Ending(kind(said, hints=(f"not {TOKEN}",), details=(TOKEN,)))
    with pytest.raises(kind) as caught:
        build._build(
            Order(plan=plan, reference="tasks:1", labels={}),
            store,
            emit=lambda _: None,
            cancel=Cancel(),
        )
    error = caught.value
    assert TOKEN not in " ".join([str(error), error.message, *error.hints, *error.details])
    assert error.message == "the daemon answers: bad argument ***"


class Empty(DockerStore):
    """A Docker for linux/amd64 without any image, that notes what is to be pulled."""

    def __init__(self) -> None:
        super().__init__(Engine(DockerEndpoint(host="unix:///nowhere")))
        self.pulled: list[tuple[str, str | None]] = []

    def platform(self) -> tuple[str, str]:
        return ("linux", "amd64")

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        return {one: "sha256:0" for one, _ in self.pulled if one in set(references)}

    def bases(self, references: Iterable[str]) -> dict[str, Base]:
        return {one: Base(id=id_) for one, id_ in self.image_ids(references).items()}

    def pull(self, reference: str, *, platform: str | None, **_: object) -> None:
        self.pulled.append((reference, platform))


OTHER = "FROM --platform=linux/arm64 a AS other\n"
NATIVE = "FROM a AS native\n"


@pytest.mark.parametrize("text", [OTHER + NATIVE, NATIVE + OTHER])
def test_of_one_name_with_two_platforms_the_daemons_own_is_pulled(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"{text}FROM native\nCOPY --from=other /x /x\n")
    plan = context.plan(BuildSettings(context=tmp_path, dockerfile=file), name="tasks")
    store = Empty()
    _, bases, found = build._look(plan, store, None, emit=lambda _: None, cancel=Cancel())
    assert store.pulled == [("a", None)]
    assert (bases, found) == ({"a": "sha256:0"}, None)


@pytest.mark.parametrize("written", ["$V", "python:$V", "python:$V-slim"])
def test_a_base_image_that_lacks_a_value_is_told_with_its_line(
    tmp_path: Path, written: str
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"ARG V\nFROM {written}\n")
    plan = context.plan(BuildSettings(context=tmp_path, dockerfile=file), name="tasks")
    store = Empty()
    with pytest.raises(FilesError, match="variables have no value") as caught:
        build._look(plan, store, None, emit=lambda _: None, cancel=Cancel())
    assert (caught.value.id, str(caught.value.place)) == ("base-without-value", f"{file}:2")
    assert store.pulled == []


class Offline(Empty):
    """A Docker that has one image and cannot pull another."""

    def pull(self, reference: str, *, platform: str | None, **_: object) -> None:
        if reference != "python":
            raise BuildError("cannot be pulled", hints=("bring it there",))
        super().pull(reference, platform=platform)


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("FROM python AS Builder\nFROM python\nCOPY --from=bilder /x /x\n", ("Builder", 3)),
        ("FROM python AS base\nFROM bse\n", ("base", 2)),
        ("FROM bse\nFROM python AS base\nCOPY --from=0 /x /x\n", (None, 1)),
        ("FROM python AS base\nFROM nginx\n", (None, 2)),
    ],
)
def test_a_stage_that_is_misspelled(
    tmp_path: Path, text: str, hints: tuple[str | None, int]
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    plan = context.plan(BuildSettings(context=tmp_path, dockerfile=file), name="tasks")
    with pytest.raises(BuildError) as caught:
        build._look(plan, Offline(), None, emit=lambda _: None, cancel=Cancel())
    name, line = hints
    first = f"did you mean the stage `{name}`?" if name else "bring it there"
    assert (caught.value.hints[0], str(caught.value.place)) == (first, f"{file}:{line}")


@pytest.mark.parametrize(
    ("given", "where"), [({}, "`{file}:2`"), ({"TAG": "3"}, "`build.args` in kubekit.yaml")]
)
def test_a_base_image_that_is_misspelled_by_an_argument(
    tmp_path: Path, given: dict[str, str], where: str
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("ARG NAME=pyton\nARG TAG=3\nFROM ${NAME}:${TAG}\n")
    settings = BuildSettings(context=tmp_path, dockerfile=file, args=given)
    plan = context.plan(settings, name="tasks")
    with pytest.raises(BuildError) as caught:
        build._look(plan, Offline(), None, emit=lambda _: None, cancel=Cancel())
    assert caught.value.hints == (
        "did you mean `python:3`?",
        f"`NAME` in its name is set by `{shown(file)}:1`",
        f"`TAG` in its name is set by {where.format(file=shown(file))}",
        "bring it there",
    )


def test_nothing_is_pulled_for_a_build_that_would_miss_what_it_copies(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python\nCOPY none /\n")
    plan = context.plan(BuildSettings(context=tmp_path, dockerfile=file), name="tasks")
    store = Empty()
    with pytest.raises(BuildError, match="`none` is not in the build context"):
        build._look(plan, store, None, emit=lambda _: None, cancel=Cancel())
    assert store.pulled == []


def test_a_survey_names_what_a_build_makes_and_pulls_nothing(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM a\nCOPY --from=b /x /x\n")
    plan = context.plan(BuildSettings(context=tmp_path, dockerfile=file), name="tasks")
    memory = Memory(tmp_path / "record")
    store = Empty()
    before = build.survey(plan, store, memory)
    assert (sorted(before.missing), before.named, store.pulled) == (["a", "b"], False, [])

    made, bases, _ = build._look(plan, store, None, emit=lambda _: None, cancel=Cancel())
    after = build.survey(plan, store, memory)
    assert (after.reference, after.missing) == (made.reference(bases), {})
    assert after.named
    memory.write(Record.of(made, {**bases, "b": "sha256:1"}))
    # What is there now counts, not what the last build was made of.
    assert build.survey(plan, store, memory).reference == after.reference
