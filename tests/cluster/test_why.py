"""`kubekit why` on what plain kubectl has made: broken and sound, with all rights and with few.

Two namespaces for all tests: each look changes nothing. The first holds one of each trouble.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import PROFILE
from tests.conftest import Result, kubekit

pytestmark = pytest.mark.cluster

IMAGE = "python:3.13-slim"
PASSWORD = f"pw-{uuid.uuid4().hex}"
SERVE = (
    "import http.server as h; h.HTTPServer(('', 8000), h.SimpleHTTPRequestHandler).serve_forever()"
)
CRASH = "import os; raise RuntimeError('no login with ' + os.environ['PASSWORD'])"
SHORT = "import time; print('working', flush=True); time.sleep(2); raise SystemExit(3)"


def template(app: str, code: str, **container: Any) -> dict[str, Any]:
    """A pod template with one container that runs this Python."""
    pod = container.pop("pod", {})
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "app",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", code],
                    **container,
                }
            ],
            **pod,
        },
    }


def workload(name: str, code: str, kind: str = "Deployment", **container: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": name}}}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**spec, "template": template(name, code, **container)},
    }


def job(name: str, code: str) -> dict[str, Any]:
    inner = template(name, code, pod={"restartPolicy": "Never"})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": inner},
    }


def cron(name: str, code: str) -> dict[str, Any]:
    """A CronJob that will not run by itself while the tests do."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": "0 0 29 2 *", "jobTemplate": {"spec": job(name, code)["spec"]}},
    }


def service(name: str, app: str, port: int | str = 8000) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": port}]},
    }


def probe(path: str) -> dict[str, Any]:
    return {"readinessProbe": {"httpGet": {"path": path, "port": 8000}, "periodSeconds": 1}}


def needs(secret: str) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": secret, "key": "password"}}
    return {"env": [{"name": "PASSWORD", "valueFrom": reference}]}


LOGIN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login"},
    "stringData": {"password": PASSWORD},
}
BROKEN = [
    LOGIN,
    workload("typo", SERVE, image="pyhton:3.13-slim", imagePullPolicy="Never"),
    workload("crashes", CRASH, **needs("login")),
    workload("short", SHORT),
    workload("keyless", SERVE, **needs("nowhere")),
    workload("astray", SERVE, **probe("/redy")),
    workload("huge", SERVE, resources={"requests": {"cpu": "64"}}),
    workload("store", SERVE, "StatefulSet", **needs("nowhere")),
    workload("half", SERVE, **probe("/")),
    job("fails", "raise SystemExit('no such table')"),
    cron("nightly", "raise SystemExit('no such table')"),
    cron("idle", "pass"),
    service("lost", "nobody"),
    service("unready", "astray"),
    service("half", "half"),
]
WELL = [
    workload("web", SERVE, **probe("/")),
    workload("agent", SERVE, "DaemonSet"),
    service("web", "web"),
    job("migrate", "pass"),
    cron("nightly", "pass"),
]
CAUSES = {
    "Deployment/typo": "image-never-pulled",
    "Deployment/crashes": "crash-loop",
    "Deployment/keyless": "secret-missing",
    "Deployment/astray": "probe-wrong-path",
    "Deployment/half": "image-never-pulled",
    "StatefulSet/store": "secret-missing",
    "Service/lost": "service-selects-nothing",
}


