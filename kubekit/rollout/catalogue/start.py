"""Containers that cannot be created or started (rows 11 to 17, 30, 31, 49)."""

from __future__ import annotations

from kubekit.rollout.cause import EXPLAINS, Cause
from kubekit.rollout.finders import clues
from kubekit.rollout.finders.crashes import Crashed
from kubekit.rollout.finders.findings import waiting
from kubekit.rollout.finders.hits import either
from kubekit.rollout.finders.references import config_missing
from kubekit.rollout.finders.starts import hook_fails, no_command, no_sandbox, start_error

_CONFIG = "CreateContainerConfigError"
_SYNC = "failed to sync (?:secret|configmap) cache"
_COMES = rf'(?:secret|configmap) "[^"]+" not found|find key|{_SYNC}'
_WAITS = "`containerStatuses[].state.waiting` has the reason"
LATE = 12.0
"""Seconds in which a Secret or ConfigMap that somebody else makes may still come."""
# A shell tells by these exit codes that it could not run what it was asked to.
_NOT_RUN, _NOT_FOUND = 126, 127

START: tuple[Cause, ...] = (
    Cause(
        id="secret-missing",
        rows=(11, 49),
        signals=f'{_WAITS} {_CONFIG}, or an event FailedMount says, `secret "..." not found`, and '
        "the API has no such Secret",
        find=config_missing("Secret", text=r'\bsecret "(?P<name>[^"]+)" not found'),
        cause="Secret `{name}` does not exist",
        fix="put its values into `.env` and use `{{{{ secret }}}}`, or create it, "
        "or mark the reference `optional: true`",
        after=LATE,
    ),
    Cause(
        id="configmap-missing",
        rows=(11, 49),
        signals=f'{_WAITS} {_CONFIG}, or an event FailedMount says, `configmap "..." not found`, '
        "and the API has no such ConfigMap",
        find=config_missing("ConfigMap", text=r'\bconfigmap "(?P<name>[^"]+)" not found'),
        cause="ConfigMap `{name}` does not exist",
        fix="add it to the manifests, or mark the reference `optional: true`",
        after=LATE,
    ),
    Cause(
        id="secret-key-missing",
        rows=(12, 49),
        signals=f"{_WAITS} {_CONFIG} with `couldn't find key`, or an event FailedMount with "
        "`references non-existent secret key`",
        find=config_missing(
            "Secret",
            text=r"couldn't find key (?P<key>\S+) in Secret (?P<name>\S+)",
            of_volume=r"references non-existent secret key: (?P<key>\S+)",
        ),
        cause="Secret `{name}` has no key `{key}` (it has: {keys})",
        fix="add `{key}` to `.env`, or correct the key in the manifest",
    ),
    Cause(
        id="configmap-key-missing",
        rows=(12, 49),
        signals=f"{_WAITS} {_CONFIG} with `couldn't find key`, or an event FailedMount with "
        "`references non-existent config key`",
        find=config_missing(
            "ConfigMap",
            text=r"couldn't find key (?P<key>\S+) in ConfigMap (?P<name>\S+)",
            of_volume=r"references non-existent config key: (?P<key>\S+)",
        ),
        cause="ConfigMap `{name}` has no key `{key}` (it has: {keys})",
        fix="add the key, or correct it in the manifest",
    ),
    Cause(
        id="runs-as-root",
        rows=(13,),
        signals=f"{_WAITS} {_CONFIG} with `runAsNonRoot` or `run as root`",
        find=waiting(_CONFIG, text="runAsNonRoot|run as root", field="securityContext"),
        cause="{what} may not run as root, and its image does not say otherwise: {message}",
        fix="end the Dockerfile with a numeric user, `USER 10001`, or set `runAsUser`",
    ),
    Cause(
        id="config-not-synced",
        rows=(14,),
        signals=f"{_WAITS} {_CONFIG} with `failed to sync secret cache` or `configmap cache`",
        find=waiting(_CONFIG, text=_SYNC, field="env"),
        cause="the node has not read the Secrets and ConfigMaps of {what} yet",
        fix="nothing: it tries again by itself",
        after=EXPLAINS,
    ),
    Cause(
        id="container-config",
        rows=(14,),
        signals=f"{_WAITS} {_CONFIG} with any other text",
        # What the kubelet misses and is there by now, it tries again by itself.
        find=waiting(_CONFIG, text=rf"^(?!.*(?:{_COMES}))", field="env"),
        cause="{what} cannot be created: {message}",
        fix="correct what the message names",
        after=10.0,
    ),
    Cause(
        id="wrong-architecture",
        rows=(17,),
        signals=f"{_WAITS} RunContainerError or CrashLoopBackOff with `exec format error`, or the "
        "log of an exited container has it",
        find=either(
            start_error(r"exec:? \"?(?P<path>[^\s\":]+)\"?: (?:.*: )?exec format error"),
            Crashed(restarts=0, clue=clues.other_machine),
        ),
        cause="{what} cannot run `{path}`: it is no program for the node's kind of processor",
        fix="build the image for the node's architecture; a script needs a first line such as "
        "`#!/bin/sh`",
    ),
    Cause(
        id="interpreter-missing",
        rows=(16,),
        signals="the log of an exited container has `exec ...: no such file or directory`, "
        "`bad interpreter` or `env: ...: No such file or directory`",
        find=Crashed(restarts=0, clue=clues.interpreter),
        cause="{what} cannot start: {problem}",
        fix="save scripts with Unix line ends (`dos2unix`), correct their first line, and build "
        "programs for the image's libc (Alpine's is musl, Debian's glibc)",
    ),
    Cause(
        id="command-not-found",
        rows=(15,),
        signals=f"{_WAITS} RunContainerError or CreateContainerError, or the end before it the "
        "reason ContainerCannotRun or StartError, with `executable file not found`, `no such file` "
        "or `permission denied`; or a shell ends with 126 or 127 and `not found`",
        find=either(
            no_command, Crashed(restarts=2, code=(_NOT_RUN, _NOT_FOUND), clue=clues.no_command)
        ),
        cause="{what} cannot start its command: {problem}",
        fix="check `command` and the Dockerfile's CMD; the file must exist in the image and be "
        "executable, and a script's first line name a program that is there",
    ),
    Cause(
        id="post-start-hook",
        rows=(30,),
        signals="events FailedPostStartHook of the container; the text of the hook is withheld",
        find=hook_fails,
        cause="{what} is killed because its `postStart` hook fails ({times} times): {asks}",
        fix="correct the hook; what it prints is shown nowhere, so try it with `kubectl exec`",
    ),
    Cause(
        id="container-start",
        rows=(15, 30),
        signals=f"{_WAITS} RunContainerError, CreateContainerError, PostStartHookError or "
        "PreStartHookError, or the end before it the reason ContainerCannotRun or StartError, with "
        "any other text",
        find=either(
            start_error(),
            waiting("PostStartHookError", "PreStartHookError", "PreCreateHookError", field=""),
        ),
        cause="{what} cannot start: {message}",
        fix="correct what the message names",
        after=10.0,
    ),
    Cause(
        id="sandbox-failed",
        rows=(31,),
        signals="events FailedCreatePodSandBox of a pod none of whose containers has been created",
        find=no_sandbox,
        cause="the node cannot set up the pod's network: {message}",
        fix="see whether the network plugin runs: `kubectl -n kube-system get pods`; then "
        "`minikube stop` and `kubekit up`",
        after=60.0,
    ),
)
