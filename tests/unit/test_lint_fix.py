"""`kubekit lint --fix`: what it changes, what it leaves alone, and that objects stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubekit.lint.files import loose, project
from kubekit.lint.fixing import fix
from kubekit.lint.look import Look
from kubekit.model import Settings
from tests.unit import lint_dockerfiles, lint_manifests

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # ours
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      # the app
      containers:
      - name: app   # first
        image: "web:1.0"
        args:
        - |
          several
          lines
"""


def fixed(file: Path) -> str:
    fix(lambda: loose([file], Look()))
    return file.read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM python:3 as a", "FROM python:3 AS a"),
        ("CMD uvicorn app.main:app", 'CMD ["uvicorn", "app.main:app"]'),
        ("ENV A b", "ENV A=b"),
        ("EXPOSE 8000/TCP", "EXPOSE 8000/tcp"),
        ("ADD src /app/src", "COPY src /app/src"),
        ("RUN pip install a==1", "RUN pip install --no-cache-dir a==1"),
        ("RUN useradd -u 123456 app", "RUN useradd -l -u 123456 app"),
    ],
)
def test_lines_of_a_dockerfile(before: str, after: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    file = tmp_path / "Dockerfile"
    head = "" if before.startswith("FROM") else "FROM python:3\n"
    file.write_text(f"{head}# a remark\n{before}  \n# another")
    text = fixed(file)
    assert text.replace(f"{after}  ", after) == f"{head}# a remark\n{after}\n# another"


@pytest.mark.parametrize(
    "line",
    [
        "CMD uvicorn app.main:app --port $PORT",
        "CMD cd /app && python -m app",
        "CMD exec python -m app",
        "CMD A=1 python -m app",
        "CMD python -m app \\\n    --more",
        'CMD python -c "print(1)"',
        "CMD ./start.sh",
        'ENTRYPOINT python -m app\nCMD ["--port", "8000"]',
        "ENTRYPOINT python -m app\nFROM a AS b\nCMD run",
        "ADD files.tar.gz /app",
        "ADD https://example.com/x /x",
        "ADD unknown /app/",
        "ADD packed /app/",
        "ENV A b c",
    ],
)
def test_what_could_mean_something_else_is_left(line: str, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "packed", "w") as archive:
        archive.add(__file__, "x")
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM python:3.13-slim\n{line}\n")
    assert fixed(file) == f"FROM python:3.13-slim\n{line}\n"


def test_a_command_behind_an_entrypoint_is_left(tmp_path: Path) -> None:
    text = 'FROM python:3.13-slim\nENTRYPOINT ["run"]\nCMD python -m app\n'
    (tmp_path / "Dockerfile").write_text(text)
    assert fixed(tmp_path / "Dockerfile") == text


def test_fields_of_an_object(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(DEPLOYMENT)
    text = fixed(file)
    for line in DEPLOYMENT.splitlines():
        assert line in text.splitlines()
    spec = yaml.safe_load(text)["spec"]["template"]["spec"]
    before = yaml.safe_load(DEPLOYMENT)["spec"]["template"]["spec"]
    assert spec.pop("automountServiceAccountToken") is False
    assert spec.pop("securityContext") == {"seccompProfile": {"type": "RuntimeDefault"}}
    security = spec["containers"][0].pop("securityContext")
    assert security == {"allowPrivilegeEscalation": False}
    assert spec == before
    assert fix(lambda: loose([file], Look())).edits == 0


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_ends_of_lines_stay(end: str, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_bytes(DEPLOYMENT.replace("\n", end).encode())
    fixed(file)
    data = file.read_bytes()
    assert data.count(b"\r\n") == (data.count(b"\n") if end == "\r\n" else 0)


def test_what_a_person_has_decided_stays(tmp_path: Path) -> None:
    decided = "        securityContext: {allowPrivilegeEscalation: true}\n"
    text = DEPLOYMENT.replace("        args:", f"{decided}        args:")
    file = tmp_path / "web.yaml"
    file.write_text(text)
    assert "allowPrivilegeEscalation: true" in fixed(file)
    assert "allowPrivilegeEscalation: false" not in file.read_text()


@pytest.mark.parametrize("id_", lint_manifests.CASES)
def test_objects_are_what_they_were_but_for_new_fields(id_: str, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(lint_manifests.bad(id_))
    before = list(yaml.safe_load_all(file.read_text()))
    after = list(yaml.safe_load_all(fixed(file)))
    _grew(before, after)


def _grew(before: Any, after: Any) -> None:
    if isinstance(before, dict):
        assert isinstance(after, dict)
        for key, value in before.items():
            _grew(value, after[key])
    elif isinstance(before, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            _grew(one, other)
    else:
        assert before == after


def test_a_template_gets_the_field_in_its_own_line(tmp_path: Path, web: Settings) -> None:
    template = DEPLOYMENT.replace("name: web", "name: {{ name }}").replace(
        "containers:", "{%- if true %}\n      containers:"
    )
    file = tmp_path / "manifests/web.yaml.j2"
    file.write_text(f"{template}{{%- endif %}}\n")
    first = fix(lambda: project(web, Look()))
    text = file.read_text()
    assert first.edits
    assert "allowPrivilegeEscalation: false" in text
    assert "{%- if true %}" in text
    assert "name: {{ name }}" in text
    assert fix(lambda: project(web, Look())).edits == 0


def test_a_loop_of_a_template_gets_the_field_for_all_of_its_objects(
    tmp_path: Path, web: Settings
) -> None:
    body = DEPLOYMENT.replace("name: web ", "name: {{ one }} ")
    file = tmp_path / "manifests/web.yaml.j2"
    file.write_text(f'{{% for one in ["a", "b"] %}}\n---\n{body}{{% endfor %}}\n')
    assert fix(lambda: project(web, Look())).edits == 3
    assert file.read_text().count("allowPrivilegeEscalation: false") == 1
    assert not [one for one in project(web, Look()).findings if one.edit]


@pytest.mark.parametrize("id_", lint_dockerfiles.CASES)
def test_a_good_dockerfile_needs_no_second_fix(id_: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(lint_dockerfiles.CASES[id_][0])
    fixed(file)
    assert fix(lambda: loose([file], Look())).edits == 0


def test_many_objects_in_a_file_are_clean_after_one_run(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    some = [DEPLOYMENT.replace("name: web ", f"name: web-{number} ") for number in range(90)]
    file.write_text("---\n".join(some))
    result = fix(lambda: loose([file], Look()))
    assert result.edits == 90 * 3
    assert not [one for one in result.looked.findings if one.edit]


def test_an_object_of_the_same_name_in_another_file_is_another(tmp_path: Path) -> None:
    decided = "        securityContext: {allowPrivilegeEscalation: true}\n"
    (tmp_path / "dev.yaml").write_text(DEPLOYMENT)
    (tmp_path / "prod.yaml").write_text(
        DEPLOYMENT.replace("        args:", f"{decided}        args:")
    )
    fix(lambda: loose([tmp_path], Look()))
    assert "allowPrivilegeEscalation: false" in (tmp_path / "dev.yaml").read_text()
    assert "allowPrivilegeEscalation: true" in (tmp_path / "prod.yaml").read_text()


def test_an_edit_that_is_taken_back_takes_no_other_with_it(tmp_path: Path) -> None:
    # An anchor: what goes into the first container gets into the second, too.
    shared = DEPLOYMENT.replace("- name: app   # first", "- &app\n        name: app")
    (tmp_path / "one.yaml").write_text(shared + "      initContainers: [*app]\n")
    (tmp_path / "two.yaml").write_text(DEPLOYMENT)
    fix(lambda: loose([tmp_path], Look()))
    assert "allowPrivilegeEscalation: false" not in (tmp_path / "one.yaml").read_text()
    assert "allowPrivilegeEscalation: false" in (tmp_path / "two.yaml").read_text()


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}}", "privilege-escalation"),
        ("securityContext: {privileged: true}", "privilege-escalation"),
    ],
)
def test_what_the_api_server_would_refuse_is_not_offered(
    field: str, rule: str, tmp_path: Path
) -> None:
    file = tmp_path / "web.yaml"
    block = yaml.safe_dump(yaml.safe_load(field), default_flow_style=False)
    below = "".join(f"        {line}\n" for line in block.splitlines())
    file.write_text(DEPLOYMENT.replace("        args:", f"{below}        args:"))
    found = [one for one in loose([file], Look()).findings if one.id == rule]
    assert [one.edit for one in found] == [None]


def test_a_pod_of_windows_gets_nothing_of_linux(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(DEPLOYMENT.replace("      # the app", "      os: {name: windows}"))
    fixed(file)
    spec = yaml.safe_load(file.read_text())["spec"]["template"]["spec"]
    assert "securityContext" not in spec
    assert "securityContext" not in spec["containers"][0]


ACCOUNT = """\
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
"""
BINDING = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: web, namespace: web}]
"""


@pytest.mark.parametrize(
    ("beside", "found", "fixable"),
    [
        (ACCOUNT, True, True),
        (ACCOUNT + BINDING, False, False),
        (f"{ACCOUNT}automountServiceAccountToken: false\n", False, False),
        (f"{ACCOUNT}automountServiceAccountToken: true\n", True, False),
        ("", True, False),
    ],
)
def test_a_token_that_may_be_used_is_left(
    beside: str, found: bool, fixable: bool, tmp_path: Path
) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(DEPLOYMENT.replace("      # the app", "      serviceAccountName: web") + beside)
    told = [one for one in loose([file], Look()).findings if one.id == "service-account-token"]
    assert bool(told) is found
    assert any(one.edit for one in told) is fixable
