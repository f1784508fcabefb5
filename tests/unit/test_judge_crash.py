"""Containers that exit: each entry of the catalogue, and what is near it and is another or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubekit.model import Object
from kubekit.rollout.catalogue.crash import CRASH
from kubekit.rollout.finders.crashes import last_words
from kubekit.rollout.finders.logs import ending, last_line
from kubekit.rollout.judge import judge
from kubekit.rollout.reading import exit_words
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.verdict import FAILED, READY, WAITING, Finding, Verdict
from kubekit.rollout.wants import LogOf
from tests.unit.rollouts import NOW, at, crashed, event, pod, running, snapshot, step_by_step

KEY_ERROR = (
    'Traceback (most recent call last):\n  File "/app/main.py", line 3, in <module>\n'
    "    token = os.environ['API_TOKEN']\n            ~~~~~~~~~~^^^^^^^^^^^^^\n"
    "  File \"<frozen os>\", line 717, in __getitem__\nKeyError: 'API_TOKEN'\n"
)
BIND = (
    'Traceback (most recent call last):\n  File "/usr/lib/socketserver.py", line 478, in bind\n'
    "    self.socket.bind(self.server_address)\n    ~~~~^^^^\n"
    "PermissionError: [Errno 13] Permission denied\n"
)
UVICORN_BIND = (
    "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8123): "
    "address already in use\nINFO: bye"
)
SETTINGS = (
    'Traceback (most recent call last):\n  File "/app/main.py", line 9, in <module>\n'
    "    settings = Settings()\n"
    "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings\n"
    "port\n  Input should be a valid integer [type=int_parsing, input_value='x']\n"
    "    For further information visit https://errors.pydantic.dev/2.11/v/int_parsing\n"
    "database_url\n  Field required [type=missing, input_value={}, input_type=dict]\n"
)


def logs(text: str | None, *attempts: int) -> dict[LogOf, str | None]:
    return {LogOf(pod="web-2-a", container="app", attempt=number): text for number in attempts}


def failed(snap: Snapshot, after: float = 3.0) -> Finding:
    verdict = judge(snap, NOW + after)
    assert verdict.state == FAILED, verdict
    assert verdict.finding is not None
    assert step_by_step(snap, NOW + after) == verdict.finding.id
    return verdict.finding


def is_waiting(snap: Snapshot, after: float = 100.0) -> Verdict:
    verdict = judge(snap, NOW + after)
    assert verdict.state == WAITING, verdict
    assert step_by_step(snap, NOW + after) is None
    return verdict


def loop(code: int, text: str, *, restarts: int = 3, **changes: Any) -> Snapshot:
    """A container in its back-off that said this in each of its lives."""
    reason = changes.pop("reason", "Error")
    events = changes.pop("events", ())
    patience = changes.pop("patience", 1.0)
    shown = pod(state=crashed(code, restarts=restarts, reason=reason), **changes)
    return snapshot(shown, logs=logs(text, *range(10)), events=events, patience=patience)


@pytest.mark.parametrize(
    ("code", "text", "cause", "words"),
    [
        (1, "boom\n", "crash-loop", "exit code 1: boom"),
        (0, "done\n", "exits-at-once", "exit code 0"),
        (132, "", "native-crash", "exit code 132 (SIGILL)"),
        (134, "", "native-crash", "(SIGABRT)"),
        (139, "Segmentation fault\n", "native-crash", "(SIGSEGV): Segmentation fault"),
        (143, "", "terminated", "stops with exit code 143 (SIGTERM), which nothing in the cluster"),
        (137, "connection refused\n", "killed", "exit code 137 (SIGKILL)"),
        (1, KEY_ERROR, "variable-missing", "`API_TOKEN`"),
        (1, SETTINGS, "variable-missing", "`DATABASE_URL`"),
        (1, "decouple: SECRET_KEY not found. Declare it as envvar", "variable-missing", "SECRET"),
        (1, "RuntimeError: STRIPE_KEY is not set", "variable-missing", "`STRIPE_KEY`"),
        (1, "sh: 1: PORT: parameter not set", "variable-missing", "`PORT`"),
        (1, "Set the DJANGO_KEY environment variable", "variable-missing", "`DJANGO_KEY`"),
        (1, "Error: You must specify POSTGRES_PASSWORD", "variable-missing", "`POSTGRES_PAS"),
        (1, "[Errno 30] Read-only file system: '/app/x'", "read-only-filesystem", "/app/x"),
        (1, "Error: EROFS: read-only file system, open '/x'", "read-only-filesystem", "`/x`"),
        (
            1,
            'mkdir() "/var/cache/tmp" failed (30: Read-only file system)',
            "read-only-filesystem",
            "`/var/cache/tmp`",
        ),
        (1, "sh: 1: cannot create /x/y: Permission denied", "permission-denied", "`/x/y`"),
        (1, "Error: EACCES: permission denied, open '/x/y'", "permission-denied", "`/x/y`"),
        (1, "open /x/y: permission denied", "permission-denied", "`/x/y`"),
        (1, "OSError: [Errno 98] Address already in use", "port-in-use", "port 8000 is already"),
        (1, "Error: listen EADDRINUSE: address already in use :::3000", "port-in-use", "3000"),
        (1, "Connection in use: ('0.0.0.0', 8080)", "port-in-use", "port 8080"),
        (1, "listen tcp :80: bind: permission denied", "port-in-use", "only root may listen"),
        (1, BIND, "port-in-use", "only root may listen"),
        (
            1,
            UVICORN_BIND,
            "port-in-use",
            "port 8123",
        ),
        (
            1,
            "ConnectionRefusedError: [Errno 111] Connect call failed ('10.1.2.3', 5432)",
            "dependency-unreachable",
            "`10.1.2.3:5432`",
        ),
        (
            1,
            'psycopg2.OperationalError: could not translate host name "db" to address',
            "dependency-unreachable",
            "`db`",
        ),
        (
            1,
            'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused',
            "dependency-unreachable",
            "`db:5432`",
        ),
        (
            1,
            "ConnectionError: Error 111 connecting to redis:6379. Connection refused.",
            "dependency-unreachable",
            "`redis:6379`",
        ),
        (1, "httpx.ConnectError: All connection attempts failed", "dependency-unreachable", "some"),
        (1, "Error: connect ECONNREFUSED 10.9.8.7:5432", "dependency-unreachable", "10.9.8.7:5432"),
        (1, "ModuleNotFoundError: No module named 'fastapi'", "crash-loop", "'fastapi'"),
        (1, "FileNotFoundError: [Errno 2] No such file: 'a.toml'", "crash-loop", "a.toml"),
        (1, "dial tcp: lookup db on 10.96.0.10:53: no such host", "dependency-unreachable", "`db`"),
        (1, "FATAL: the database system is starting up", "dependency-unreachable", "starting up"),
        (1, "Redis is loading the dataset in memory", "dependency-unreachable", "loading"),
        (1, "server closed the connection unexpectedly", "dependency-unreachable", "closed"),
        (1, "(2013, 'Lost connection to MySQL server at x')", "dependency-unreachable", "Lost"),
        (1, "[Errno 104] Connection reset by peer", "dependency-unreachable", "reset"),
        (
            1,
            'server at "db" (10.0.0.1), port 5432 failed: timeout expired',
            "dependency-unreachable",
            "`db:5432`",
        ),
        (1, "the environment variable TOKEN is missing", "variable-missing", "`TOKEN`"),
        (1, "config: `TOKEN` is required", "variable-missing", "`TOKEN`"),
        (1, "exec /app/tool: exec format error", "wrong-architecture", "`/app/tool`"),
        (126, "sh: 1: ./tool: Exec format error", "wrong-architecture", "`./tool`"),
        (1, "exec /app/run: no such file or directory", "interpreter-missing", "`/app/run`"),
        (127, "env: \u2018python\\r\u2019: No such file or", "interpreter-missing", "Windows"),
        (127, "env: can't execute 'bash': No such file", "interpreter-missing", "`bash`"),
        (126, "./x: /bin/nope: bad interpreter: No", "interpreter-missing", "`/bin/nope`"),
        (127, "sh: 1: gunicorn: not found", "command-not-found", "`gunicorn`"),
        (127, "bash: line 1: uvicorn: command not found", "command-not-found", "`uvicorn`"),
        (126, "sh: 1: ./run.sh: Permission denied", "command-not-found", "not executable"),
    ],
)  # fmt: skip
def test_each_exit_has_its_cause(code: int, text: str, cause: str, words: str) -> None:
    finding = failed(loop(code, text))
    assert finding.id == cause
    assert words in finding.cause


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1, KEY_ERROR.replace("__getitem__", "lookup")),
        (1, "KeyError: 'API_TOKEN'"),
        (1, SETTINGS.replace("for Settings", "for Task")),
        (1, "permission denied for table tasks"),
        (1, "Permission denied (publickey)."),
        (2, "sh: 1: gunicorn: not found"),
        (127, "sh: 1: gunicorn: not found\nValueError: x"),
        (1, "the file system is read"),
        (1, "FATAL: SSL required"),
        (1, "HTTP 401: TOKEN missing"),
        (1, "RuntimeError: CUDA required"),
        (1, "you must provide JSON"),
        (1, "subprocess.TimeoutExpired: it timed out after 3 s"),
        (1, "port 8000 is open"),
    ],
)
def test_what_only_looks_like_another_cause(code: int, text: str) -> None:
    assert failed(loop(code, text)).id == "crash-loop"


def test_a_variable_that_is_set_is_not_missing() -> None:
    env = [{"name": "API_TOKEN", "value": "x"}]
    assert failed(loop(1, KEY_ERROR, container={"env": env})).id == "crash-loop"


def test_what_a_log_told_before_it_went_on_is_no_cause() -> None:
    text = KEY_ERROR + "".join(f"line {number}\n" for number in range(60)) + "boom\n"
    assert failed(loop(1, text)).id == "crash-loop"
    assert failed(loop(1, "Connection refused\n" + "up\n" * 20 + "boom\n")).id == "crash-loop"


def test_one_crash_decides_nothing() -> None:
    state = crashed(1, restarts=0)
    state["state"] = {"terminated": state.pop("lastState")["terminated"]}
    verdict = is_waiting(snapshot(pod(state=state), logs=logs("boom\n", 0)))
    assert verdict.finding is not None
    assert verdict.finding.id == "crash-loop"


@pytest.mark.parametrize("text", ["exec /app/x: exec format error", "exec /x: no such file or dir"])
def test_what_cannot_run_at_all_is_told_at_the_first_exit(text: str) -> None:
    assert failed(loop(1, text.replace(" dir", " directory"), restarts=0)).id != "crash-loop"


def test_a_try_that_goes_on_may_be_the_one_that_succeeds() -> None:
    state = crashed(1, restarts=2) | running(3)
    assert is_waiting(snapshot(pod(state=state), logs=logs("boom", 0, 1))).finding is not None
    ready = running(3, ready=True) | {"restartCount": 9}
    is_waiting(snapshot(pod(state=crashed(1, restarts=9) | ready), logs=logs("boom", 8)))


def test_a_try_of_this_run_is_not_judged_by_those_before_it() -> None:
    before = replace(snapshot().target, since=NOW + 5)
    state = crashed(1, restarts=9)
    tried = snapshot(pod(state=state | running(6)), logs=logs("boom", 8))
    assert failed(tried).id == "crash-loop"
    assert is_waiting(replace(tried, target=before)).finding is not None
    resting = snapshot(pod(state=state), logs=logs("boom", 9))
    assert failed(replace(resting, target=before)).id == "crash-loop"
    anew = crashed(1, restarts=9, finished=5) | running(6)
    again = snapshot(pod(state=anew), logs=logs("boom", 8))
    assert failed(replace(again, target=before), 7).id == "crash-loop"


def test_two_quick_exits_alike_decide() -> None:
    # The log of the first one was read while that was the last.
    twice = judge(loop(1, "boom\n", restarts=1), NOW + 3)
    assert twice.state == FAILED
    assert "crashes with exit code 1: boom" in twice.text
    slow = pod(state=crashed(1, restarts=1, lasted=20, finished=21))
    is_waiting(snapshot(slow, logs=logs("boom", 0, 1)))
    is_waiting(snapshot(pod(state=crashed(1, restarts=1)), logs=logs("a", 0) | logs("b", 1)))


def test_patience_is_asked_for_restarts_too() -> None:
    is_waiting(loop(1, "boom\n", restarts=1, patience=2.0))
    is_waiting(loop(1, "boom\n", restarts=3, patience=2.0))
    assert failed(loop(1, "boom\n", restarts=4, patience=2.0)).id == "crash-loop"
    assert failed(loop(1, "boom\n", restarts=3, patience=1.5)).id == "crash-loop"


def test_what_may_come_late_gets_one_restart_more() -> None:
    is_waiting(loop(1, "Connection refused\n", restarts=2))
    assert failed(loop(1, "Connection refused\n", restarts=3)).id == "dependency-unreachable"


@pytest.mark.parametrize(
    "said",
    ["Container app failed liveness probe, will be restarted", "FailedPostStartHook"],
)
def test_whom_the_node_killed_did_not_crash(said: str) -> None:
    finding = is_waiting(loop(137, "", events=(event("Killing", said),))).finding
    assert finding is None or finding.id != "killed"
    other = event("Killing", said.replace("Container app", "Container other"))
    other["involvedObject"]["fieldPath"] = "spec.containers{other}"
    assert failed(loop(137, "", events=(other,))).id == "killed"


def test_memory() -> None:
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    finding = failed(loop(137, "", reason="OOMKilled", container=limits))
    assert finding.id == "out-of-memory"
    assert "its limit of 64Mi" in finding.cause
    assert failed(loop(1, "", reason="OOMKilled")).id == "out-of-memory"


def test_memory_that_runs_out_twice_decides_whatever_was_logged() -> None:
    state = crashed(137, restarts=1, reason="OOMKilled", lasted=60, finished=70)
    is_waiting(snapshot(pod(state=state), logs=logs("a", 0) | logs("b", 1)))
    state["state"] = {"terminated": dict(state["lastState"]["terminated"])}
    both = snapshot(pod(state=state), logs=logs("a", 0) | logs("b", 1))
    assert failed(both, 72).id == "out-of-memory"
    is_waiting(replace(both, patience=2.0))
    state["lastState"]["terminated"]["reason"] = "Error"
    is_waiting(snapshot(pod(state=state), logs=logs("a", 0) | logs("b", 1)))


@pytest.mark.parametrize("code", [1, 137])
def test_two_slow_ends_for_another_reason_decide_nothing(code: int) -> None:
    state = crashed(code, restarts=1, lasted=60, finished=70)
    state["state"] = {"terminated": state["lastState"]["terminated"]}
    is_waiting(snapshot(pod(state=state), logs=logs("boom", 0, 1)))


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("boom\n", "correct what its log shows"),
        ("\n", "kubectl run try --rm -it --image web:kk-1 --command -- sh"),
        (None, "kubectl run try --rm -it --image web:kk-1 --command -- sh"),
    ],
)
def test_who_wrote_no_log_is_run_by_hand(text: str | None, fix: str) -> None:
    crash = failed(snapshot(pod(state=crashed(1, restarts=3)), logs=logs(text, 3)))
    assert crash.id == "crash-loop"
    assert fix in crash.fix
    shown = init_pod(crashed(1, restarts=3))
    shown["spec"]["initContainers"][0]["image"] = "web:kk-1"
    facts = {LogOf(pod="web-2-a", container="migrate", attempt=3): text}
    assert fix in failed(snapshot(shown, facts=facts)).fix


def test_only_what_others_may_bring_waits_for_them() -> None:
    assert [cause.id for cause in CRASH if cause.waits_for_others] == ["dependency-unreachable"]


def test_an_end_nobody_saw_is_no_crash() -> None:
    is_waiting(loop(137, "", reason="ContainerStatusUnknown"))


def mounted(volume: Object, mount: Object | None = None) -> Object:
    shown = pod(state=crashed(1, restarts=2))
    spec = shown["spec"]
    spec["volumes"] = [{"name": "d", **volume}]
    spec["containers"][0]["volumeMounts"] = [{"name": "d", "mountPath": "/data", **(mount or {})}]
    spec["securityContext"] = {"runAsUser": 1000}
    return shown


@pytest.mark.parametrize(
    ("text", "volume", "mount", "fix"),
    [
        ("[Errno 13] Permission denied: '/data/x'", {"emptyDir": {}}, {}, "`fsGroup`"),
        ("[Errno 13] Permission denied: '/data/x'", {"hostPath": {}}, {}, "on the node"),
        ("[Errno 13] Permission denied: '/database'", {"emptyDir": {}}, {}, "COPY --chown"),
        ("Read-only file system: '/data/x'", {"configMap": {}}, {}, "is a configMap"),
        ("Read-only file system: '/data/x'", {"emptyDir": {}}, {"readOnly": True}, "take `readO"),
        ("Read-only file system: '/srv/x'", {"emptyDir": {}}, {}, "a folder of its own"),
    ],
)
def test_the_fix_depends_on_what_is_mounted_there(
    text: str, volume: Object, mount: Object, fix: str
) -> None:
    finding = failed(snapshot(mounted(volume, mount), logs=logs(f"OSError: {text}\n", 2)))
    assert fix in finding.fix
    assert "Permission" not in text or "user 1000" in finding.cause


def test_two_containers_of_a_pod_on_one_port_are_named() -> None:
    shown = pod(state=crashed(1, restarts=2))
    shown["spec"]["containers"].append({"name": "proxy", "ports": [{"containerPort": 8000}]})
    text = "OSError: [Errno 98] Address already in use\n"
    finding = failed(snapshot(shown, logs=logs(text, 2)))
    assert "container `proxy`" in finding.cause
    assert "the ports of its pod" in finding.fix
    shown["spec"]["hostNetwork"] = True
    assert "hostNetwork" in failed(snapshot(shown, logs=logs(text, 2))).fix


def init_pod(state: Object, **fields: Any) -> Object:
    shown = pod(state=running() if fields else {})
    shown["spec"]["initContainers"] = [{"name": "migrate", "image": "web:kk-1", **fields}]
    status = {"name": "migrate", "ready": False, "restartCount": 0, **state}
    shown["status"]["initContainerStatuses"] = [status]
    return shown


def init_logs(text: str) -> dict[LogOf, str | None]:
    names = range(5)
    return {LogOf(pod="web-2-a", container="migrate", attempt=each): text for each in names}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("no such table\n", "init-crash-loop"),
        (KEY_ERROR, "variable-missing"),
        ("Connection refused", "dependency-unreachable"),
    ],
)
def test_an_init_container_is_called_so_whatever_it_fails_for(text: str, cause: str) -> None:
    finding = failed(snapshot(init_pod(crashed(1, restarts=3)), facts=init_logs(text)))
    assert finding.id == cause
    assert finding.cause.startswith("init container `migrate`")


def test_an_init_container_that_has_ended_well_is_over() -> None:
    done = {"state": {"terminated": {"exitCode": 0, "finishedAt": at(2)}}, "ready": True}
    is_waiting(snapshot(init_pod(done), facts=init_logs("")))


def test_a_sidecar_is_no_init_container_while_it_runs() -> None:
    always = {"restartPolicy": "Always"}
    up = running(9, ready=True, restartCount=3) | {"lastState": crashed(1, restarts=3)["lastState"]}
    is_waiting(snapshot(init_pod(up, **always), facts=init_logs("boom")))
    finding = failed(snapshot(init_pod(crashed(1, restarts=3), **always), facts=init_logs("boom")))
    assert finding.id == "crash-loop"
    assert finding.cause.startswith("sidecar container `migrate`")
    over = failed(snapshot(init_pod(crashed(0, restarts=3), **always), facts=init_logs("")))
    assert over.id == "exits-at-once"


def of_job(*pods: Object, reason: str = "", message: str = "it failed", **changes: Any) -> Snapshot:
    """A Job's rollout; failed for this reason, if there is one."""
    state = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    job = {
        "kind": "Job",
        "metadata": {"name": "web", "uid": "job", "generation": 1},
        "spec": {"template": {"spec": {}}},
        "status": {"conditions": [state] if reason else []},
    }
    for each in pods:
        each["metadata"]["ownerReferences"] = [{"uid": "job", "kind": "Job", "name": "web"}]
        each["spec"]["restartPolicy"] = "Never"
    snap = snapshot(*pods, deployment=job, listed=frozenset({"Job", "Pod", "Event"}), **changes)
    return replace(snap, target=replace(snap.target, kind="Job", uid="job", generation=1))


