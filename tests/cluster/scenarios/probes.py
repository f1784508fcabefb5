"""Rows 32 to 44: apps that run, and whose probes do not pass."""

from __future__ import annotations

from tests.cluster.scenarios.evidence import killed, unhealthy
from tests.cluster.scenarios.scenario import Scenario, container, replaced

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
        window=4,
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
        window=4,
        evidence=unhealthy("statuscode: 401"),
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
        tier="A",
        evidence=unhealthy("connection refused", 2),
    ),
    "listens-on-loopback": Scenario(
        title="The app listens on 127.0.0.1.",
        rows=(38,),
        cause="listens-on-loopback",
        says=("127.0.0.1", "--host 0.0.0.0"),
        at="readinessProbe:",
        mode="loopback",
        tier="A",
        evidence=unhealthy("connection refused", 2),
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
        window=30,
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
        window=30,
        evidence=unhealthy(""),
    ),
}
