"""The kubeconfig as it may be: several files, and shapes that nobody should write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubekit.cluster.kubeconfig import Context, contexts
from kubekit.errors import UsageError

MADE = "[{name: cluster_info, extension: {provider: minikube.sigs.k8s.io}}]"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def context(name: str, cluster: str) -> str:
    return f"{{name: {name}, context: {{cluster: {cluster}}}}}"


def test_the_first_of_a_name_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = file.with_name("other")
    file.write_text(f"contexts: [{context('a', 'x')}, {context('a', 'y')}]\n")
    other.write_text(
        f"contexts: [{context('a', 'z')}]\n"
        f"clusters: [{{name: x, cluster: {{extensions: {MADE}}}}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", f"{file}{os.pathsep}{other}")
    assert contexts() == {"a": Context(name="a", cluster="x", minikube=True)}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("contexts: [{context: {cluster: a}}]", "`contexts[0]` of the kubeconfig is not a `name`"),
        ("contexts: [a]", "`contexts[0]` of the kubeconfig is not a `name` with a `context`"),
        ("contexts: [{name: a, context: b}]", "`contexts[0]` of the kubeconfig is not a `name`"),
        ("clusters: [{name: [a]}]", "`clusters[0]` of the kubeconfig is not a `name`"),
        ("clusters: [{name: a, cluster: [b]}]", "`clusters[0]` of the kubeconfig is not"),
        ("clusters: {a: {}}", "`clusters` of the kubeconfig is not a list"),
        ("x: 2026-13-45", "the kubeconfig is not YAML"),
    ],
)
def test_other_shapes_are_told_with_their_file(file: Path, text: str, cause: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        contexts()
    assert caught.value.message.startswith(cause)
    assert caught.value.place is not None
    assert caught.value.place.file == file


@pytest.mark.parametrize(
    "extensions", ["{a: b}", "[a]", "text", "[{name: cluster_info, extension: [a]}]"]
)
def test_odd_extensions_are_not_minikubes(file: Path, extensions: str) -> None:
    file.write_text(
        f"contexts: [{context('a', 'a')}]\n"
        f"clusters: [{{name: a, cluster: {{extensions: {extensions}}}}}]\n"
    )
    assert not contexts()["a"].minikube
