"""What is certain to fail ends a run before anything is written, on the real cluster."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.conftest import Project

pytestmark = pytest.mark.cluster

TEMPLATE = "      enableServiceLinks: false\n"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n---\n"


def spec(project: Project, line: str) -> None:
    """One line more in the pod's spec."""
    project.edit("manifests/app.yaml.j2", TEMPLATE, f"{TEMPLATE}      {line}\n")


@pytest.mark.parametrize(
    ("line", "cause", "code"),
    [
        ("serviceAccountName: robot", "service-account-missing", 5),
        ("nodeSelector: {kubekit.test/disk: ssd}", "node-selector", 6),
    ],
)
def test_nothing_is_written_and_the_new_namespace_goes_again(
    project: Project, line: str, cause: str, code: int
) -> None:
    spec(project, line)
    result = project.run("build-and-apply", "-o", "json")
    failed = result.of("failed")[-1]
    assert (failed["id"], failed["exit_code"], result.code) == (cause, code, code)
    assert failed["place"] == "manifests/app.yaml.j2:12"
    changed = [(item["ref"], item["action"]) for item in result.of("object")]
    namespace = f"Namespace/{project.name}"
    assert changed == [(namespace, "created"), (namespace, "deleted")]


def test_what_this_run_brings_is_no_reason(project: Project) -> None:
    spec(project, "serviceAccountName: robot")
    manifest = (project.folder / "manifests/app.yaml.j2").read_text()
    project.write("manifests/app.yaml.j2", ACCOUNT + manifest)
    project.apply()


def test_a_rehearsal_tells_it_too_and_a_tolerated_cause_is_left_to_the_wait(
    new_project: Callable[..., Project],
) -> None:
    project = new_project()
    project.apply()
    spec(project, "nodeSelector: {kubekit.test/disk: ssd}")
    assert project.fail("--dry-run")["id"] == "node-selector"
    late = project.fail("--tolerate", "node-selector", "--timeout", "3s")
    assert (late["id"], late["exit_code"]) == ("node-selector", 7)