def over(code: int, finished: float = 2.0, name: str = "web-2-a") -> Object:
    state = crashed(code, restarts=0, finished=finished)
    shown = pod(state={"state": state["lastState"]}, name=name)
    shown["status"]["phase"] = "Failed" if code else "Succeeded"
    return shown


def test_a_job_decides_itself_how_often_its_pods_may_fail() -> None:
    both = logs("ValueError: 1\n", 0) | {
        LogOf(pod="web-2-b", container="app", attempt=0): "ValueError: 2\n"
    }
    tries = over(1), over(1, 9, "web-2-b")
    likely = is_waiting(of_job(*tries, logs=both)).finding
    assert likely is not None
    finding = failed(of_job(*tries, logs=both, reason="BackoffLimitExceeded"), 20)
    assert finding.id == likely.id == "crash-loop"
    assert finding.where == "Pod/web-2-b", "the newest pod tells"


def test_a_job_that_failed_for_its_time_has_no_crash_for_a_cause() -> None:
    finding = failed(of_job(over(143), logs=logs("", 0), reason="DeadlineExceeded"), 20)
    assert (finding.id, finding.where) == ("job-failed", "Job/web")
    assert finding.cause == "Job `web` failed: it failed"


def test_what_a_jobs_pod_was_ended_for_is_told() -> None:
    shown = over(143)
    shown["status"] |= {"reason": "DeadlineExceeded", "message": "Pod was active for too long"}
    finding = failed(of_job(shown, logs=logs("", 0), reason="BackoffLimitExceeded"), 20)
    assert finding.cause == "Job `web` failed: it failed; Pod was active for too long"


