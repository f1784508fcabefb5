"""Everything a person can do wrong: exit code, cause, place, and that nothing was made or lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli import seen
from tests.cli.cases import CASES, CLUSTER_CASES, Case
from tests.cli.world import DEPLOYMENT, PROFILE, SECRET, World
from tests.conftest import Result


def filled(text: str, world: World) -> str:
    """The expected text with this test's folders in it."""
    home = f"../{world.home.name}"
    return text.replace("{folder}", str(world.folder)).replace("{home}", home)


def check(case: Case, world: World, result: Result) -> None:
    assert result.code == case.code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    assert "defect" not in result.err
    assert SECRET not in result.err
    lines = result.err.splitlines()
    if case.cause is not None:
        assert f"✗ {filled(case.cause, world)}" in lines
    places = [line for line in lines if line.startswith("  at ")]
    assert places == ([f"  at {filled(case.place, world)}"] if case.place else [])
    for more in case.more:
        assert filled(more, world) in result.err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_without_a_cluster(case: Case, tmp_path: Path) -> None:
    world = World.make(tmp_path, case.id)
    result = seen.run(case, world)
    check(case, world, result)
    assert seen.block(case, world, result) in seen.PAGE.read_text()


@pytest.mark.cluster
@pytest.mark.parametrize("case", CLUSTER_CASES, ids=lambda case: case.id)
def test_with_a_cluster(case: Case, tmp_path: Path, cluster: dict[str, str]) -> None:
    world = World.make(tmp_path, case.id, cluster)
    result = seen.run(case, world)
    check(case, world, result)
    assert is_gone(world)
    # The address of this machine's name server is in what the daemon says.
    if case.id != "base-missing":
        assert seen.block(case, world, result) in seen.PAGE.read_text()


def is_gone(world: World) -> bool:
    """Whether the project's namespace is not there, or going."""
    look = ["get", "namespace", world.name, "--ignore-not-found", "-o", "jsonpath={.status.phase}"]
    done = subprocess.run(
        ["kubectl", "--context", PROFILE, *look], env=world.lab, capture_output=True, check=True
    )
    return done.stdout in {b"", b"Terminating"}


def test_a_mistake_changes_no_file(world: World) -> None:
    world.image()
    world.write("kubekit.yaml", "name: tasks\nnamspace: x\n")
    before = world.files()
    assert world.run("build-and-apply").code == 2
    assert world.files() == before


@pytest.mark.parametrize(
    ("named", "mode", "cause"),
    [
        ("locked", 0o300, "no permission to read `locked`"),
        ("locked/x", 0o600, "no permission to look into `locked`"),
    ],
)
def test_a_folder_of_manifests_that_is_locked(
    world: World, named: str, mode: int, cause: str
) -> None:
    world.project(f"manifests: [{named}]\n")
    (world.folder / "locked" / "x").mkdir(parents=True)
    (world.folder / "locked").chmod(mode)
    result = world.run_without_privilege("render")
    (world.folder / "locked").chmod(0o700)
    assert (result.code, result.err.splitlines()[0]) == (3, f"✗ {cause}")
    assert "  hint: run `chmod u+" in result.err


def test_a_failure_as_json_is_the_last_event(world: World) -> None:
    world.project()
    world.write("manifests/app.yaml.j2", "{{ nope }}\n")
    result = world.run("render", "-o", "json")
    assert result.err == ""
    last = result.events[-1]
    assert (last["type"], last["exit_code"], last["place"]) == (
        "failed",
        result.code,
        "manifests/app.yaml.j2:1",
    )


def test_env_that_all_may_read_is_a_warning(world: World) -> None:
    world.project()
    world.write(".env", f"TOKEN={SECRET}\n", mode=0o644)
    result = world.run("render")
    assert result.code == 0
    assert result.err == (
        "! `.env` may be read by every user of this machine\n  hint: `chmod 600 .env`\n"
    )
    assert SECRET not in result.out


def test_data_is_not_deleted_without_a_yes(world: World) -> None:
    world.project()
    result = world.run("teardown", "--data")
    assert result.code == 2
    assert "Nobody is there to answer" in result.err
    assert "hint: say so with `--yes`" in result.err


@pytest.mark.cluster
def test_where_docker_was_last_time_is_only_a_guess(lab_world: World) -> None:
    lab_world.project("build: {context: app}\n", manifest=DEPLOYMENT)
    lab_world.write("app/Dockerfile", "FROM python:3.13-slim\n")
    assert lab_world.run("build-and-apply", "--dry-run").code == 0
    (cache,) = lab_world.home.glob(".cache/kubekit/endpoints/*.json")
    right = cache.read_text()
    for wrong in ('{"host": "tcp://127.0.0.1:1", "cert_path": ""}', "not JSON", '{"host": 3}'):
        cache.write_text(wrong)
        result = lab_world.run("build-and-apply", "--dry-run")
        assert result.code == 0, result.err
        assert cache.read_text() == right


@pytest.mark.cluster
def test_certificates_of_docker_that_are_gone(lab_world: World) -> None:
    lab_world.own_copy_of_the_lab()
    certificates = lab_world.minikube / "certs"
    (certificates / "ca.pem").unlink()
    lab_world.image()
    result = lab_world.run("build-and-apply")
    assert result.code == 8
    assert result.err.splitlines()[1:] == [
        f"✗ Minikube names `{certificates}` for Docker's certificates, but `ca.pem` is not there",
        "  hint: check that MINIKUBE_HOME is the one the profile was started with",
    ]
