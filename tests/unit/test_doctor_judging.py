"""What `doctor` makes of what it has fetched: each judgement, with one that is near and well."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kubekit.cluster.target import Profile
from kubekit.doctor import certificate, certificates, cluster, command, machine, nodes, project
from kubekit.doctor.certificate import Validity
from kubekit.doctor.certificates import Dated
from kubekit.doctor.command import told, worst
from kubekit.doctor.examine import Check, examine
from kubekit.doctor.machine import Watched
from kubekit.doctor.nodes import Disk
from kubekit.doctor.roster import CHECKS
from kubekit.doctor.verdict import Verdict, failure, left_out, ok, warning
from kubekit.drawing import checked
from kubekit.errors import CancelledError, FilesError, MissingError, Place, UnreachableError
from kubekit.events import Checked, Event
from kubekit.image.files import dockerignore
from kubekit.lines import Signs
from kubekit.model import ClusterTarget, Settings
from kubekit.runfile import Holder
from kubekit.session import Run

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
GIB = 1 << 30


def dated(days: float, *, since: float = 300) -> Dated:
    validity = Validity(NOW - timedelta(days=since), NOW + timedelta(days=days))
    return Dated("the client", validity)


def profile(driver: str = "docker", runtime: str = "docker", nodes: int = 1) -> Profile:
    machines = tuple(f"m{number}" for number in range(nodes))
    return Profile(name="dev", runtime=runtime, machines=machines, file=Path("/x"), driver=driver)


def aim(**origins: str) -> Settings:
    return Settings(
        file=Path("/x/kubekit.yaml"), name="t", namespace="t", profile="dev", origins=origins
    )


def node(name: str = "n", **conditions: str) -> dict[str, Any]:
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {"metadata": {"name": name}, "status": {"conditions": listed}}


def version(minor: str) -> dict[str, str]:
    return {"major": "1", "minor": minor, "gitVersion": f"v1.{minor}"}


JUDGED: list[tuple[Verdict, str, str]] = [
    (machine.judge_minikube('{"minikubeVersion": "v1.38.1"}', "/m"), "ok", "v1.38.1"),
    (machine.judge_minikube('{"minikubeVersion": "v1.9.0"}', "/m"), "warning", "older than 1.32"),
    (machine.judge_minikube("oops", "/m"), "warning", "does not say"),
    (machine.judge_programs("/d", driver="docker", kubectl=True), "ok", "`kubectl` is not needed"),
    (machine.judge_programs(None, driver="kvm2", kubectl=False), "ok", "`kubekit docker` alone"),
    (machine.judge_programs(None, driver="docker", kubectl=True), "failure", "not on PATH"),
    (machine.judge_inotify(Watched(100, 10, 5, 1, 90)), "ok", "90 of 100 watches free"),
    (machine.judge_inotify(Watched(100, 10, 5, 1, 91)), "warning", "91 folders, and 90 of 100"),
    (machine.judge_inotify(Watched(100, 10, 5, 5, 1)), "warning", "all 5 inotify instances"),
    (cluster.judge_profile(profile()), "ok", "driver docker, runtime docker, 1 node"),
    (cluster.judge_profile(profile(runtime="containerd")), "ok", "takes longer"),
    (cluster.judge_profile(profile(nodes=2)), "ok", "2 nodes"),
    (cluster.judge_profile(profile(driver="none")), "warning", "this machine's own"),
    (cluster.judge_kubernetes({"major": "1", "minor": "34+", "gitVersion": "v"}), "ok", "v;"),
    (
        cluster.judge_kubernetes({"major": "1", "minor": "27", "gitVersion": "v"}),
        "warning",
        "older",
    ),
    (
        cluster.judge_kubernetes({"major": "1", "minor": "37", "gitVersion": "v"}),
        "warning",
        "newer",
    ),
    (cluster.judge_kubernetes({"gitVersion": "x"}), "warning", "no version"),
    # Its date has whole seconds, cut off: 100 is any time up to 101.
    (cluster.judge_clock(100, (100.9, 101.0), profile=""), "ok", "agree"),
    (cluster.judge_clock(100, (102.9, 103.0), profile="dev"), "ok", "agree"),
    (cluster.judge_clock(100, (111.0, 111.1), profile="dev"), "warning", "10 s behind"),
    (cluster.judge_clock(160, (100.0, 100.5), profile=""), "warning", "60 s ahead of"),
    (cluster.judge_proxy("https://10.0.0.2:8443", None, used=False), "ok", "no variable"),
    (cluster.judge_proxy("https://10.0.0.2:8443", "HTTPS_PROXY", used=False), "ok", "10.0.0.2 is"),
    (cluster.judge_proxy("https://10.0.0.2:8443", "HTTPS_PROXY", used=True), "warning", "10.0.0.2"),
    (certificates.judge([dated(15)], now=NOW, hint="h"), "ok", "2026-12-07"),
    (certificates.judge([dated(15), dated(13)], now=NOW, hint="h"), "warning", "2026-12-05"),
    (certificates.judge([dated(15), dated(0)], now=NOW, hint="h"), "failure", "ran out"),
    (certificates.judge([dated(15, since=-1)], now=NOW, hint="h"), "failure", "only from"),
    (certificates.judge([], now=NOW, hint="h"), "skipped", "none"),
    (nodes.judge_nodes([node(Ready="True", DiskPressure="False")]), "ok", "1 node is ready"),
    (nodes.judge_nodes([node(Ready="True"), node("m", Ready="Unknown")]), "failure", "`m`"),
    (nodes.judge_nodes([node(Ready="True", DiskPressure="True")]), "failure", "DiskPressure"),
    (nodes.judge_disk([Disk("n", 100 * GIB, 16 * GIB)], profile=""), "ok", "84 % full"),
    (nodes.judge_disk([Disk("n", 100 * GIB, 15 * GIB)], profile="p"), "warning", "from 85 % on"),
    (nodes.judge_disk([Disk("n", 100, 14, 100)], profile=""), "warning", "deletes no images"),
    (nodes.judge_disk([Disk("n", 100, 60), Disk("m", 100, 2)], profile=""), "failure", "`m`"),
    (nodes.judge_disk([], profile=""), "skipped", "do not tell"),
    (project.judge_env_file(Path("/e/.env"), 0o100600, 3), "ok", "3 variables"),
    (project.judge_env_file(Path("/e/.env"), 0o100600, 3), "ok", "by no other user"),
    (project.judge_env_file(Path("/e/.env"), 0o100640, 3), "ok", "by its group, too"),
    (project.judge_env_file(Path("/e/.env"), 0o100644, 3), "warning", "every user"),
    (project.judge_env_git(Path("/e/.env"), tracked=False, ignored=True), "ok", "neither"),
    (project.judge_env_git(Path("/e/.env"), tracked=False, ignored=False), "warning", "next"),
    (project.judge_env_git(Path("/e/.env"), tracked=True, ignored=True), "failure", "git has"),
    (project.judge_port(8000, 8000, ""), "ok", "free"),
    (project.judge_port(8000, 8001, "`x` (process 1)"), "warning", "`x` (process 1) listens"),
    (project.judge_runs(None, alive=False), "ok", "none was killed"),
]


@pytest.mark.parametrize(("verdict", "state", "text"), JUDGED)
def test_judged(verdict: Verdict, state: str, text: str) -> None:
    assert verdict.state == state
    assert text in verdict.text
    # What is wrong says what to do; what fails, with which code.
    assert (verdict.cause is not None) == (state in ("warning", "failure"))
    assert bool(verdict.exit_code) == (state == "failure")
    if state in ("warning", "failure") and verdict.cause != "kubernetes-version":
        assert verdict.hints


def test_codes_of_failures() -> None:
    codes = {one.cause: one.exit_code for one, state, _ in JUDGED if state == "failure"}
    assert codes == {
        "docker-missing": 9,
        "certificate": 8,
        "node-not-ready": 8,
        "node-pressure": 8,
        "disk-full": 8,
        "env-tracked": 3,
    }


def test_a_run_that_was_killed_is_told_and_one_that_goes_on_is_well() -> None:
    holder = Holder(pid=7, command="dev", since=NOW.timestamp(), began="1")
    assert project.judge_runs(holder, alive=True).state == "ok"
    killed = project.judge_runs(holder, alive=False)
    assert killed.state == "warning"
    assert "`kubekit dev` (pid 7)" in killed.text


def test_why_a_cluster_may_be_touched() -> None:
    made = ClusterTarget(context="dev", profile="dev")
    told_ = cluster.judge_context(made, aim(profile="flag --profile"), unread=False)
    assert told_.text == "`dev`, by flag --profile; Minikube made it, so kubekit may act on it"
    other = ClusterTarget(context="prod", profile=None)
    assert "allow_contexts" in cluster.judge_context(other, aim(), unread=False).text
    assert "cannot be read" in cluster.judge_context(other, aim(), unread=True).text


@pytest.mark.parametrize(
    ("mode", "state"), [(0o600, "ok"), (0o640, "warning"), (0o604, "warning"), (0o400, "ok")]
)
def test_who_may_read_a_kubeconfig(mode: int, state: str) -> None:
    file = Path("/x/config")
    assert cluster.judge_configs([file], {file: stat.S_IFREG | mode}, contexts=1).state == state
    assert cluster.judge_configs([file], {}, contexts=0).cause == "kubeconfig-missing"


@pytest.mark.parametrize(
    ("rules", "path", "excluded"),
    [
        (".env\n", ".env", True),
        (".env\n", "src/.env", False),
        ("**/.env*\n", "src/.env", True),
        ("src\n", "src/.env", True),
        ("*\n!src\n", "src/.env", False),
        ("", ".env", False),
    ],
)
def test_what_keeps_a_file_out_of_the_build(rules: str, path: str, excluded: bool) -> None:
    parsed = dockerignore.parse(rules, file=Path(".dockerignore"))
    assert parsed.leaves_out(path) is excluded


def test_the_disks_that_a_kubelet_tells_of_are_counted_once() -> None:
    same = {"capacityBytes": 100, "availableBytes": 40, "usedBytes": 3}
    stats = {"node": {"fs": same, "runtime": {"imageFs": {**same, "usedBytes": 1}}}}
    assert nodes.read_disks("n", stats, 100) == [Disk("n", 100, 40, 100)]
    stats["node"]["runtime"]["imageFs"]["availableBytes"] = 5
    assert [one.used for one in nodes.read_disks("n", stats, 85)] == [95, 60]
    assert nodes.read_disks("n", {}, 85) == []


def test_inotify_is_read_where_the_system_shows_it(tmp_path: Path) -> None:
    assert machine.read_limits(tmp_path) is None
    folder = tmp_path / "sys/fs/inotify"
    folder.mkdir(parents=True)
    (folder / "max_user_watches").write_text("12\n")
    (folder / "max_user_instances").write_text("3\n")
    assert machine.read_limits(tmp_path) == (12, 3)
    fds = tmp_path / "42/fd"
    fds.mkdir(parents=True)
    (fds / "5").symlink_to("anon_inode:inotify")
    (fds / "6").symlink_to("/dev/null")
    infos = tmp_path / "42/fdinfo"
    infos.mkdir()
    (infos / "5").write_text("pos:\t0\nflags:\t00\ninotify wd:1 ino:2\ninotify wd:2 ino:3\n")
    assert machine.count_watches(tmp_path) == (2, 1)


def made(folder: Path, *given: str) -> Path:
    """A certificate by openssl, with these arguments."""
    file = folder / "cert.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-keyout", str(folder / "key.pem"), "-out", str(file), "-subj", "/CN=x"]
    subprocess.run([*argv, *given], check=True, capture_output=True)
    return file


@pytest.mark.parametrize("days", ["1", "400", "36500"])  # the last is beyond two digits of a year
def test_a_certificate_of_openssl(tmp_path: Path, days: str) -> None:
    file = made(tmp_path, "-days", days)
    argv = ["openssl", "x509", "-in", file, "-noout", "-dates", "-dateopt", "iso_8601"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    wanted = [line.partition("=")[2].replace(" ", "T") for line in said.splitlines()]
    found = certificate.of_pem("text before\n" + file.read_text())
    assert [f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in found] == wanted


def test_what_is_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        certificate.of_pem("-----BEGIN PRIVATE KEY-----\n")
    import ssl

    whole = ssl.PEM_cert_to_DER_cert(made(tmp_path).read_text())
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            certificate.of_der(whole[:length])


def look(*checks: Check[list[str]], known: list[str] | None = None) -> list[Checked]:
    return list(examine(checks, known if known is not None else []))


def gives(verdict: Verdict) -> Callable[[list[str]], Verdict]:
    return lambda _: verdict


def fails(error: BaseException) -> Callable[[list[str]], Verdict]:
    def raising(_: list[str]) -> Verdict:
        raise error

    return raising


def test_what_builds_on_a_failure_is_not_looked_at() -> None:
    silent = UnreachableError("it is silent", hints=("wake it",), id="silent")
    events = look(
        Check(id="a", title="A", look=fails(silent)),
        Check(id="b", title="B", look=gives(ok("never")), needs=("a",)),
        Check(id="c", title="C", look=gives(ok("never")), needs=("b",)),
        Check(id="d", title="D", look=gives(ok("all the same")), after=("a",)),
        Check(id="e", title="E", look=gives(left_out("there is none"))),
        Check(id="f", title="F", look=gives(ok("never")), needs=("e",)),
        Check(id="g", title="G", look=gives(failure(silent))),
        Check(id="h", title="H", look=gives(ok("goes on")), needs=("g",)),
    )
    assert [(one.id, one.state, one.text) for one in events] == [
        ("a", "failure", "it is silent"),
        ("b", "skipped", "not looked at, because `A` failed"),
        ("c", "skipped", "not looked at, because `A` failed"),
        ("d", "ok", "all the same"),
        ("e", "skipped", "not looked at, because there is none"),
        ("f", "skipped", "not looked at, because there is none"),
        ("g", "failure", "it is silent"),
        ("h", "ok", "goes on"),
    ]
    assert (events[0].cause, events[0].exit_code, events[0].hints) == ("silent", 8, ("wake it",))


def test_checks_wait_beside_each_other() -> None:
    # Each lets the next one go: one after the other none would end.
    barrier = threading.Barrier(5, timeout=60)

    def waiting(_: list[str]) -> Verdict:
        barrier.wait()
        return ok("met")

    checks = [Check(id=str(number), title="x", look=waiting) for number in range(5)]
    assert [one.state for one in look(*checks)] == ["ok"] * 5


def test_a_file_that_cannot_be_read_is_no_defect() -> None:
    (event,) = look(Check(id="a", title="A", look=fails(PermissionError(13, "No", "/x/y"))))
    assert (event.state, event.cause) == ("warning", "not-readable")
    assert "`/x/y`" in event.text


@pytest.mark.parametrize("error", [CancelledError("interrupted"), AssertionError("a defect")])
def test_an_interruption_and_a_defect_end_it(error: BaseException) -> None:
    with pytest.raises(type(error)):
        look(Check(id="a", title="A", look=fails(error)))


def test_what_a_check_builds_on_stands_before_it() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert seen.issuperset({*check.needs, *check.after}), check.id
        assert check.id not in seen
        seen.add(check.id)


def test_the_end_has_the_code_of_the_worst() -> None:
    events = look(
        Check(id="a", title="A", look=fails(FilesError("f", place=Place(file=Path("/x"))))),
        Check(id="b", title="B", look=fails(MissingError("m", id="gone"))),
        Check(id="c", title="C", look=fails(UnreachableError("u"))),
        Check(id="d", title="D", look=gives(warning("w", "h", cause="c"))),
    )
    error = worst(events)
    assert error is not None
    assert (error.exit_code, error.id) == (9, "gone")
    assert error.message == "3 of 4 checks failed, the worst of them `B`"
    rest = [one for one in events if one.state != "failure"]
    assert worst(rest) is None
    assert told(rest) == "1 warning in 1 checks"
    assert told([]) == "nothing is wrong in 0 checks"


@pytest.mark.parametrize("interrupted", [True, False])
def test_an_interruption_is_no_good_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, interrupted: bool
) -> None:
    run = Run(emit=(events := list[Event]()).append)
    if interrupted:
        run.cancel.set()
    monkeypatch.setattr(command, "CHECKS", (Check(id="a", title="A", look=lambda _: ok("x")),))
    with pytest.raises(CancelledError) if interrupted else contextlib.nullcontext():
        command.doctor(run, flags={}, environ={}, cwd=tmp_path)
    assert [event.type for event in events][1:] == ([] if interrupted else ["check", "ended"])


def test_each_state_is_drawn() -> None:
    events = look(
        Check(id="a", title="A", look=gives(ok("well"))),
        Check(id="b", title="B", look=gives(left_out("there is none"))),
        Check(id="c", title="C", look=gives(warning("soon", "do it", cause="c"))),
        Check(id="d", title="D", look=fails(FilesError("no", place=Place(file=Path("f"), line=2)))),
    )
    rows = [f"{line.lead}{line.text}" for one in events for line in checked(one, Signs())]
    assert rows == [
        "ok A: well",
        "== B: not looked at, because there is none",
        "warning: C: soon",
        "  hint: do it",
        "error: D: no",
        "  at f:2",
    ]


def test_a_lock_of_a_process_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubekit import runfile

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lock = "from kubekit.runfile import RunFile; r = RunFile('tasks-1'); r.take('dev'); "
    code = f"{lock}import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ})
    ((key, holder),) = runfile.signed()
    assert (key, holder.command, holder.alive()) == ("tasks-1", "dev", False)
