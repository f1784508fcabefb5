"""Starting, stopping and asking after a Minikube profile: the one way Minikube is called."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kubekit import proc
from kubekit.cluster.target import INSTALL_MINIKUBE, active_profile, read_profile
from kubekit.errors import UnreachableError
from kubekit.events import Emit, Progress
from kubekit.model import Cancel, Object

START_SECONDS = 1200.0
STATUS_SECONDS = 30.0
COPY_SECONDS = 3600.0
_EVENT = "io.k8s.sigs.minikube."
_REMOTE = re.compile(r"^ssh: Process exited with status (\d+)$", re.MULTILINE)


def up(profile: str, *, emit: Emit, cancel: Cancel) -> bool:
    """Start the profile, or create it with the docker runtime; False if it was running.

    The user's current kubeconfig context stays what it is.

    Raises:
        UnreachableError: Minikube could not, with its own words.
        MissingError: there is no `minikube` on PATH.
    """
    known = read_profile(profile)
    if known is not None and _status(profile, cancel=cancel) == _RUNNING:
        return False
    argv = ["start", "-p", profile, "-o", "json", "--interactive=false", "--keep-context"]
    if known is None:
        # Minikube's own default has changed between versions; in docker kubekit builds fastest.
        argv.append("--container-runtime=docker")
    errors: list[Object] = []
    done = call(argv, timeout=START_SECONDS, cancel=cancel, on_line=_reporter(emit, errors))
    if done.code != 0:
        raise _start_failed(profile, done, errors)
    return True


def stop(profile: str, *, cancel: Cancel) -> None:
    """Stop the profile; what is in it stays."""
    _end("stop", profile, cancel=cancel)


def delete(profile: str, *, cancel: Cancel) -> None:
    """Delete this one profile with all that is in it.

    The active profile stays what it is if it is another one: `minikube delete` forgets it whichever
    it deletes (minikube, cmd/minikube/cmd/delete.go).
    """
    active = active_profile()
    try:
        _end("delete", profile, cancel=cancel)
    finally:
        if active not in {None, profile, active_profile()}:
            # Not `minikube profile`, which would choose the kubeconfig's context, too.
            argv = ["config", "set", "profile", str(active)]
            call(argv, timeout=STATUS_SECONDS, cancel=Cancel())  # after Ctrl-C as well


def call(
    argv: list[str],
    *,
    timeout: float,
    cancel: Cancel,
    on_line: Callable[[str], None] | None = None,
) -> proc.Finished:
    """Run `minikube`, whichever way it ends.

    Args:
        argv: what follows the program's name.
        timeout: seconds after which it is ended.
        cancel: ends it.
        on_line: gets each line of stdout as it comes.

    Raises:
        MissingError: there is none on PATH.
        UnreachableError: it did not end in time.
        CancelledError: the person interrupted.
    """
    program = proc.find("minikube", hint=INSTALL_MINIKUBE)
    return proc.run([program, *argv], timeout=timeout, cancel=cancel, on_line=on_line)


def run_in(
    profile: str,
    node: str,
    command: str,
    *,
    timeout: float,
    cancel: Cancel,
    on_line: Callable[[str], None] | None = None,
) -> proc.Finished:
    """Run a shell command in a node of the profile, whichever way the command ends.

    Minikube gives it a terminal, so that `out` holds what it says on stderr, too, and so that the
    command gets a hang-up when this process or Minikube is gone.

    Args:
        profile: of the node.
        node: its name.
        command: for the node's shell: what comes from a file must be quoted.
        timeout: seconds after which it is ended.
        cancel: ends it.
        on_line: gets each line of what it says.

    Returns:
        The end of the command itself, with its own exit code.

    Raises:
        UnreachableError: the node is not there or does not run.
    """
    argv = ["-p", profile, "ssh", "-n", node, "--", command]
    done = call(argv, timeout=timeout, cancel=cancel, on_line=on_line)
    if done.code == 0:
        return done
    if match := _REMOTE.search(done.err):
        return replace(done, code=int(match[1]))
    raise _node_silent(profile, node, done)


def copy_to(profile: str, node: str, file: Path, path: str, *, cancel: Cancel) -> proc.Finished:
    """Copy a file of this machine into a node, whichever way it ends.

    Args:
        profile: of the node.
        node: its name.
        file: on this machine.
        path: in the node, absolute.
        cancel: ends it.

    Raises:
        MissingError: there is no `minikube` on PATH.
        UnreachableError: it did not end in time.
        CancelledError: the person interrupted.
    """
    argv = ["-p", profile, "cp", str(file), f"{node}:{path}"]
    return call(argv, timeout=COPY_SECONDS, cancel=cancel)


def _node_silent(profile: str, node: str, done: proc.Finished) -> UnreachableError:
    hint = f"start it: `minikube node start {node} -p {profile}`"
    if node == profile:
        hint = "start it with `kubekit up`"
    return UnreachableError(
        f"node `{node}` of Minikube profile `{profile}` cannot be reached",
        hints=(hint, f"see how it is: `minikube status -p {profile}`"),
        details=tuple(line for line in done.err.splitlines() if line.strip())[-5:],
        id="node-unreachable",
    )


def _end(how: str, profile: str, *, cancel: Cancel) -> None:
    done = call([how, "-p", profile], timeout=STATUS_SECONDS * 4, cancel=cancel)
    if done.code != 0:
        raise UnreachableError(
            f"`minikube {how}` failed for profile `{profile}`",
            details=tuple(done.err.splitlines()[-5:]),
            id=f"{how}-failed",
        )


_RUNNING = "Running"
_SILENT = {
    "Stopped": ("is stopped", "profile-stopped", "start it with `kubekit up`"),
    "Paused": ("is paused", "profile-paused", "`minikube unpause -p {profile}`"),
    "Nonexistent": (
        "exists, but its node is gone",
        "node-missing",
        "make it anew: `minikube delete -p {profile}`, then `kubekit up`",
    ),
    "Misconfigured": (
        "runs, but the kubeconfig leads elsewhere",
        "kubeconfig-stale",
        "`minikube update-context -p {profile}`",
    ),
}


def why_silent(profile: str, *, cancel: Cancel) -> UnreachableError | None:
    """What Minikube knows about a profile whose API server does not answer, None if nothing."""
    state = _status(profile, cancel=cancel)
    if state not in _SILENT:
        return None
    cause, id_, fix = _SILENT[state]
    if id_ == "node-missing" and (misled := node_elsewhere(profile)):
        return misled
    return UnreachableError(
        f"Minikube profile `{profile}` {cause}", hints=(fix.format(profile=profile),), id=id_
    )


def node_elsewhere(profile: str) -> UnreachableError | None:
    """Why Minikube may not find a node that is there; None if nothing of the kind is set.

    It looks in the Docker that the user's environment names, unless `docker-env` has set that
    (minikube, cmd/minikube/cmd/root.go); to make the profile anew would be the wrong advice.
    """
    if os.environ.get("MINIKUBE_ACTIVE_DOCKERD"):
        return None
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        if os.environ.get(name):
            return UnreachableError(
                f"the node of Minikube profile `{profile}` is not in the Docker that {name} names",
                hints=(f"`unset {name}`: it is where Minikube looks for its nodes",),
                id="node-elsewhere",
            )
    return None


def _status(profile: str, *, cancel: Cancel) -> str:
    """One word for the profile's first node.

    The exit code is a bit mask that has meant different things; only the JSON is read. It is null
    when the node is gone, and an array when there are several.
    """
    done = call(["status", "-p", profile, "-o", "json"], timeout=STATUS_SECONDS, cancel=cancel)
    try:
        data = json.loads(done.out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return "Unknown"
    first = data[0] if isinstance(data, list) else data
    if not isinstance(first, dict):
        return "Nonexistent"
    if first.get("Host") != _RUNNING:
        return str(first.get("Host"))
    # With a stale address Minikube cannot see the API server and calls it stopped.
    if first.get("Kubelet") == _RUNNING and first.get("Kubeconfig") == "Misconfigured":
        return "Misconfigured"
    return str(first.get("APIServer"))


def _reporter(emit: Emit, errors: list[Object]) -> Callable[[str], None]:
    """Turns Minikube's CloudEvents, one JSON object a line, into progress.

    Its warnings are advice about Minikube itself, a screenful at each start, and are left out.
    """

    def report(line: str) -> None:
        try:
            event = json.loads(line)
            kind, data = str(event["type"]).removeprefix(_EVENT), event["data"]
        except (ValueError, KeyError, TypeError):
            return
        if kind == "step":
            emit(Progress(stage="up", text=str(data.get("name") or data.get("message"))))
        elif kind == "error":
            errors.append(data)

    return report


def _start_failed(profile: str, done: proc.Finished, errors: list[Object]) -> UnreachableError:
    last = errors[-1] if errors else {}
    name = str(last.get("name") or f"exit code {done.code}")
    advice = str(last.get("advice") or "").strip()
    said = str(last.get("message") or "").strip().splitlines() or done.err.splitlines()
    return UnreachableError(
        f"Minikube could not start profile `{profile}`: {name}",
        hints=(advice,) if advice else (f"see `minikube logs -p {profile}`",),
        details=tuple(said[-8:]),
        id="start-failed",
    )