@dataclass(frozen=True, kw_only=True)
class Town:
    """A namespace, and a folder without a kubekit.yaml."""

    name: str
    folder: Path
    env: dict[str, str]

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["kubectl", "--context", PROFILE, "-n", self.name, *arguments],
            env=self.env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def make(self, *objects: Any) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", text=json.dumps(items))

    def why(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        # The lab's shell names its profile; a person's does not.
        plain = {key: value for key, value in self.env.items() if key != "KUBEKIT_PROFILE"}
        return kubekit(
            "why", "-n", self.name, *arguments, cwd=self.folder, env={**plain, **(env or {})}
        )


def town(folder: Path, env: dict[str, str]) -> Town:
    made = Town(name=f"t-why-{uuid.uuid4().hex[:6]}", folder=folder, env=env)
    made.kubectl("create", "namespace", made.name)
    return made


@pytest.fixture(scope="module")
def cluster(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A kubeconfig with a current context, which another test's profile may have taken away."""
    view = ["kubectl", "config", "view", "--raw", "--flatten", "-o", "json"]
    config = json.loads(subprocess.run(view, env=cluster, capture_output=True, check=True).stdout)
    file = tmp_path_factory.mktemp("kubeconfig") / "config"
    file.write_text(json.dumps({**config, "current-context": PROFILE}))
    return {**cluster, "KUBECONFIG": str(file)}


@pytest.fixture(scope="module")
def towns(
    cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Town, Town]]:
    """The broken one and the sound one, once each trouble has come and stood."""
    folder = tmp_path_factory.mktemp("elsewhere")
    broken, well = town(folder, cluster), town(folder, cluster)
    try:
        well.make(*WELL)
        broken.make(*BROKEN)
        for place, name in ((well, "nightly-1"), (broken, "nightly-1")):
            place.kubectl("create", "job", name, "--from=cronjob/nightly")
        broken.kubectl("rollout", "status", "deployment/half", "--timeout=180s")
        broken.kubectl("patch", "deployment", "half", "-p", _other_image())
        for ref in ("deployment/web", "daemonset/agent"):
            well.kubectl("rollout", "status", ref, "--timeout=180s")
        for name in ("migrate", "nightly-1"):
            well.kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=180s")
        _until(lambda: _restarts(broken, "short") >= 2)
        yield broken, well
    finally:
        for place in (broken, well):
            place.kubectl("delete", "namespace", place.name, "--wait=false", check=False)


def _other_image() -> str:
    container = {"name": "app", "image": "pyhton:3.13-slim", "imagePullPolicy": "Never"}
    return json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}})


def _restarts(place: Town, app: str) -> int:
    path = "{.items[*].status.containerStatuses[*].restartCount}"
    return int(place.kubectl("get", "pods", "-l", f"app={app}", "-o", f"jsonpath={path}") or 0)


