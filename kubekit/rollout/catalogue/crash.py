"""Containers that start and exit (rows 18 to 29). Data, in the order in which they are asked."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.finders import clues, places
from kubekit.rollout.finders.crashes import Crashed

_ENDED = "`lastState.terminated` or `state.terminated`"

CRASH: tuple[Cause, ...] = (
    Cause(
        id="out-of-memory",
        rows=(22,),
        signals=f"{_ENDED} has the reason OOMKilled; both have it where two ends in a row decide",
        find=Crashed(restarts=2, reason="OOMKilled", twice=True, field="resources.limits.memory"),
        cause="{what} needs more memory than {allowed}",
        fix="{more}, or use less",
    ),
    Cause(
        id="native-crash",
        rows=(24,),
        signals=f"{_ENDED} has the exit code 132, 134, 135, 136 or 139: SIGILL, SIGABRT, SIGBUS, "
        "SIGFPE, SIGSEGV",
        find=Crashed(restarts=2, code=(132, 134, 135, 136, 139)),
        cause="{what} crashes in native code with {exit}: {last}",
        fix="look at what it loads that is not Python: a library of another version, or built for "
        "another kind of processor (SIGILL)",
    ),
    Cause(
        id="terminated",
        rows=(25,),
        signals=f"{_ENDED} has the exit code 143, and no `Killing` event says why",
        find=Crashed(restarts=2, code=(143,)),
        cause="{what} stops with {exit}, which nothing in the cluster sent",
        fix="see its log: a script or a supervisor in it sends the signal",
    ),
    Cause(
        id="killed",
        rows=(23,),
        signals=f"{_ENDED} has the exit code 137 and the reason Error, not OOMKilled, and no "
        "`Killing` event says why",
        find=Crashed(restarts=2, code=(137,), reason="Error"),
        cause="{what} is killed with {exit}, and not for its own memory limit",
        fix="see whether the node runs out of memory: `kubectl top node`, "
        "or `minikube ssh -- free -m`",
    ),
    Cause(
        id="port-in-use",
        rows=(28,),
        signals="the log of an exited container has EADDRINUSE, `address already in use`, or a "
        "`bind` that was not permitted",
        find=Crashed(restarts=2, clue=places.port, field="ports"),
        cause="{what} cannot listen: {problem}",
        fix="{remedy}",
    ),
    Cause(
        id="read-only-filesystem",
        rows=(26,),
        signals="the log of an exited container ends with EROFS or `Read-only file system`",
        find=Crashed(restarts=2, clue=places.read_only, field="securityContext"),
        cause="{what} cannot write `{path}`: the file system there is read-only",
        fix="{remedy}",
    ),
    Cause(
        id="permission-denied",
        rows=(27,),
        signals="the log of an exited container ends with EACCES or `Permission denied` and a path",
        find=Crashed(restarts=2, clue=places.denied, field="securityContext"),
        cause="{what} crashes because {user} may not use `{path}`: {last}",
        fix="{remedy}",
    ),
    Cause(
        id="variable-missing",
        rows=(20,),
        signals="the log of an exited container names a variable that is not set: "
        "`KeyError` of `os.environ`, `Field required` of pydantic-settings, `X is not set`",
        find=Crashed(restarts=2, clue=clues.variable, field="env"),
        cause="{what} crashes because the variable `{variable}` is not set",
        fix="add `{variable}` to `.env`, which reaches the container by "
        "`envFrom: [{{secretRef: {{name: {{{{ secret }}}}}}}}]`, or set it in its `env`",
    ),
    Cause(
        id="dependency-unreachable",
        rows=(21,),
        signals="the log of an exited container ends with a connection that was refused, timed out "
        "or had a host name nobody knows, or with a server that is still starting; one restart "
        "more than usual decides, and only once no other workload of the same apply is awaited",
        find=Crashed(restarts=3, quick=False, clue=clues.peer),
        cause="{what} quits because {peer} cannot be reached: {last}",
        fix="deploy that first, or let the app try again instead of quitting",
        waits_for_others=True,
    ),
    Cause(
        id="exits-at-once",
        rows=(19,),
        signals=f"{_ENDED} has the exit code 0, and the pod's `restartPolicy` is Always",
        find=Crashed(restarts=2, code=(0,)),
        cause="{what} ends by itself with exit code 0",
        fix="the server must stay in the foreground: check the command",
    ),
    Cause(
        id="init-crash-loop",
        rows=(29,),
        signals="`initContainerStatuses[]` has an exit code other than 0, again and again",
        find=Crashed(restarts=2, init=True, unless=clues.peer),
        cause="{what} crashes with {exit}, so the app is never started: {last}",
        fix="{advice}",
    ),
    Cause(
        id="crash-loop",
        rows=(18,),
        signals="`restartCount` grows, and the container ends with an exit code other than 0: "
        "twice within seconds with the same last words, or three times",
        find=Crashed(restarts=2, init=False, unless=clues.peer),
        cause="{what} crashes with {exit}: {last}",
        fix="{advice}",
    ),
)
