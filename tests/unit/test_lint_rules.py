"""Every rule of `kubekit lint`: what breaks it is found, and what nearly does is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from kubekit.lint import registry
from kubekit.lint.files import loose
from kubekit.lint.look import Look
from kubekit.lint.registry import entries
from kubekit.lint.rule import Finding
from kubekit.lint.source import Source
from tests.unit import lint_dockerfiles, lint_manifests

# Rules that look at the files of the context: test_lint_files.py.
WITH_CONTEXT = {
    "app-not-importable",
    "copy-ignored",
    "copy-missing",
    "dockerignore-missing",
    "healthcheck-module",
    "nested-not-ignored",
}


def dockerfile(text: str) -> list[Finding]:
    return Look(extra=True).dockerfile(Source.read(text, Path("/project/Dockerfile")))


def manifests(text: str, folder: Path) -> tuple[Finding, ...]:
    file = folder / "all.yaml"
    file.write_text(text)
    return loose([file], Look(extra=True)).findings


@pytest.mark.parametrize("id_", lint_dockerfiles.CASES)
def test_a_dockerfile_that_breaks_one_rule(id_: str) -> None:
    bad, good = lint_dockerfiles.CASES[id_]
    assert id_ in {one.id for one in dockerfile(bad)}
    assert id_ not in {one.id for one in dockerfile(good)}


@pytest.mark.parametrize("id_", lint_dockerfiles.CASES)
def test_a_finding_in_a_dockerfile_stands_at_a_line_that_is_there(id_: str) -> None:
    text = lint_dockerfiles.CASES[id_][0]
    for one in dockerfile(text):
        assert one.place.line is not None
        assert 1 <= one.place.line <= len(text.splitlines()), one


def test_an_image_that_says_it_is_nonroot_needs_no_user() -> None:
    text = 'FROM gcr.io/distroless/python3-debian12:nonroot\nCMD ["app.py"]\n'
    assert "user-missing" not in {one.id for one in dockerfile(text)}


def test_a_quote_that_does_not_close_takes_no_time() -> None:
    start = time.process_time()
    for keyword in ("LABEL", "ENV", "ARG"):
        dockerfile(f'FROM python:3.13-slim\n{keyword} a="{chr(92)}x' + f"{chr(92)}x" * 5000 + "\n")
    assert time.process_time() - start < 20


def test_nothing_is_found_in_good_manifests(tmp_path: Path) -> None:
    assert manifests(lint_manifests.GOOD, tmp_path) == ()


@pytest.mark.parametrize("id_", lint_manifests.CASES)
def test_manifests_that_break_one_rule(id_: str, tmp_path: Path) -> None:
    found = manifests(lint_manifests.bad(id_), tmp_path)
    assert id_ in {one.id for one in found}
    for one in found:
        assert one.place.line is not None


def test_every_rule_has_a_case() -> None:
    rules = (*registry.DOCKER, *registry.CONTAINERS, *registry.PODS, *registry.OBJECTS)
    tried = {*lint_dockerfiles.CASES, *lint_manifests.CASES, *WITH_CONTEXT}
    assert {rule.id for rule in rules} == tried


def test_every_rule_says_what_it_finds_and_has_one_id() -> None:
    ids = [entry.id for entry in entries()]
    assert len(ids) == len(set(ids))
    texts = [entry.about for entry in entries()]
    assert len(texts) == len(set(texts))
    for entry in entries():
        assert entry.about.endswith("."), entry.id
        assert entry.id == entry.id.lower()


@pytest.mark.parametrize("id_", [*lint_dockerfiles.CASES, *lint_manifests.CASES])
def test_findings_are_told_in_one_line_without_a_full_stop(id_: str, tmp_path: Path) -> None:
    found: list[Finding] = []
    if id_ in lint_dockerfiles.CASES:
        found += dockerfile(lint_dockerfiles.CASES[id_][0])
    else:
        found += manifests(lint_manifests.bad(id_), tmp_path)
    for one in found:
        for text in (one.text, *one.hints):
            assert "\n" not in text
            assert not text.endswith("."), text
            assert text.count("`") % 2 == 0, text


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("{matchExpressions: [{key: app.kubernetes.io/name, operator: Exists}]}", False),
        ("{matchExpressions: [{key: app.kubernetes.io/name, operator: In, values: [x]}]}", True),
        ("{}", False),
    ],
)
def test_a_selector_of_expressions_is_read(selector: str, found: bool, tmp_path: Path) -> None:
    objects = lint_manifests.objects()
    for item in objects:
        if item["kind"] == "PodDisruptionBudget":
            item["spec"]["selector"] = yaml.safe_load(selector)
    told = manifests(yaml.safe_dump_all(objects), tmp_path)
    assert ("budget-missing" in {one.id for one in told}) is found


@pytest.mark.parametrize("flag", ["-c", "-ec", "-lc", '-o", "pipefail", "-c'])
def test_a_shell_that_stays_by_whatever_flag_it_has_its_script(flag: str) -> None:
    text = 'FROM python:3.13-slim\nUSER 10001\nCMD ["bash", "FLAG", "RUN uvicorn a:b"]\n'
    text = text.replace("FLAG", flag)
    found, right = (dockerfile(text.replace("RUN", word)) for word in ("env", "exec"))
    assert "shell-without-exec" in {one.id for one in found}
    assert "shell-without-exec" not in {one.id for one in right}


@pytest.mark.parametrize(
    "id_", ["cpu-limit-missing", "service-on-node", "ingress-without-tls", "single-replica"]
)
def test_what_is_a_choice_is_looked_for_only_with_all(id_: str, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(lint_manifests.bad(id_))
    for extra in (False, True):
        found = {one.id for one in loose([file], Look(extra=extra)).findings}
        assert (id_ in found) is extra


@pytest.mark.parametrize(("number", "found"), [(None, False), (1000, True), (0, True)])
def test_a_user_is_too_low_only_where_one_is_named(
    number: int | None, found: bool, tmp_path: Path
) -> None:
    objects = lint_manifests.objects()
    spec = objects[1]["spec"]["template"]["spec"]
    for security in (spec["securityContext"], spec["containers"][0]["securityContext"]):
        security.pop("runAsGroup", None)
        security["runAsUser"] = number
    told = manifests(yaml.safe_dump_all(objects), tmp_path)
    assert ("low-user-id" in {one.id for one in told}) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("$(REDIS_SERVICE_HOST)", False),
        ("http://$(TASKS_API_SERVICE_HOST):$(TASKS_API_SERVICE_PORT)", False),
        ("$(KUBERNETES_SERVICE_HOST)", True),
        ("redis", True),
    ],
)
def test_variables_of_services_that_are_used_stay(value: str, found: bool, tmp_path: Path) -> None:
    objects = lint_manifests.objects()
    spec = objects[1]["spec"]["template"]["spec"]
    del spec["enableServiceLinks"]
    spec["containers"][0]["env"] = [{"name": "REDIS", "value": value}]
    told = manifests(yaml.safe_dump_all(objects), tmp_path)
    assert ("service-links" in {one.id for one in told}) is found


@pytest.mark.parametrize(("namespace", "found"), [("tasks", False), (None, False), ("other", True)])
def test_a_budget_of_another_namespace_guards_nothing(
    namespace: str | None, found: bool, tmp_path: Path
) -> None:
    objects = lint_manifests.objects()
    for item in objects:
        if item["kind"] == "PodDisruptionBudget":
            item["metadata"]["namespace"] = namespace
    told = manifests(yaml.safe_dump_all(objects), tmp_path)
    assert ("budget-missing" in {one.id for one in told}) is found


@pytest.mark.parametrize(("namespace", "found"), [("tasks", False), ("other", True)])
def test_rights_of_an_account_in_another_namespace_are_not_its_own(
    namespace: str, found: bool, tmp_path: Path
) -> None:
    objects = lint_manifests.objects()
    del objects[0]["automountServiceAccountToken"]
    del objects[1]["spec"]["template"]["spec"]["automountServiceAccountToken"]
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": namespace}
    objects.append(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "web"},
            "subjects": [subject],
        }
    )
    told = manifests(yaml.safe_dump_all(objects), tmp_path)
    assert ("service-account-token" in {one.id for one in told}) is found
