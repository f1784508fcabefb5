"""Each lint rule: what it finds, where, and what it must leave alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubekit.checks import check_objects
from kubekit.errors import FilesError, Place
from kubekit.manifests.lint import TOLERABLE, lint
from kubekit.manifests.objects import read
from kubekit.manifests.podspec import POD_SPECS
from kubekit.manifests.render import render
from kubekit.manifests.workloads import Finding
from kubekit.model import Manifest, Manifests, Settings
from kubekit.text.envfile import parse
from tests.conftest import ROOT

FILE = Path.cwd() / "all.yaml"
IMAGE = "hello:kk-0123456789ab"
BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: api
          image: hello:kk-0123456789ab
          ports: [{name: http, containerPort: 8000}]
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
    - port: 80
      targetPort: http
"""
SECRET = f"""\
---
apiVersion: v1
kind: Secret
metadata: {{name: env}}
data: {{URL: {base64.b64encode(b"sqlite:////app/data/hidden.db").decode()}}}
"""


def settings(**more: Any) -> Settings:
    return Settings(file=FILE, name="hello", namespace="n", profile="m", **more)


def found(text: str, *, image: str | None = IMAGE, **more: Any) -> list[Finding]:
    return lint(Manifests(items=tuple(read(text, file=FILE))), settings(**more), image=image)


def container(*lines: str, text: str = BASE) -> str:
    """The Deployment with more lines in its container."""
    return text + "".join(f"          {line}\n" for line in lines)


def pod(*lines: str, text: str = BASE) -> str:
    """The Deployment with more lines in its pod spec."""
    return text + "".join(f"      {line}\n" for line in lines)


def spec(*lines: str) -> str:
    """The Deployment with more lines in its spec."""
    return BASE + "".join(f"  {line}\n" for line in lines)


def above(line: str) -> str:
    """The Deployment with one more line above its template."""
    return BASE.replace("  template:", f"  {line}\n  template:")


def service(old: str, new: str) -> str:
    assert old in SERVICE
    return BASE + SERVICE.replace(old, new)


def image(name: str, policy: str = "IfNotPresent") -> str:
    lines = f"{name}  # here\n          imagePullPolicy: {policy}"
    return BASE.replace("hello:kk-0123456789ab", lines)


def init(*lines: str) -> str:
    return pod("initContainers:", "  - name: first", "    image: a:1", *(f"    {x}" for x in lines))


