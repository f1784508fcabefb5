"""What a rehearsal refuses of a Dockerfile without a builder, and what it cannot know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit import rehearsal
from kubekit.checks import Prepared
from kubekit.errors import BuildError, FilesError
from kubekit.events import Event, Warned
from kubekit.image.files import context
from kubekit.model import BuildPlan, BuildSettings, ClusterTarget, Manifests, Object, Settings
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


@pytest.mark.parametrize(
    ("namespace", "why"),
    [(None, "does not exist yet"), ({"metadata": {"deletionTimestamp": "T"}}, "is being deleted")],
)
def test_what_is_in_a_namespace_that_goes_says_nothing(namespace: Object | None, why: str) -> None:
    class Cluster:
        def get(self, path: str) -> Object | None:
            assert path == "/api/v1/namespaces/x"
            return namespace

    said: list[Event] = []
    settings = Settings(file=Path("/x/k"), name="x", namespace="x", profile="x", manifests=())
    kube: Any = Cluster()
    prepared = Prepared(env=None, manifests=Manifests(items=()), image=None, plan=None)
    target = ClusterTarget(context="x", profile="x")
    rehearsal.rehearse(settings, kube, prepared, target, Run(emit=said.append))
    assert why in next(event.text for event in said if isinstance(event, Warned))


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