def test_of_a_job_whose_pods_are_gone_the_log_that_was_read_is_told() -> None:
    read = {LogOf(pod="web-x2v4q", container="app", attempt=1): "ValueError: 7\n"}
    finding = failed(of_job(facts=read, reason="BackoffLimitExceeded"))
    assert finding.id == "job-failed"
    assert "ValueError: 7" in finding.cause
    assert finding.log in read


def test_a_job_whose_pod_ends_well_is_waited_for() -> None:
    assert is_waiting(of_job(over(0), logs=logs("", 0))).finding is None


def bare(policy: str, state: Object, phase: str = "Running", **status: Any) -> Snapshot:
    shown = pod(state=state)
    shown["metadata"] |= {"uid": "web-2-a", "generation": 1}
    shown["spec"]["restartPolicy"] = policy
    shown["status"] |= {"phase": phase, **status}
    listed = frozenset({"Pod", "Event"})
    facts = logs("ValueError: 7\n", *range(5))
    snap = snapshot(shown, deployment=shown, listed=listed, logs=facts)
    target = replace(snap.target, kind="Pod", name="web-2-a", uid="web-2-a", generation=1)
    return replace(snap, target=target)


def test_a_pod_that_is_never_started_again_decides_with_its_first_failure() -> None:
    end = {"state": crashed(1, restarts=0)["lastState"]}
    assert failed(bare("Never", end, "Failed")).id == "crash-loop"
    is_waiting(bare("OnFailure", end))
    assert failed(bare("OnFailure", crashed(1, restarts=3))).id == "crash-loop"
    done = {"state": crashed(0, restarts=0)["lastState"]}
    assert judge(bare("Never", done, "Succeeded"), NOW + 9).state == READY
    is_waiting(bare("OnFailure", crashed(0, restarts=3)))