BAD: dict[str, tuple[str, str, str]] = {
    "a readiness probe asks an unknown name": (
        "probe-port-name!",
        container("readinessProbe: {httpGet: {port: htpp}}  # here"),
        (
            "the readiness probe of container `api` of `Deployment/web` asks the port `htpp`, "
            "which the container does not declare, so it can never succeed"
        ),
    ),
    "a startup probe asks an unknown name by TCP": (
        "probe-port-name!",
        container("startupProbe:", "  tcpSocket:", "    port: main  # here"),
        "so it can never succeed",
    ),
    "a sidecar's probe asks a port of another container": (
        "probe-port-name!",
        init("restartPolicy: Always", "readinessProbe: {tcpSocket: {port: http}}  # here"),
        "container `first` of `Deployment/web` asks the port `http`",
    ),
    "a liveness probe with an unknown name does nothing": (
        "probe-port-name",
        container("livenessProbe: {httpGet: {port: htpp}}  # here"),
        "so it never restarts anything",
    ),
    "a probe asks another number": (
        "probe-port-undeclared",
        container("readinessProbe:", "  httpGet:", "    port: 8001  # here"),
        "asks port `8001`, but the ports it declares are `8000`",
    ),
    "a selector asks for another label": (
        "selector-mismatch!",
        BASE.replace("{matchLabels: {app: web}}", "{matchLabels: {app: wbe}}  # here"),
        "the selector of `Deployment/web` asks for `app: wbe`, but its template has `app: web`",
    ),
    "a selector's expression does not hold": (
        "selector-mismatch!",
        BASE.replace(
            "{matchLabels: {app: web}}",
            "{matchExpressions: [{key: tier, operator: In, values: [a]}]}  # here",
        ),
        "asks for `tier In a`, but its template has no `tier`",
    ),
    "a deadline before the pods count": (
        "progress-deadline!",
        spec("minReadySeconds: 20", "progressDeadlineSeconds: 20  # here"),
        "`progressDeadlineSeconds` (20) of `Deployment/web` is over before `minReadySeconds` (20)",
    ),
    "a deadline before readiness is asked": (
        "progress-deadline",
        container(
            "readinessProbe: {tcpSocket: {port: 8000}, initialDelaySeconds: 30}",
            text=above("progressDeadlineSeconds: 30  # here"),
        ),
        "is over before the `initialDelaySeconds` of its readiness probe (30)",
    ),
    "ready only after the timeout": (
        "ready-too-late",
        container("readinessProbe: {tcpSocket: {port: 8000}, initialDelaySeconds: 60}  # here"),
        (
            "is available after 60 s at the earliest (`initialDelaySeconds` 60, "
            "`minReadySeconds` 0), but `timeout` is 60 s"
        ),
    ),
    "available only after the timeout": (
        "ready-too-late",
        spec("minReadySeconds: 61  # here"),
        "after 61 s",
    ),
    "liveness kills before readiness is asked": (
        "liveness-before-readiness",
        container(
            "livenessProbe: {tcpSocket: {port: 8000}, periodSeconds: 5}  # here",
            "readinessProbe: {tcpSocket: {port: 8000}, initialDelaySeconds: 20}",
        ),
        "may kill it after 15 s, before its readiness is asked the first time after 20 s",
    ),
    "a liveness probe slower than its period": (
        "probe-timeout",
        container("livenessProbe: {tcpSocket: {port: 8000}, timeoutSeconds: 11}  # here"),
        "may take 11 s, but is asked every 10 s",
    ),
    "no time left after the hook": (
        "grace-too-short",
        container('lifecycle: {preStop: {exec: {command: [sleep, "30"]}}}  # here'),
        "sleeps 30 s, and `terminationGracePeriodSeconds` (30) leaves the app no time to end",
    ),
    "no time left after the hook's shell": (
        "grace-too-short",
        pod(
            "terminationGracePeriodSeconds: 5  # here",
            text=container(
                'lifecycle: {preStop: {exec: {command: [/bin/sh, -c, "sleep 5; kill 1"]}}}'
            ),
        ),
        "sleeps 5 s",
    ),
    "a sleep as long as the grace period": (
        "grace-too-short",
        container("lifecycle: {preStop: {sleep: {seconds: 30}}}  # here"),
        "sleeps 30 s",
    ),
    "a sleep longer than the grace period": (
        "grace-too-short!",
        container("lifecycle: {preStop: {sleep: {seconds: 31}}}  # here"),
        "sleeps 31 s",
    ),
    "a variable twice": (
        "duplicate-env!",
        container("env:", "  - {name: A, value: b}", "  - {name: A, value: c}  # here"),
        "container `api` of `Deployment/web` has the variable `A` twice, first at all.yaml:14",
    ),
    "a port twice": (
        "duplicate-port!",
        BASE.replace("8000}]", "8000}, {name: b, containerPort: 8000, protocol: TCP}]  # here"),
        "has the port `8000/TCP` twice",
    ),
    "a port's name twice": (
        "duplicate-port!",
        BASE.replace("8000}]", "8000}, {name: http, containerPort: 8001}]  # here"),
        "has the port `http` twice",
    ),
    "never pulled, and no tag": ("never-latest", image("redis", "Never"), "whatever `redis` is"),
    "never pulled, and latest": (
        "never-latest",
        image("registry:5000/redis:latest", "Never"),
        "whatever `registry:5000/redis:latest` is in the node",
    ),
    "a slip in the image's name": (
        "other-image",
        image("hallo:1"),
        (
            f"image `hallo:1` of container `api` of `Deployment/web` is not the one kubekit builds "
            f"(`{IMAGE}`)"
        ),
    ),
    "the image by its long name": ("other-image", image("docker.io/library/hello:2"), "is not the"),
    "sqlite in the open with two replicas": (
        "sqlite-replicas",
        container(
            'env: [{name: DB, value: "sqlite+aiosqlite:///x.db"}]',
            text=above("replicas: 2  # here"),
        ),
        "`Deployment/web` has 2 replicas, but `DB` names an SQLite database",
    ),
    "sqlite in a Secret": (
        "sqlite-replicas",
        container("envFrom: [{secretRef: {name: env}}]", text=above("replicas: 3  # here"))
        + SECRET,
        "has 3 replicas, but `URL` names an SQLite database",
    ),
    "sqlite in a key of a Secret": (
        "sqlite-replicas",
        container(
            "env: [{name: X, valueFrom: {secretKeyRef: {name: env, key: URL}}}]",
            text=above("replicas: 2  # here"),
        )
        + SECRET,
        "but `URL` names",
    ),
    "a Service that selects nothing": (
        "service-selects-nothing",
        service("{app: web}", "{app: wbe}  # here"),
        (
            "`Service/web` selects no pods of these manifests: it asks for `app: wbe`, and the "
            "pods of `Deployment/web` have `app: web`"
        ),
    ),
    "a Service without any pods": (
        "service-selects-nothing",
        SERVICE.replace("{app: web}", "{app: web}  # here"),
        "`Service/web` selects no pods of these manifests",
    ),
    "a Service's port that nobody declares": (
        "service-port-name!",
        service("targetPort: http", "targetPort: htpp  # here"),
        "`Service/web` leads to the port `htpp`, which no container of `Deployment/web` declares",
    ),
    "a Service's port of another protocol": (
        "service-port-name!",
        service("targetPort: http", "targetPort: http  # here\n      protocol: UDP"),
        "leads to the port `http`",
    ),
    "a Service's number that nobody declares": (
        "service-port-undeclared",
        service("- port: 80\n      targetPort: http", "- port: 80  # here"),
        "`Service/web` leads to port `80`, but the ports `Deployment/web` declares are `8000`",
    ),
}
TWO = above("replicas: 2")
GOOD = {
    "nothing wrong": BASE + SERVICE,
    "probes by name and number": container(
        "startupProbe: {tcpSocket: {port: 8000}}",
        "readinessProbe: {httpGet: {port: http, path: /}}",
        'livenessProbe: {httpGet: {port: "8000"}}',
    ),
    "no ports declared": BASE.replace("ports: [{name: http, containerPort: 8000}]", "").rstrip()
    + "\n          readinessProbe: {httpGet: {port: 1}}\n",
    "a probe of another host": container("readinessProbe: {httpGet: {host: a, port: 1}}"),
    "a probe of another container's number": init(
        "restartPolicy: Always", "readinessProbe: {tcpSocket: {port: 8000}}"
    ),
    "probes that are no requests": container(
        "readinessProbe: {exec: {command: [a]}}", "livenessProbe: {grpc: {port: 9}}"
    ),
    "expressions that hold": BASE.replace(
        "{matchLabels: {app: web}}",
        "{matchExpressions: [{key: app, operator: In, values: [web]}, {key: app, operator: Exists},"
        " {key: b, operator: DoesNotExist}, {key: b, operator: NotIn, values: [c]}]}",
    ),
    "no selector, which the API server tells of": BASE.replace(
        "  selector: {matchLabels: {app: web}}\n", ""
    ),
    "labels of another shape, which it tells of, too": BASE.replace(
        "labels: {app: web}", "labels: [app]"
    ),
    "labels of another type": BASE.replace("{app: web}", "{app: web, v: 1}", 1).replace(
        "labels: {app: web}", 'labels: {app: web, v: "1"}'
    ),
    "deadlines that fit": spec("minReadySeconds: 20", "progressDeadlineSeconds: 21"),
    "liveness with a startup probe": container(
        "livenessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1, failureThreshold: 1}",
        "readinessProbe: {tcpSocket: {port: 8000}, initialDelaySeconds: 20}",
        "startupProbe: {tcpSocket: {port: 8000}}",
    ),
    "liveness that waits": container(
        "livenessProbe: {tcpSocket: {port: 8000}, initialDelaySeconds: 20}",
        "readinessProbe: {tcpSocket: {port: 8000}, initialDelaySeconds: 20}",
    ),
    "a patient readiness probe, on purpose": container(
        "readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1, timeoutSeconds: 3}"
    ),
    "a hook that leaves time": container("lifecycle: {preStop: {sleep: {seconds: 29}}}"),
    "a hook that is no sleep": container("lifecycle: {preStop: {exec: {command: [stop, '99']}}}"),
    "the same port by two protocols": BASE.replace(
        "8000}]", "8000}, {name: dns, containerPort: 8000, protocol: UDP}]"
    ),
    "never, and a tag or a digest": image("redis:7", "Never"),
    "other images": image("postgres:17") + "---\n" + BASE.replace("web}", "b}", 1),
    "sqlite with one replica": container("env: [{name: DB, value: 'sqlite:///x'}]"),
    "PostgreSQL with two": container("env: [{name: DB, value: 'postgresql://x'}]", text=TWO),
    "another key of the Secret": container(
        "env: [{name: X, valueFrom: {secretKeyRef: {name: env, key: OTHER}}}]", text=TWO
    )
    + SECRET,
    "a Secret of somebody else": container("envFrom: [{secretRef: {name: b}}]", text=TWO),
    "no selector": service("  selector: {app: web}\n", ""),
    "an alias": service("  selector:", "  type: ExternalName\n  selector:"),
    "one pod of a StatefulSet": BASE.replace("Deployment", "StatefulSet")
    + SERVICE.replace("app: web", "app: web, statefulset.kubernetes.io/pod-name: web-0"),
    "pods that somebody else makes": SERVICE
    + "---\n{apiVersion: a.b/v1, kind: X, metadata: {name: x}}\n",
    "a sidecar's port": init("restartPolicy: Always", "ports: [{name: side, containerPort: 81}]")
    + SERVICE.replace("http", "side"),
    "numbers in text": service("targetPort: http", 'targetPort: "8000"'),
    "a bare Pod": "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: web}}\n"
    "spec: {containers: [{name: a, image: b}]}\n" + SERVICE.replace("http", "1"),
    "kinds nobody knows": "apiVersion: a.b/v1\nkind: Rollout\nmetadata: {name: a}\nspec: 5\n",
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong(case: str) -> None:
    id_, text, says = BAD[case]
    findings = found(text, timeout=60.0)
    assert [one.id + "!" * one.error for one in findings] == [id_]
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "# here" in line]
    at = lines or [text.splitlines().index("          image: redis")]
    assert (findings[0].place.file, [findings[0].place.line]) == (FILE, at)
    assert says in findings[0].text
    assert "hidden" not in repr(findings)
    assert all(findings[0].hints)
    assert not findings[0].error or findings[0].id in TOLERABLE


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right(case: str) -> None:
    assert found(GOOD[case]) == []


