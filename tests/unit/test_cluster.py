"""Which cluster may be touched: decided from the kubeconfig and the profile's own file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubekit.cluster import target as cluster
from kubekit.errors import KubekitError, UnreachableError, UsageError
from kubekit.model import ClusterTarget, Settings

EXTENSION = {"name": "cluster_info", "extension": {"provider": "minikube.sigs.k8s.io"}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return tmp_path


def profile(
    home: Path,
    name: str = "dev",
    *,
    runtime: str = "docker",
    nodes: int = 1,
    machines: tuple[dict[str, object], ...] = (),
) -> Path:
    file = home / ".minikube" / "profiles" / name / "config.json"
    file.parent.mkdir(parents=True)
    config = {
        "Driver": "docker",
        "KubernetesConfig": {"ContainerRuntime": runtime, "KubernetesVersion": "v1.34.4"},
        "Nodes": list(machines) or [{}] * nodes,
    }
    file.write_text(json.dumps(config))
    return file


def kubeconfig(home: Path, **contexts: bool) -> None:
    """A kubeconfig with these contexts; the value says whether Minikube made the cluster."""
    data = {
        "contexts": [{"name": name, "context": {"cluster": name}} for name in contexts],
        "clusters": [
            {"name": name, "cluster": {"server": "x", "extensions": [EXTENSION] if own else []}}
            for name, own in contexts.items()
        ],
    }
    (home / "kubeconfig").write_text(yaml.safe_dump(data))


def settings(**changes: Any) -> Settings:
    base = {"file": Path("/x/kubekit.yaml"), "name": "t", "namespace": "t", "profile": "dev"}
    return Settings(**(base | changes))


def failure(**changes: Any) -> KubekitError:
    with pytest.raises(KubekitError) as caught:
        cluster.resolve(settings(**changes))
    return caught.value


def test_a_profile_of_minikube(home: Path) -> None:
    profile(home)
    kubeconfig(home, dev=True)
    assert cluster.resolve(settings()) == ClusterTarget(context="dev", profile="dev")


def test_a_profile_that_is_not_there(home: Path) -> None:
    profile(home, "development")
    error = failure(profile="developmnt")
    assert isinstance(error, UnreachableError)
    assert error.hints[0] == "did you mean `development`?"


def test_without_a_profile_of_that_name_all_are_named(home: Path) -> None:
    profile(home, "first")
    profile(home, "second")
    hints = failure(profile="minikube").hints
    assert hints[0].startswith("there are `first`, `second`: name one with `--profile`")


def test_a_stopped_profile_has_no_context(home: Path) -> None:
    profile(home)
    assert failure().id == "profile-stopped"


def test_a_context_that_only_has_the_name(home: Path) -> None:
    profile(home)
    kubeconfig(home, dev=False)
    assert isinstance(failure(), UsageError)


def test_a_damaged_profile_names_its_file(home: Path) -> None:
    file = profile(home)
    file.write_text("{")
    error = failure()
    assert error.id == "profile-damaged"
    assert error.place is not None
    assert error.place.file == file


def test_other_clusters_must_be_allowed(home: Path) -> None:
    kubeconfig(home, prod=False)
    error = failure(profile=None, context="prod")
    assert (error.id, error.exit_code) == ("context-refused", 2)
    allowed = settings(profile=None, context="prod", allow_contexts=("prod",))
    assert cluster.resolve(allowed) == ClusterTarget(context="prod", profile=None)


def test_an_unknown_context_lists_what_there_is(home: Path) -> None:
    kubeconfig(home, alpha=True, beta=True)
    assert failure(profile=None, context="gamma").hints == ("contexts there: alpha, beta",)


def test_a_context_of_minikube_leads_to_its_profile(home: Path) -> None:
    profile(home)
    kubeconfig(home, dev=True)
    assert cluster.resolve(settings(profile=None, context="dev")).profile == "dev"


@pytest.mark.parametrize(
    ("runtime", "nodes", "cause"),
    [
        ("containerd", 1, "runtime-not-docker"),
        ("cri-o", 1, "runtime-not-docker"),
        ("docker", 2, "several-nodes"),
    ],
)
def test_profiles_whose_docker_cannot_build(
    home: Path, runtime: str, nodes: int, cause: str
) -> None:
    profile(home, runtime=runtime, nodes=nodes)
    with pytest.raises(UnreachableError) as caught:
        cluster.need_docker_runtime(ClusterTarget(context="dev", profile="dev"))
    assert caught.value.id == cause


@pytest.mark.parametrize(
    ("nodes", "names"),
    [
        ([("", True)], ("dev",)),
        ([("m01", True)], ("dev",)),  # as before v1.20
        ([("", True), ("m02", False)], ("dev", "dev-m02")),
        ([("m02", False), ("m01", True), ("m03", True)], ("dev-m01", "dev-m03", "dev-m02")),
    ],
)
def test_nodes_are_called_as_minikube_calls_them(
    home: Path, nodes: list[tuple[str, bool]], names: tuple[str, ...]
) -> None:
    profile(home, machines=tuple({"Name": name, "ControlPlane": first} for name, first in nodes))
    found = cluster.read_profile("dev")
    assert found is not None
    assert (found.machines, found.nodes) == (names, len(nodes))
    assert found.has_docker == (len(nodes) == 1)


def test_an_old_profile_without_a_runtime_means_docker(home: Path) -> None:
    profile(home, runtime="")
    assert (
        cluster.need_docker_runtime(ClusterTarget(context="dev", profile="dev")).runtime == "docker"
    )


def test_minikube_home_may_be_named_in_full(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIKUBE_HOME", str(home / ".minikube"))
    assert cluster.minikube_home() == home / ".minikube"


def test_the_active_profile(home: Path) -> None:
    assert cluster.active_profile() is None
    file = home / ".minikube" / "config" / "config.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"profile": "other"}')
    assert cluster.active_profile() == "other"