def test_a_pod_its_node_has_ended_did_not_crash() -> None:
    end = {"state": crashed(143, restarts=0)["lastState"]}
    finding = failed(bare("Never", end, "Failed", reason="DeadlineExceeded", message="too long"))
    assert finding.id == "job-failed"
    assert finding.cause == "Pod `web-2-a` failed: too long; the last it said: ValueError: 7"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (137, "exit code 137 (SIGKILL)"),
        (128, "exit code 128"),
        (255, "exit code 255"),
        (None, "exit code None"),
    ],
)
def test_an_exit_code_in_words(code: int | None, words: str) -> None:
    assert exit_words(code) == words


GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "<string>", line 5, in <module>
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "<string>", line 2, in f
    | ValueError: bad
    +------------------------------------
"""
CHAINED = (
    "Traceback (most recent call last):\n  File x\nConnectionRefusedError: [Errno 111] no\n\n"
    "The above exception was the direct cause of the following exception:\n\n"
    "Traceback (most recent call last):\n  File y\napp.StartError: cannot start\n"
)
UVICORN = (
    "INFO:     Started server process [1]\nERROR:    Traceback (most recent call last):\n"
    '  File "x", line 1\nValueError: no lifespan\n\n'
    "ERROR:    Application startup failed. Exiting.\n"
)
GUNICORN = (
    "[7] [ERROR] Exception in worker process\nTraceback (most recent call last):\n  File x\n"
    "ModuleNotFoundError: No module named 'app'\n[7] [INFO] Worker exiting (pid: 7)\n"
    "[1] [ERROR] Worker (pid:7) exited with code 3\n[1] [ERROR] Shutting down: Master\n"
    "[1] [ERROR] Reason: Worker failed to boot.\n"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("one\n\ntwo\n\n", "two"),
        (KEY_ERROR, "KeyError: 'API_TOKEN'"),
        (GROUP, "ValueError: bad"),
        (CHAINED, "app.StartError: cannot start"),
        (UVICORN, "ValueError: no lifespan"),
        (GUNICORN, "ModuleNotFoundError: No module named 'app'"),
        ("  File x, line 3\n    def x(\n         ^\nSyntaxError: '(' was never closed\n", None),
        ('INFO: a\nERROR:    Error loading ASGI app. No "main".\nINFO: bye\n', "ERROR:"),
        ("Traceback (most recent call last):\n  File x\n", "File x"),
        ("\x1b[31mERROR\x1b[0m: no\nbye\n", "ERROR: no"),
        ("node:x\nError: Cannot find module 'x'\n    at y\n\nNode.js v20\n", "Error: Cannot"),
    ],
)
def test_the_line_that_says_most(text: str, line: str | None) -> None:
    expected = "SyntaxError: '(' was never closed" if line is None else line
    assert last_line(text).startswith(expected)


def test_the_end_of_a_log_has_what_led_to_the_exception() -> None:
    assert ending(f"hello\n{CHAINED}").startswith("Traceback")
    assert "ConnectionRefusedError" in ending(CHAINED)
    apart = CHAINED.replace("direct cause of the following exception", "end of it")
    assert "ConnectionRefusedError" not in ending(apart)
    assert ending("a\n" * 50 + "b\n").count("\n") == 11


def test_what_is_told_where_there_is_no_log() -> None:
    assert last_words(None) == "its log could not be read"
    assert last_words("") == "it wrote no log"


def test_the_log_is_asked_for_before_a_crash_is_called() -> None:
    verdict = is_waiting(snapshot(pod(state=crashed(1, restarts=2))), 3)
    assert LogOf(pod="web-2-a", container="app", attempt=2) in verdict.wants


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (crashed(1, restarts=1), None),
        (crashed(1, restarts=9), "crash-loop"),
        (crashed(0, restarts=9, reason="Completed"), "exits-at-once"),
        (crashed(137, restarts=9, reason="OOMKilled"), "out-of-memory"),
    ],
)
def test_a_log_that_cannot_be_read_is_no_evidence(state: Object, cause: str | None) -> None:
    snap = snapshot(pod(state=state), logs=logs(None, *range(10)))
    shown = {entry.id for entry in CRASH for _ in entry.find(snap, NOW + 60)}
    assert shown <= {"crash-loop", cause}
    if cause is None:
        is_waiting(snap, 60)
    else:
        assert failed(snap, 60).id == cause


@pytest.mark.parametrize(
    ("limits", "cause", "fix"),
    [
        ({"memory": "64Mi"}, "than its limit of 64Mi", "raise `resources.limits.memory`"),
        ({}, "than the node has left", "give Minikube more memory"),
    ],
)
def test_memory_that_ran_out_with_and_without_a_limit(limits: Object, cause: str, fix: str) -> None:
    state = crashed(137, restarts=2, reason="OOMKilled")
    resources = {"resources": {"limits": limits}}
    finding = judge(
        snapshot(pod(state=state, container=resources), logs=logs("", 2)), NOW + 3
    ).finding
    assert finding is not None
    assert cause in finding.cause
    assert fix in finding.fix