def test_every_rule_that_may_fail_is_shown_here() -> None:
    assert {id_.rstrip("!") for id_, _, _ in BAD.values() if id_.endswith("!")} == TOLERABLE


def test_a_slip_in_a_port_is_shown() -> None:
    for case in ("a readiness probe asks an unknown name", "a Service's port that nobody declares"):
        assert found(BAD[case][1])[0].text.endswith("; did you mean `http`?")
    (other,) = found(BAD["a startup probe asks an unknown name by TCP"][1])
    assert other.text.endswith("; there is `http`")


def test_nothing_is_built_so_no_image_is_another() -> None:
    assert found(image("hallo:1"), image=None) == []


def test_all_errors_at_once_and_warnings_beside() -> None:
    text = container(
        "readinessProbe: {httpGet: {port: htpp}}", "env: [{name: A}, {name: A}]"
    ) + SERVICE.replace("app: web", "app: b")
    manifests = Manifests(items=tuple(read(text, file=FILE)))
    with pytest.raises(FilesError) as caught:
        check_objects(manifests, settings(), image=IMAGE)
    assert (caught.value.id, str(caught.value.place)) == ("probe-port-name", "all.yaml:13:38")
    assert [detail.split(":")[1] for detail in caught.value.details] == ["14"]
    tolerant = settings(tolerate=("probe-port-name", "duplicate-env"))
    warnings = check_objects(manifests, tolerant, image=IMAGE).warnings
    assert [warning.text.split(":")[1] for warning in warnings] == ["13", "14", "20"]


