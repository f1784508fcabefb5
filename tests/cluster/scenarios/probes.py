"""Rows 32 to 44: apps that run, and whose probes do not pass."""

from __future__ import annotations

from tests.cluster.scenarios.evidence import killed, unhealthy
from tests.cluster.scenarios.scenario import Edits, Scenario, container, replaced

HTTP = "httpGet:\n              path: /ready\n              port: http\n"


def probing(asked: str) -> Edits:
    """The readiness probe asks something else."""
    return replaced(HTTP, f"{asked}\n")


SCENARIOS = {
    "liveness-probe-kills": Scenario(
        title="The liveness probe fails, so the app is killed again and again.",
        rows=(32,),
        cause="liveness-probe-kills",
        says=("liveness", "`/alive`"),
        at="/alive",
        edits=container(
            "livenessProbe: {httpGet: {path: /alive, port: http}, periodSeconds: 1, "
            "failureThreshold: 1}"
        ),
        mode="unready",
        tier="A",
        evidence=killed("liveness", 2),
    ),
    "probe-wrong-path": Scenario(
        title="The readiness probe asks a path the app does not have.",
        rows=(34,),
        cause="probe-wrong-path",
        says=("404", "`/healthz`"),
        at="path:",
        edits=replaced("path: /ready", "path: /healthz"),
        tier="B",
        evidence=unhealthy("statuscode: 404"),
    ),
    "probe-rejected": Scenario(
        title="The path of the probe wants credentials.",
        rows=(35,),
        cause="probe-rejected",
        says=("401", "no credentials"),
        at="path:",
        mode="locked",
        tier="B",
        evidence=unhealthy("statuscode: 401"),
    ),
    "probe-error": Scenario(
        title="The route that the probe asks has a mistake in it.",
        rows=(36,),
        cause="probe-error",
        says=("gets 500 from `/ready`", "NameError: name 'sessions' is not defined"),
        at="path:",
        mode="mistake",
        tier="B",
        evidence=unhealthy("statuscode: 500"),
    ),
    "probe-failing": Scenario(
        title="The app says it is not ready (503), for longer than `--timeout`.",
        rows=(36,),
        code=7,
        cause="probe-failing",
        says=("not ready after 12 s", "answers 503", "raise `timeout`"),
        at="path:",
        mode="unready",
        flags=("--timeout", "12s"),
        tier="C",
        evidence=unhealthy("statuscode: 503"),
    ),
    "probe-wrong-port": Scenario(
        title="The app listens on another port than the probe asks.",
        rows=(37,),
        cause="probe-wrong-port",
        says=("asks port 8000, but the app listens on 9000",),
        at="port:",
        mode="port",
        tier="B",
        evidence=unhealthy("connection refused"),
    ),
    "listens-on-loopback": Scenario(
        title="The app listens on 127.0.0.1.",
        rows=(38,),
        cause="listens-on-loopback",
        says=("127.0.0.1", "--host 0.0.0.0"),
        at="readinessProbe:",
        mode="loopback",
        tier="B",
        evidence=unhealthy("connection refused"),
    ),
    "probe-refused": Scenario(
        title="The app runs and listens nowhere.",
        rows=(39,),
        cause="probe-refused",
        says=("nothing listens on port 8000",),
        at="port:",
        mode="nothing",
        within=75,
        tier="B",
        evidence=unhealthy("connection refused"),
    ),
    "probe-slow": Scenario(
        title="The answer to the probe takes longer than `timeoutSeconds`.",
        rows=(40,),
        cause="probe-slow",
        says=("`timeoutSeconds`",),
        at="readinessProbe:",
        mode="slow",
        within=75,
        tier="B",
        evidence=unhealthy(""),
    ),
    "startup-probe-kills": Scenario(
        title="The app takes longer to start than its startup probe allows.",
        rows=(33,),
        cause="startup-probe-kills",
        says=("startup", "failureThreshold"),
        at="startupProbe",
        edits=container(
            "startupProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, "
            "failureThreshold: 3}"
        ),
        mode="slow-start",
        tier="A",
        evidence=killed("startup", 2),
    ),
    "probe-rejected-for-the-host": Scenario(
        title="The app answers 400 to those that call it by its address.",
        rows=(35,),
        cause="probe-rejected",
        says=("400", "`ALLOWED_HOSTS`"),
        at="path:",
        mode="host",
        tier="B",
        evidence=unhealthy("statuscode: 400"),
    ),
    "probe-scheme": Scenario(
        title="The probe speaks TLS, the app does not.",
        rows=(41,),
        cause="probe-scheme",
        says=("HTTPS", "HTTP"),
        at="scheme:",
        edits=replaced("port: http\n", "port: http\n              scheme: HTTPS\n"),
        tier="A",
        evidence=unhealthy("tls:|HTTP response to HTTPS client", 3),
    ),
    "probe-command": Scenario(
        title="The probe runs a program that the image does not have.",
        rows=(42,),
        cause="probe-command",
        says=("curl", "httpGet"),
        at="command: [curl",
        edits=probing("exec: {command: [curl, -f, http://localhost:8000/ready]}"),
        tier="A",
        evidence=unhealthy("executable file not found"),
    ),
    "probe-command-fails": Scenario(
        title="The program that the probe runs ends with an error.",
        rows=(42,),
        cause="probe-command",
        says=("no schema",),
        at="exec:",
        edits=probing('exec: {command: [sh, -c, "echo no schema; exit 1"]}'),
        within=75,
        tier="B",
        window=30,
        evidence=unhealthy("no schema"),
    ),
    "probe-port-name": Scenario(
        title="The probe names a port that the container does not have.",
        rows=(43,),
        code=3,
        cause="probe-port-name",
        says=("`web`",),
        at="port: web",
        edits=replaced("port: http\n", "port: web\n"),
        tier="before",
    ),
    "probe-of-grpc": Scenario(
        title="The probe asks by gRPC, on a port where nothing listens.",
        rows=(37,),
        cause="probe-refused",
        says=("9100",),
        at="grpc:",
        edits=probing("grpc: {port: 9100}"),
        tier="B",
        evidence=unhealthy("failed to connect"),
    ),
}
