"""Containers that run and do not become ready (rows 32 to 44)."""

from __future__ import annotations

from kubekit.rollout.cause import EXPLAINS, Cause
from kubekit.rollout.finders.hits import either
from kubekit.rollout.finders.ports import (
    OTHER_SECONDS,
    on_another_port,
    on_loopback,
    refused,
    speaks_tls,
)
from kubekit.rollout.finders.probelogs import with_log_line, with_mistake
from kubekit.rollout.finders.probes import (
    WINDOW_SECONDS,
    killed,
    probe,
    worded,
)

_STATUS = "HTTP probe failed with statuscode:"
_PATH_SECONDS = 10.0
"""How long a status must stand: servers that load routes or a WAR say 404 meanwhile."""

_NO_PROGRAM = r'exec: "(?P<missing>[^"]+)": (?:executable file not found|stat |permission denied)'
_NOT_FOUND = r"\b(?:a|ba|da)?sh: (?:\d+: |line \d+: )?(?P<missing>[\w./-]+): (?:command )?not found"
_MISSING = {
    "why": "runs `{missing}`, which its image does not have or cannot run",
    "advice": "add it to the image, or ask the app itself with `httpGet`",
}

PROBING: tuple[Cause, ...] = (
    Cause(
        id="listens-on-loopback",
        rows=(38,),
        signals="an Unhealthy event with `connection refused`, the pod's own address refuses the "
        "port, and a port-forward to the same port is answered; or the log names 127.0.0.1",
        find=on_loopback,
        cause="container `{container}` listens on {host}, where nothing outside it can reach it",
        fix="let the server listen on all addresses: `--host 0.0.0.0`",
    ),
    Cause(
        id="probe-wrong-port",
        rows=(37,),
        signals="Unhealthy events with `connection refused`, and a port-forward finds the probe's "
        "port closed and another one open; or the log names another port",
        find=on_another_port,
        cause="the {probe} probe of container `{container}` asks port {port}, "
        "but the app listens on {listens}",
        fix="set `containerPort` and the probe to {listens}, or let the app listen on {port}",
        after=OTHER_SECONDS,
    ),
    Cause(
        id="probe-port-name",
        rows=(43,),
        signals='an Unhealthy event `probe errored ...: strconv.Atoi: parsing "NAME": invalid '
        "syntax`",
        find=probe(r'strconv\.Atoi: parsing "(?P<unknown>[^"]+)"', times=1, field="port"),
        cause="the {probe} probe of container `{container}` asks the port `{unknown}`, but the "
        "container has {names}",
        fix="name it in `ports` of the container, or let the probe ask a number",
    ),
    Cause(
        id="probe-command",
        rows=(42,),
        signals="an Unhealthy event with `executable file not found in $PATH`, `no such file` or "
        "`not found` of a probe with `exec`; or its output, for as long as a start may take",
        find=either(
            worded(probe(_NO_PROGRAM, times=1, command=True, field="command"), _MISSING),
            worded(probe(_NOT_FOUND, times=1, command=True, field="command"), _MISSING),
            worded(
                probe(
                    r"^(?!command timed out|.*(?:executable file|: not found))",
                    times=3,
                    window=0.0,
                    command=True,
                    field="command",
                ),
                {
                    "why": "does not pass: {asks} says {said}",
                    "advice": "run it in the container: `kubectl exec`",
                },
            ),
        ),
        cause="the {probe} probe of container `{container}` {why}",
        fix="{advice}",
    ),
    Cause(
        id="probe-scheme",
        rows=(41,),
        signals="Unhealthy events with `server gave HTTP response to HTTPS client` or `first "
        "record does not look like a TLS handshake`; or with a connection that is broken off, "
        "and the same request is answered over TLS",
        find=either(
            worded(
                probe(
                    r'Get "https:.*(?:server gave HTTP response|not look like a TLS handshake)',
                    times=3,
                    field="scheme",
                ),
                {"speaks": "HTTP", "hears": "HTTPS", "advice": "set `scheme: HTTP` in the probe"},
            ),
            worded(
                speaks_tls(times=3),
                {"speaks": "HTTPS", "hears": "HTTP", "advice": "set `scheme: HTTPS` in the probe"},
            ),
        ),
        cause="the {probe} probe of container `{container}` speaks {hears} to port {port}, but the "
        "app speaks {speaks} there",
        fix="{advice}",
    ),
    Cause(
        id="probe-refused",
        rows=(37, 39),
        signals="Unhealthy events with `connection refused` for as long as the fields of the "
        "probes let a start take, at least 30 s, and a port-forward finds the port closed",
        find=refused,
        cause="nothing listens on port {port} ({probe} probe of container `{container}`) after "
        "{running}",
        fix="check the port; the app must listen on 0.0.0.0 and on that port",
        after=WINDOW_SECONDS,
    ),
    Cause(
        id="probe-wrong-path",
        rows=(34,),
        signals=f"3 Unhealthy events with `{_STATUS} 404`, and nothing else for 10 s; where the "
        "fields of the probes ask for a longer start than by default, for all of that",
        find=probe(f"{_STATUS} 404", times=3, asked=_PATH_SECONDS, field="path"),
        cause="the {probe} probe of container `{container}` gets 404: the app has no `{path}`",
        fix="correct the path of the probe, or add the route",
        after=_PATH_SECONDS,
    ),
    Cause(
        id="probe-rejected",
        rows=(35,),
        signals=f"3 Unhealthy events with `{_STATUS} 400`, 401, 403 or 405, and nothing else for "
        "10 s, or for the longer start that the fields of the probes ask for",
        find=probe(rf"{_STATUS} (?P<status>40[0135])", times=3, asked=_PATH_SECONDS, field="path"),
        cause="the {probe} probe of container `{container}` gets {status} from `{path}`",
        fix="probes carry no credentials and the pod's IP as host: give them a path that is open; "
        "if the app refuses the host (400), let `httpHeaders` of the probe send a `Host` that it "
        "allows (`ALLOWED_HOSTS`)",
        after=_PATH_SECONDS,
    ),
    Cause(
        id="probe-error",
        rows=(36,),
        signals=f"3 Unhealthy events with `{_STATUS} 500`, nothing else for 10 s, and a mistake of "
        "the program in the log, such as a NameError",
        find=with_mistake(
            probe(rf"{_STATUS} (?P<status>500)", times=3, asked=_PATH_SECONDS, field="path")
        ),
        cause="the {probe} probe of container `{container}` gets {status} from `{path}`, as the "
        "app's own code fails: {error}",
        fix="correct what its log shows",
        after=_PATH_SECONDS,
    ),
    Cause(
        id="probe-failing",
        rows=(36,),
        signals=f"Unhealthy events with `{_STATUS} 503` or another 5xx, or `service "
        "unhealthy` of a gRPC probe",
        find=with_log_line(
            either(
                worded(
                    probe(rf"{_STATUS} (?P<status>5\d\d)", times=1, field="path"),
                    {"answers": "`{path}` answers {status}"},
                ),
                worded(
                    probe(r'service unhealthy \(responded with "(?P<status>\w+)', times=1),
                    {"answers": "its gRPC service for health says {status}"},
                ),
            )
        ),
        cause="the app is not ready: {answers} to the {probe} probe of container `{container}`"
        "{ends}",
        fix="see its log: usually a database or another service is away",
        after=EXPLAINS,
    ),
    Cause(
        id="probe-slow",
        rows=(40,),
        signals="Unhealthy events with `Client.Timeout exceeded`, `context deadline exceeded` or "
        "`timed out` for as long as a start may take",
        # Of gRPC the kubelet says the same where nothing listens, and where no gRPC is spoken.
        find=probe(
            r"^(?!.*failed to connect service).*(?:Client.Timeout|deadline exceeded|timed? ?out)",
            times=3,
            window=WINDOW_SECONDS,
        ),
        cause="the {probe} probe of container `{container}` gets no answer from {asks} in time",
        fix="raise `timeoutSeconds`, or make the check quicker",
        after=WINDOW_SECONDS,
    ),
    Cause(
        id="probe-other",
        rows=(41, 42, 43),
        signals="Unhealthy events with another text for as long as a start may take",
        find=probe(
            rf"^(?!{_STATUS} 5|service unhealthy|.*connection refused)",
            times=3,
            window=WINDOW_SECONDS,
        ),
        cause="the {probe} probe of container `{container}` does not pass: {said}",
        fix="correct the probe, or what it asks",
        after=WINDOW_SECONDS,
    ),
    Cause(
        id="probe-redirect",
        rows=(44,),
        signals="an event ProbeWarning with `Probe terminated redirects`, which to the kubelet is "
        "a success",
        cause="the {probe} probe of container `{container}` is answered by a redirect to another "
        "host, which passes and proves nothing",
        fix="let `{path}` answer the probe itself",
        exit_code=0,
    ),
)

KILLS: tuple[Cause, ...] = (
    Cause(
        id="startup-probe-kills",
        rows=(33,),
        signals="events Killing with `failed startup probe`: two, or one if the probe got 404 and "
        "its fields ask for no long start",
        find=killed("Startup", times=2),
        cause="container `{container}` is killed because its startup probe does not pass "
        "({kills}{lived}): {asks}{heard}",
        fix="check what the probe asks; a start that takes longer than {budget} needs a higher "
        "`failureThreshold`",
    ),
    Cause(
        id="liveness-probe-kills",
        rows=(32,),
        signals="two events Killing with `failed liveness probe` while the container is not ready",
        find=killed("Liveness", times=2),
        cause="container `{container}` is killed because its liveness probe does not pass "
        "({kills}{lived}): {asks}{heard}",
        fix="check what the probe asks; a slow start belongs into a `startupProbe`",
    ),
)