def _until(look: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end
        time.sleep(0.5)


@pytest.fixture(scope="module")
def broken(towns: tuple[Town, Town]) -> Town:
    return towns[0]


@pytest.fixture(scope="module")
def well(towns: tuple[Town, Town]) -> Town:
    return towns[1]


@pytest.fixture(scope="module")
def look(broken: Town) -> Result:
    """All of the broken namespace, looked at once."""
    return broken.why("-o", "json")


def told(result: Result) -> dict[str, dict[str, Any]]:
    return {event["ref"]: event for event in result.of("diagnosis")}


def test_something_is_wrong_is_6(look: Result) -> None:
    assert look.code == 6
    (failed,) = look.of("failed")
    wrong = sum(event["wrong"] for event in look.of("diagnosis"))
    assert failed["message"].startswith(f"{wrong} of {len(look.of('diagnosis'))} are not well")
    assert f"`{PROFILE}`" in failed["message"]


@pytest.mark.parametrize("ref", CAUSES)
def test_each_trouble_has_its_name(look: Result, ref: str) -> None:
    found = told(look)[ref]
    assert (found["state"], found["wrong"], found["id"]) == ("failed", True, CAUSES[ref])
    assert found["fix"]


def test_the_worst_stands_first(look: Result) -> None:
    order = [event["wrong"] for event in look.of("diagnosis")]
    assert order == sorted(order, reverse=True)


def test_what_no_node_takes(look: Result) -> None:
    found = told(look)["Deployment/huge"]
    assert found["wrong"]
    assert "64" in found["text"]
    assert found["where"].startswith("Pod/huge-")


def test_the_place_is_the_object_and_its_field(look: Result) -> None:
    found = told(look)
    assert found["Deployment/keyless"]["place"] == (
        "Deployment/keyless, spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name"
    )
    assert found["Service/lost"]["place"] == "Service/lost, spec.selector"


def test_the_revision_before_serves_on(look: Result) -> None:
    found = told(look)
    assert "the revision before still serves: 1 of 1" in found["Deployment/half"]["details"][0]
    assert found["Service/half"]["state"] == "ready"


def test_a_service_is_not_blamed_for_its_pods(look: Result) -> None:
    found = told(look)["Service/unready"]
    assert (found["state"], found["wrong"]) == ("waiting", False)
    assert found["text"] == "the pod it selects is not ready"


def test_where_something_is_not_ready_yet_there_is_no_mark_of_success(broken: Town) -> None:
    result = broken.why("svc/unready")
    assert result.code == 0
    assert "1 of 1 not ready yet" in result.err
    assert "✓" not in result.out + result.err


def test_jobs_and_the_newest_of_a_cronjob(look: Result) -> None:
    found = told(look)
    for ref in ("Job/fails", "Job/nightly-1"):
        assert found[ref]["wrong"], found[ref]
        assert any("no such table" in line for line in found[ref]["details"]), found[ref]
    assert found["Job/nightly-1"]["title"] == "Job/nightly-1 of CronJob/nightly"
    assert found["Job/nightly-1"]["place"].startswith("CronJob/nightly, spec.jobTemplate.spec.")
    assert found["CronJob/idle"]["text"] == "has not run yet"


def test_pods_and_sets_are_told_by_what_made_them(look: Result) -> None:
    assert not [ref for ref in told(look) if ref.startswith(("Pod/", "ReplicaSet/"))]


def test_the_log_is_shown_and_no_value_of_a_secret(look: Result) -> None:
    found = told(look)["Deployment/crashes"]
    assert "RuntimeError: no login with ***" in found["text"]
    assert any("no login with ***" in line for line in found["details"])
    assert PASSWORD not in look.out + look.err


def test_a_crash_loop_is_one_also_while_the_container_runs(broken: Town) -> None:
    """Without a readiness probe it is ready in each of its short lives."""
    for _ in range(4):
        (found,) = broken.why("deploy/short", "-o", "json").of("diagnosis")
        assert found["id"] == "crash-loop"
        assert "exit code 3" in found["text"]


@pytest.mark.parametrize(
    ("name", "ref", "code"),
    [
        ("deploy/typo", "Deployment/typo", 6),
        ("deployments.apps/typo", "Deployment/typo", 6),
        ("sts/store", "StatefulSet/store", 6),
        ("typo", "Deployment/typo", 6),
        ("cronjob/nightly", "Job/nightly-1", 6),
        ("svc/half", "Service/half", 0),
    ],
)
def test_one_is_asked_after(broken: Town, name: str, ref: str, code: int) -> None:
    result = broken.why(name, "-o", "json")
    assert [event["ref"] for event in result.of("diagnosis")] == [ref]
    assert result.code == code


def test_a_pod_and_its_set_can_be_asked_after(broken: Town) -> None:
    for kind, short in (("pods", "po"), ("rs", "rs")):
        name = broken.kubectl("get", kind, "-l", "app=keyless", "-o", "name").strip()
        result = broken.why(f"{short}/{name.partition('/')[2]}", "-o", "json")
        (found,) = result.of("diagnosis")
        assert (found["wrong"], found["id"]) == (True, "secret-missing")
        steps = "spec.containers" if short == "po" else "spec.template.spec.containers"
        assert f", {steps}[0].env[0]" in found["place"]


def test_what_is_not_there_has_a_nearest(broken: Town) -> None:
    result = broken.why("deploy/keyles")
    assert result.code == 2
    assert "there is no `Deployment/keyles`" in result.err
    assert "did you mean `Deployment/keyless`?" in result.err


def test_a_namespace_that_is_not_there(broken: Town) -> None:
    result = broken.why("-n", f"{broken.name}x")
    assert result.code == 2
    assert f"there is no namespace `{broken.name}x`" in result.err


def test_nothing_is_wrong(well: Town) -> None:
    result = well.why()
    assert result.code == 0, result.out + result.err
    lines = result.out.splitlines()
    assert len(lines) == len(WELL)
    assert all(line.startswith("✓ ") for line in lines)
    assert f"nothing is wrong in namespace `{well.name}` of `{PROFILE}`" in result.err


def test_quiet_shows_only_what_is_wrong(well: Town, broken: Town) -> None:
    assert well.why("-q").out == ""
    shown = broken.why("-q").out
    assert "Deployment/keyless: Secret `nowhere` does not exist" in shown
    assert "✓" not in shown


def test_the_cluster_itself_is_well(well: Town) -> None:
    result = well.why("-n", "kube-system")
    assert result.code == 0, result.out


def test_all_namespaces(broken: Town, well: Town) -> None:
    found = broken.why("-A", "-o", "json").of("diagnosis")
    here = {(event["namespace"], event["ref"]) for event in found}
    assert {(broken.name, "Deployment/typo"), (well.name, "Deployment/web")} <= here
    assert f"{well.name} Deployment/web" in {event["title"] for event in found}


def test_in_a_project_the_place_is_its_file(broken: Town, tmp_path: Path) -> None:
    (tmp_path / "kubekit.yaml").write_text(f"name: {broken.name}\nprofile: {PROFILE}\n")
    (tmp_path / "manifests").mkdir()
    body = json.dumps(workload("keyless", SERVE, **needs("nowhere")), indent=1)
    (tmp_path / "manifests" / "app.yaml").write_text(body)
    result = kubekit("why", "deploy/keyless", "-o", "json", cwd=tmp_path, env=broken.env)
    (found,) = result.of("diagnosis")
    line = next(at for at, text in enumerate(body.splitlines(), 1) if '"name": "nowhere"' in text)
    assert found["place"].startswith(f"manifests/app.yaml:{line}")
    # Another namespace, from the same folder.
    other = kubekit("why", "-n", "kube-system", cwd=tmp_path, env=broken.env)
    assert other.code == 0


PODS_ONLY = [("", "pods", ["get", "list"])]
APPS = ["deployments", "replicasets", "statefulsets", "daemonsets"]
NO_LOG = [("", "pods", ["get", "list"]), *[("apps", name, ["list"]) for name in APPS]]


@pytest.fixture(scope="module")
def narrowed(broken: Town) -> Callable[[str, Any], dict[str, str]]:
    """Makes environments of users who may only do this, by resource and verb."""

    def make(name: str, rules: list[tuple[str, str, list[str]]]) -> dict[str, str]:
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": [group], "resources": [resource], "verbs": verbs}
                for group, resource, verbs in rules
            ],
        }
        broken.kubectl("create", "serviceaccount", name)
        broken.make(role)
        account = f"--serviceaccount={broken.name}:{name}"
        broken.kubectl("create", "rolebinding", name, f"--role={name}", account)
        config = json.loads(
            broken.kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json")
        )
        token = broken.kubectl("create", "token", name).strip()
        config["users"] = [{"name": PROFILE, "user": {"token": token}}]
        file = broken.folder / f"{name}.json"
        file.write_text(json.dumps(config))
        return {"KUBECONFIG": str(file)}

    return make


