"""What is left out because somebody said so, and findings as SARIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubekit.errors import FilesError, UsageError
from kubekit.events import Ended, Event, Found, Output
from kubekit.lint import sarif
from kubekit.lint.files import loose
from kubekit.lint.look import Look
from kubekit.lint.run import Wanted, lint
from kubekit.model import Clock

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: {NOTE}
spec:
  # before
  hostPID: true  # behind
  hostIPC: true
"""


def ids(file: Path) -> set[str]:
    return {one.id for one in loose([file], Look(extra=True)).findings}


@pytest.mark.parametrize(
    "comment",
    [
        "# kubekit: ignore=image-untagged it is ours",
        "# kubekit: ignore=DL3006",
        "# kubekit: ignore=user-missing,image-untagged",
        "# hadolint ignore=DL3006,DL3002",
        "# hadolint global ignore=DL3006",
        "# checkov:skip=CKV_DOCKER_7:it is ours",
        "# kubekit: ignore=image-untagged\n# and another remark",
    ],
)
def test_comments_above_an_instruction(comment: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python\n")
    assert "image-untagged" in ids(file)
    file.write_text(f"{comment}\nFROM python\n")
    assert "image-untagged" not in ids(file)
    assert ids(file) - {"image-untagged"}


@pytest.mark.parametrize(
    "comment", ["# kubekit: ignore=image-latest", "# hadolint ignore=DL3007", "# DL3006"]
)
def test_a_comment_about_another_rule_changes_nothing(comment: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"{comment}\nFROM python\n")
    assert "image-untagged" in ids(file)


def test_comments_and_annotations_of_objects(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    for old, new in (
        ("# behind", "# kubekit: ignore=host-pid"),
        ("# before", "# kubekit: ignore=host-pid"),
        ("{NOTE}", "{checkov.io/skip1: CKV_K8S_17=meant so}"),
        ("{NOTE}", "{ignore-check.kube-linter.io/host-pid: meant so}"),
        ("{NOTE}", '{polaris.fairwinds.com/hostPIDSet-exempt: "true"}'),
        ("apiVersion", "# kubekit: ignore=host-pid\napiVersion"),
    ):
        file.write_text(POD.replace(old, new).replace("{NOTE}", "{}"))
        assert "host-pid" not in ids(file), new
        assert "host-ipc" in ids(file), new
    file.write_text(POD.replace("{NOTE}", "{}"))
    assert {"host-pid", "host-ipc"} <= ids(file)


def told(folder: Path, wanted: Wanted) -> tuple[list[Event], FilesError | None]:
    events: list[Event] = []
    try:
        lint(None, wanted, events.append, Clock())
    except FilesError as error:
        return events, error
    return events, None


def test_errors_end_with_3_and_warnings_only_if_strict(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python\nUSER 10001\n")
    events, error = told(tmp_path, Wanted(paths=(file,)))
    assert error is None
    assert isinstance(events[-1], Ended)
    assert {one.severity for one in events if isinstance(one, Found)} == {"warning"}
    assert told(tmp_path, Wanted(paths=(file,), strict=True))[1] is not None
    file.write_text("FROM python:3.13\nUSER 10001\nENV API_KEY=abcdef\n")
    error = told(tmp_path, Wanted(paths=(file,)))[1]
    assert error is not None
    assert (error.exit_code, error.message) == (3, "1 error")


def test_a_rule_is_left_out_by_any_of_its_ids(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nUSER 10001\n")
    for id_ in ("image-untagged", "DL3006"):
        events, _ = told(tmp_path, Wanted(paths=(tmp_path,), ignored=frozenset({id_})))
        assert [one for one in events if isinstance(one, Found)] == []
    with pytest.raises(UsageError, match="did you mean `image-untagged`"):
        told(tmp_path, Wanted(paths=(tmp_path,), ignored=frozenset({"image-untaged"})))


def test_sarif_has_what_the_standard_requires(tmp_path: Path) -> None:
    file = tmp_path / "a b.Dockerfile"
    file.write_text("FROM python\nENV API_KEY=abcdef\n")
    found = loose([file], Look(extra=True)).findings
    report: dict[str, Any] = json.loads(json.dumps(sarif.report(found, root=tmp_path)))
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    rules = driver["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(found) > 0
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"] == {"uri": "a%20b.Dockerfile", "uriBaseId": "ROOT"}
        assert physical["region"]["startLine"] >= 1
        assert result["partialFingerprints"]
    assert run["originalUriBaseIds"]["ROOT"]["uri"].endswith("/")


def test_a_finding_keeps_its_fingerprint_when_lines_move(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    prints = []
    for text in ("FROM python\nUSER 1\n", "# more\n\nFROM python\nUSER 1\n"):
        file.write_text(text)
        report = sarif.report(loose([file], Look()).findings, root=tmp_path)
        prints.append({str(one["partialFingerprints"]) for one in report["runs"][0]["results"]})
    assert prints[0] == prints[1]


def test_sarif_is_all_that_is_printed(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    events, _ = told(tmp_path, Wanted(paths=(tmp_path,), sarif=True))
    assert [one for one in events if isinstance(one, Found)] == []
    (output,) = (one for one in events if isinstance(one, Output))
    assert json.loads(output.text) == output.data


def test_what_a_fix_has_taken_back_is_not_offered_again(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
        "  - &app\n    name: app\n    image: web:1\n  initContainers: [*app]\n"
    )
    for fix in (False, True):
        (end,) = (
            one
            for one in told(tmp_path, Wanted(paths=(file,), fix=fix))[0]
            if isinstance(one, Ended)
        )
        assert any("--fix" in hint for hint in end.hints) is not fix


def test_sarif_tells_paths_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/Dockerfile").write_text("FROM python\n")
    monkeypatch.chdir(tmp_path / "inner")
    events, _ = told(tmp_path, Wanted(paths=(Path("Dockerfile"),), sarif=True))
    (output,) = (one for one in events if isinstance(one, Output))
    assert '"uri": "inner/Dockerfile"' in output.text
