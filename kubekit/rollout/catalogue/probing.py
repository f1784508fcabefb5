"""Containers that run and do not become ready (rows 34 to 44)."""

from __future__ import annotations

from kubekit.rollout.cause import EXPLAINS, Cause
from kubekit.rollout.probes import killed, probe, refused_but_listening

_LISTENING = (
    r"(?:running on|listening (?:on|at):?|serving on) (?:https?://)?"
    r"(?P<host>[\w.\[\]:*-]+?):(?P<listens>\d{2,5})\b"
)
_STATUS = "HTTP probe failed with statuscode:"

PROBING: tuple[Cause, ...] = (
    Cause(
        id="listens-on-loopback",
        rows=(38,),
        signals="",
        find=refused_but_listening(_LISTENING, loopback=True),
        cause="container `{container}` listens on {host}, where nothing outside it can reach it",
        fix="let the server listen on all addresses: `--host 0.0.0.0`",
    ),
    Cause(
        id="probe-wrong-port",
        rows=(37,),
        signals="",
        find=refused_but_listening(_LISTENING, loopback=False),
        cause="the {probe} probe of container `{container}` asks port {port}, "
        "but the app listens on {listens}",
        fix="set `containerPort` and the probe to {listens}, or let the app listen on {port}",
    ),
    Cause(
        id="probe-refused",
        rows=(37, 39),
        signals="",
        find=probe(
            "connection refused",
            times=3,
            seconds=30,
            window=True,
            network=True,
            field="httpGet.port",
        ),
        cause="nothing listens on port {port}, which the {probe} probe of container `{container}` "
        "asks",
        fix="check the port; the app must listen on 0.0.0.0 and on that port",
    ),
    Cause(
        id="probe-wrong-path",
        rows=(34,),
        signals="",
        find=probe(f"{_STATUS} 404", times=3, seconds=4, field="httpGet.path"),
        cause="the {probe} probe of container `{container}` gets 404: the app has no `{path}`",
        fix="correct the path of the probe, or add the route",
    ),
    Cause(
        id="probe-rejected",
        rows=(35,),
        signals="",
        find=probe(rf"{_STATUS} (?P<status>40[0135])", times=3, seconds=4, field="httpGet.path"),
        cause="the {probe} probe of container `{container}` gets {status} from `{path}`",
        fix="probes carry no credentials and the pod's IP as host: give them a path that is open",
    ),
    Cause(
        id="probe-failing",
        rows=(36,),
        signals="",
        find=probe(rf"{_STATUS} (?P<status>5\d\d)", times=1, seconds=0, field="httpGet.path"),
        cause="the app is not ready: `{path}` answers {status} to the {probe} probe of container "
        "`{container}`",
        fix="see its log: usually a database or another service is away",
        after=EXPLAINS,
    ),
    Cause(
        id="probe-slow",
        rows=(40,),
        signals="",
        find=probe(
            r"Client.Timeout|deadline exceeded|timed? ?out", times=3, seconds=30, window=True
        ),
        cause="the {probe} probe of container `{container}` gets no answer from {asks} in time",
        fix="raise `timeoutSeconds`, or make the check quicker",
    ),
    Cause(
        id="probe-other",
        rows=(41, 42, 43),
        signals="",
        find=probe(rf"^(?!{_STATUS} 5)", times=3, seconds=30, window=True),
        cause="the {probe} probe of container `{container}` does not pass: {said}",
        fix="correct the probe, or what it asks",
    ),
)

KILLS: tuple[Cause, ...] = (
    Cause(
        id="startup-probe-kills",
        rows=(33,),
        signals="",
        find=killed("Startup", times=2),
        cause="container `{container}` is killed because its startup probe does not pass "
        "({kills} times): {asks}",
        fix="check what the probe asks, or raise `failureThreshold`",
    ),
    Cause(
        id="liveness-probe-kills",
        rows=(32,),
        signals="",
        find=killed("Liveness", times=2),
        cause="container `{container}` is killed because its liveness probe does not pass "
        "({kills} times): {asks}",
        fix="check what the probe asks; a slow start belongs into a `startupProbe`",
    ),
)