def test_with_pods_alone_there_is_an_answer(
    broken: Town, narrowed: Callable[[str, Any], dict[str, str]]
) -> None:
    result = broken.why("-o", "json", env=narrowed("pods", PODS_ONLY))
    assert result.code == 6
    ids = {
        ref.rpartition("-")[0].rpartition("-")[0]: one["id"] for ref, one in told(result).items()
    }
    assert ids["Pod/keyless"] == "secret-missing"
    assert ids["Pod/typo"] == "image-never-pulled"
    assert ids["Pod/crashes"] == "crash-loop"
    assert ids["Pod/huge"] is not None
    (warning,) = result.of("warning")
    for unseen in ("events", "logs", "nodes", "Deployments", "Secrets"):
        assert unseen in warning["text"]


def test_without_events_and_logs_there_is_an_answer(
    broken: Town, narrowed: Callable[[str, Any], dict[str, str]]
) -> None:
    result = broken.why("-o", "json", env=narrowed("nolog", NO_LOG))
    found = told(result)
    assert found["Deployment/crashes"]["id"] == "crash-loop"
    assert "exit code 1" in found["Deployment/crashes"]["text"]
    assert found["Deployment/huge"]["wrong"]
    # Jobs may not be read, so that their pods stand for themselves.
    alone = {ref.rsplit("-", 1)[0] for ref in found if ref.startswith("Pod/")}
    assert alone == {"Pod/fails", "Pod/nightly-1"}


def test_with_no_right_at_all_that_is_said(
    broken: Town, narrowed: Callable[[str, Any], dict[str, str]]
) -> None:
    result = broken.why(env=narrowed("nothing", []))
    assert result.code == 5
    assert "this user may read neither pods nor any workload" in result.err