def test_a_secret_value_is_in_no_finding() -> None:
    text = image("redis:hunter2-a") + SERVICE.replace("app: web", "app: hunter2")
    manifests = Manifests(items=tuple(read(text, file=FILE)), secret_values=frozenset({"hunter2"}))
    checked = check_objects(manifests, settings(), image=IMAGE)
    assert "`app: ***`" in checked.warnings[0].text
    assert "hunter2" not in repr(checked.warnings)


def reference() -> tuple[Manifests, Settings]:
    """The backend of this project, as `kubekit render` makes it."""
    env = ROOT / ".env.example"
    own = Settings(
        file=ROOT / "kubekit.yaml",
        name="tasks",
        namespace="tasks",
        profile="m",
        manifests=(ROOT / "manifests",),
        values={"port": 8000, "replicas": 3},
    )
    parsed = parse(env.read_text(), file=env)
    return render(own, image="tasks:kk-0123456789ab", env=parsed), own


def test_the_backend_of_this_project_has_no_finding() -> None:
    manifests, own = reference()
    assert len(manifests.items) == 6
    assert lint(manifests, own, image="tasks:kk-0123456789ab") == []


# --- whatever the shape


WORDS = st.sampled_from(
    "http app web sqlite:///x hello hello:1 Always Never sleep 5 sh -c In Exists".split()  # noqa: SIM905
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 9000) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def either(shape: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(shape, shape, shape, ANYTHING)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return either(st.fixed_dictionaries({}, optional=fields))


def several(shape: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return either(st.lists(shape, max_size=3))


LABELS = either(st.dictionaries(WORDS, WORDS, max_size=2))
NUMBER = either(st.integers(0, 100))
PORT = either(st.integers(1, 9) | WORDS)
PROBE = some(
    httpGet=some(port=PORT, host=WORDS),
    tcpSocket=some(port=PORT),
    initialDelaySeconds=NUMBER,
    periodSeconds=NUMBER,
    timeoutSeconds=NUMBER,
    failureThreshold=NUMBER,
)
HOOK = some(sleep=some(seconds=NUMBER), exec=some(command=several(WORDS)))
CONTAINER = some(
    name=WORDS,
    image=WORDS,
    imagePullPolicy=WORDS,
    restartPolicy=WORDS,
    ports=several(some(name=WORDS, containerPort=PORT, protocol=WORDS)),
    env=several(some(name=WORDS, value=WORDS, valueFrom=some(secretKeyRef=some(name=WORDS)))),
    envFrom=several(some(secretRef=some(name=WORDS), configMapRef=some(name=WORDS))),
    startupProbe=PROBE,
    readinessProbe=PROBE,
    livenessProbe=PROBE,
    lifecycle=some(preStop=HOOK),
)
POD = some(
    containers=several(CONTAINER),
    initContainers=several(CONTAINER),
    terminationGracePeriodSeconds=NUMBER,
)
RULE = some(key=WORDS, operator=WORDS, values=several(WORDS))
SPEC = some(
    replicas=NUMBER,
    minReadySeconds=NUMBER,
    progressDeadlineSeconds=NUMBER,
    selector=LABELS | some(matchLabels=LABELS, matchExpressions=several(RULE)),
    template=some(metadata=some(labels=LABELS), spec=POD),
    ports=several(some(port=PORT, targetPort=PORT, protocol=WORDS, name=WORDS)),
    type=WORDS,
)
OBJECT = st.builds(
    lambda kind, name, labels, inner: {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": inner,
        "data": {"A": base64.b64encode(name.encode()).decode()},
    },
    st.sampled_from([*POD_SPECS, "Service", "Secret", "ConfigMap", "Other"]),
    WORDS,
    LABELS,
    SPEC | POD,
)


@given(st.lists(OBJECT, max_size=4))
def test_no_shape_makes_it_fail(objects: list[dict[str, Any]]) -> None:
    origin = Place(file=FILE, line=1)
    items = tuple(Manifest(data=data, origin=origin) for data in objects)
    for finding in lint(Manifests(items=items), settings(), image=IMAGE):
        assert finding.text
        assert "\n" not in finding.text


def test_the_base_is_valid_yaml() -> None:
    assert len(list(yaml.safe_load_all(BASE + SERVICE + SECRET))) == 3
