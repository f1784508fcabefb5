"""What a rehearsal refuses of a Dockerfile without a builder."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit import rehearsal
from kubekit.errors import BuildError, FilesError
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSettings
from kubekit.session import Run

RUN = Run(emit=lambda _: None)


def of(root: Path, text: str, target: str | None = None) -> BuildPlan:
    file = root / "Dockerfile"
    file.write_text(text)
    return context.plan(BuildSettings(context=root, dockerfile=file, target=target), name="tasks")


@pytest.mark.parametrize(
    ("text", "target", "id_", "line"),
    [
        ("FROM a\nWORKDIRR /app\n", None, "dockerfile-syntax", 2),
        ("FROM a AS one\n", "two", "stage-missing", None),
    ],
)
def test_what_every_builder_refuses(
    tmp_path: Path, text: str, target: str | None, id_: str, line: int | None
) -> None:
    plan = of(tmp_path, text, target)
    with pytest.raises((BuildError, FilesError)) as caught:
        rehearsal._check_dockerfile(plan, RUN)
    assert (caught.value.id, caught.value.place and caught.value.place.line) == (id_, line)
    assert caught.value.hints


def test_without_a_from_there_is_nothing_to_build(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="no `FROM`"):
        rehearsal._check_dockerfile(of(tmp_path, "ARG V=1\n"), RUN)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ARG V=1\nfrom a:$V as One\nmaintainer me\nRUN <<EOF\nWORKDIRR\nEOF\n", "one"),
        ("# escape=`\nFROM a\nRUN x `\n  WORKDIRR\n", None),
        ("# syntax=me/mine\nFROM a\nINCLUDE b\n", None),
    ],
)
def test_what_a_builder_may_take(tmp_path: Path, text: str, target: str | None) -> None:
    rehearsal._check_dockerfile(of(tmp_path, text, target), RUN)
