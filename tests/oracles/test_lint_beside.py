"""`kubekit lint` beside hadolint and Checkov, over the same files: one pair for each rule.

Where the two are not of one mind, the reason stands here, and a disagreement that has gone fails.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kubekit.lint import registry, sarif
from kubekit.lint.files import loose
from kubekit.lint.look import Look
from tests.docs import ROOT
from tests.oracles import tools
from tests.unit import lint_dockerfiles, lint_manifests

DIFFERENT: dict[tuple[str, str], str] = {
    ("apt-upgrade", "DL3005"): "hadolint 2.15 has let go of the rule",
    ("stage-name-twice", "CKV_DOCKER_11"): "Checkov knows `as`, but not `AS`",
    ("pip-trusted-host", "CKV2_DOCKER_16"): "of the variable; the flag, as here, is CKV2_DOCKER_4",
    ("sudo", "CKV2_DOCKER_1"): "found where there are few files, and not among these many",
    ("download-unchecked", "CKV2_DOCKER_3"): "of wget; curl, as here, is CKV2_DOCKER_2",
}
"""(our rule, their id) -> why they do not agree on our pair."""

OTHERS = {entry.id: entry.also for entry in registry.entries()}


def _pairs(prefixes: tuple[str, ...], cases: object) -> list[tuple[str, str]]:
    assert isinstance(cases, dict)
    return [(id_, other) for id_ in cases for other in OTHERS[id_] if other.startswith(prefixes)]


Found = dict[Path, set[str]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for id_, (bad, good) in lint_dockerfiles.CASES.items():
        for side, text in (("bad", bad), ("good", good)):
            (folder / "docker" / id_ / side).mkdir(parents=True)
            (folder / "docker" / id_ / side / "Dockerfile").write_text(text)
    for id_ in lint_manifests.CASES:
        (folder / "kube" / id_).mkdir(parents=True)
        # Checkov connects what has the same labels, whichever file it is in.
        text = lint_manifests.bad(id_).replace(
            "kubernetes.io/name: web", f"kubernetes.io/name: {id_}"
        )
        (folder / "kube" / id_ / "all.yaml").write_text(text)
    (folder / "kube/good").mkdir()
    (folder / "kube/good/all.yaml").write_text(lint_manifests.GOOD)
    return folder


@pytest.fixture(scope="module")
def by_hadolint(corpus: Path) -> Found:
    return tools.hadolint(sorted((corpus / "docker").rglob("Dockerfile")))


@pytest.fixture(scope="module")
def by_checkov(corpus: Path) -> Found:
    return tools.checkov(corpus)


def _agree(ours: str, theirs: str, bad: set[str], good: set[str]) -> None:
    agreed = theirs in bad and theirs not in good
    reason = DIFFERENT.get((ours, theirs))
    assert agreed == (reason is None), (sorted(bad), sorted(good), reason)


@pytest.mark.parametrize(("ours", "theirs"), _pairs(("DL",), lint_dockerfiles.CASES))
def test_hadolint(ours: str, theirs: str, corpus: Path, by_hadolint: Found) -> None:
    at = corpus / "docker" / ours
    _agree(ours, theirs, by_hadolint[at / "bad/Dockerfile"], by_hadolint[at / "good/Dockerfile"])


@pytest.mark.parametrize(("ours", "theirs"), _pairs(("CKV",), lint_dockerfiles.CASES))
def test_checkov_on_dockerfiles(ours: str, theirs: str, corpus: Path, by_checkov: Found) -> None:
    at = corpus / "docker" / ours
    bad, good = (by_checkov.get(at / side / "Dockerfile", set()) for side in ("bad", "good"))
    _agree(ours, theirs, bad, good)


@pytest.mark.parametrize(("ours", "theirs"), _pairs(("CKV",), lint_manifests.CASES))
def test_checkov_on_manifests(ours: str, theirs: str, corpus: Path, by_checkov: Found) -> None:
    bad = by_checkov.get(corpus / "kube" / ours / "all.yaml", set())
    good = by_checkov.get(corpus / "kube/good/all.yaml", set())
    _agree(ours, theirs, bad, good)


def test_sarif_by_the_standard_s_own_schema(corpus: Path, tmp_path: Path) -> None:
    found = loose([corpus], Look(extra=True)).findings
    report = sarif.report(found, root=corpus)
    file = tmp_path / "report.sarif"
    file.write_text(json.dumps(report))
    assert len(report["runs"][0]["results"]) > 200
    assert tools.sarif_problems(file) == ""
    report["runs"][0]["results"][0]["level"] = "bad"
    file.write_text(json.dumps(report))
    assert "'bad' is not one of" in tools.sarif_problems(file)


def test_this_repository_s_own_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "backend", tmp_path / "backend", ignore=lambda *_: {".venv"})
    # hadolint wants a HEALTHCHECK in each stage; the builder is never run.
    assert tools.hadolint([tmp_path / "backend/Dockerfile"]) == {
        tmp_path / "backend/Dockerfile": {"DL3057"}
    }
    assert tools.checkov(tmp_path).get(tmp_path / "backend/Dockerfile", set()) == set()
