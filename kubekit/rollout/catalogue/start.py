"""Containers that cannot be created or started (rows 11 to 15, 30, 31, 49)."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.findings import waiting
from kubekit.rollout.references import config_missing

_COMES = r'(?:secret|configmap) "[^"]+" not found|find key|failed to sync'
_START = ("RunContainerError", "CreateContainerError", "StartError", "CrashLoopBackOff")
LATE = 12.0
"""Seconds in which a Secret or ConfigMap that somebody else makes may still come."""

START: tuple[Cause, ...] = (
    Cause(
        id="secret-missing",
        rows=(11, 49),
        signals="",
        find=config_missing("Secret", text=r'\bsecret "(?P<name>[^"]+)" not found'),
        cause="Secret `{name}` does not exist",
        fix="put its values into `.env` and use `{{{{ secret }}}}`, or create it, "
        "or mark the reference `optional: true`",
        after=LATE,
    ),
    Cause(
        id="configmap-missing",
        rows=(11, 49),
        signals="",
        find=config_missing("ConfigMap", text=r'\bconfigmap "(?P<name>[^"]+)" not found'),
        cause="ConfigMap `{name}` does not exist",
        fix="add it to the manifests, or mark the reference `optional: true`",
        after=LATE,
    ),
    Cause(
        id="secret-key-missing",
        rows=(12,),
        signals="",
        find=config_missing(
            "Secret", text=r"couldn't find key (?P<key>\S+) in Secret (?P<name>\S+)"
        ),
        cause="Secret `{name}` has no key `{key}` (it has: {keys})",
        fix="add `{key}` to `.env`, or correct the key in the manifest",
    ),
    Cause(
        id="configmap-key-missing",
        rows=(12,),
        signals="",
        find=config_missing(
            "ConfigMap", text=r"couldn't find key (?P<key>\S+) in ConfigMap (?P<name>\S+)"
        ),
        cause="ConfigMap `{name}` has no key `{key}` (it has: {keys})",
        fix="add the key, or correct it in the manifest",
    ),
    Cause(
        id="runs-as-root",
        rows=(13,),
        signals="",
        find=waiting(
            "CreateContainerConfigError", text="runAsNonRoot|run as root", field="securityContext"
        ),
        cause="container `{container}` may not run as root, and its image does not say otherwise: "
        "{message}",
        fix="end the Dockerfile with a numeric user, `USER 10001`, or set `runAsUser`",
    ),
    Cause(
        id="container-config",
        rows=(14,),
        signals="",
        # What the kubelet misses and is there by now, it tries again by itself.
        find=waiting("CreateContainerConfigError", text=rf"^(?!.*(?:{_COMES}))", field="env"),
        cause="container `{container}` cannot be created: {message}",
        fix="correct what the message names",
        after=10.0,
    ),
    Cause(
        id="command-not-found",
        rows=(15,),
        signals="",
        find=waiting(
            *_START,
            text=r'exec: (?P<command>"[^"]*"): (?:executable file not found|stat .*no such file'
            r"|permission denied)|exec (?P<path>\S+): no such file",
            field="command",
        ),
        cause="container `{container}` cannot start its command: {message}",
        fix="check `command` and the Dockerfile's CMD; the file must exist in the image and be "
        "executable",
    ),
    Cause(
        id="container-start",
        rows=(15, 30),
        signals="",
        find=waiting(*_START[:3], "PostStartHookError", "PreStartHookError", field="command"),
        cause="container `{container}` cannot start: {message}",
        fix="correct what the message names",
        after=10.0,
    ),
)
