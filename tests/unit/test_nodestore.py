"""Images in Minikube's nodes: what is sent there and what comes back, recorded of real nodes."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubekit.cluster.target import Profile
from kubekit.errors import BuildError, UnreachableError
from kubekit.events import BuildLog, BuildStep, Event
from kubekit.image.account import plain
from kubekit.image.account.explain import explain
from kubekit.image.account.steps import Account
from kubekit.image.files import context, dockerfile
from kubekit.image.nodes import parcel
from kubekit.image.nodes import script as nodescript
from kubekit.image.nodes.errors import explained, no_builder, not_pulled, refuse_secrets
from kubekit.image.nodes.listing import Listed, documents, held, in_use, merged, triggers
from kubekit.image.nodes.store import NodeStore
from kubekit.image.store import PROJECT_LABEL, Order
from kubekit.model import BuildPlan, BuildSecret, BuildSettings, Cancel

# What all were recorded of; the last command ends with `exit 3` or with `exit 0`.
DOCKERFILE = """\
FROM python:3.13-slim AS builder
ARG TOKEN=x
WORKDIR /srv
RUN for i in 1 2 3; do echo out$i $TOKEN; echo err$i >&2; sleep 0.5; done; printf 'no newline'
FROM python:3.13-slim
COPY --from=builder /srv /srv
RUN echo hi; exit 3
"""
LOOP = "[builder 3/3] RUN for i in 1 2 3; do echo out$i abc; echo err$i >&2; sleep 0.5; done; "
LOOP += "printf 'no newline'"
PRINTED = ["out1 abc", "err1", "out2 abc", "err2", "out3 abc", "err3", "no newline"]
LAST = "[stage-1 3/3] RUN echo hi; exit 3"
ID = f"sha256:{'1' * 64}"
OTHER = f"sha256:{'2' * 64}"


def replay(text: str, code: int) -> tuple[Account, list[Event]]:
    events: list[Event] = []
    account, stream = Account(events.append, dockerfile.parse(DOCKERFILE)), plain.Stream()
    found = [told for line in io.StringIO(text, newline="\n") for told in stream.add(line)]
    for told in [*found, *stream.end(code)]:
        account.take(told)
    return account, events


def recorded(name: str) -> str:
    return Path(__file__).with_name(f"plain_{name}.txt").read_text()


def ends(events: list[Event]) -> dict[str, tuple[str, float]]:
    """How each step ended, the internal ones left out."""
    return {
        event.step: (event.state, event.seconds)
        for event in events
        if isinstance(event, BuildStep) and event.state != "started"
    }


def order(root: Path, **args: str) -> Order:
    (root / "Dockerfile").write_text(DOCKERFILE)
    settings = BuildSettings(context=root, dockerfile=root / "Dockerfile", args=args)
    plan = context.plan(settings, name="tasks")
    return Order(plan=plan, reference="tasks:kk-1", labels={PROJECT_LABEL: "tasks"})


def profile(runtime: str = "containerd") -> Profile:
    return Profile(name="dev", runtime=runtime, machines=("dev",), file=Path("/x/config.json"))


@pytest.mark.parametrize("name", ["docker_good", "docker_bad", "buildctl_bad"])
def test_the_output_of_a_step_is_told_whole_and_once(name: str) -> None:
    _, events = replay(recorded(name), 0)
    logs = [event.line for event in events if isinstance(event, BuildLog) and event.step == LOOP]
    assert logs == PRINTED
    state, seconds = ends(events)[LOOP]
    assert state == "done"
    assert 1.5 < seconds < 2


def test_a_build_that_ends_well() -> None:
    account, events = replay(recorded("docker_good"), 0)
    assert account.error is None
    started = [one.step for one in events if isinstance(one, BuildStep) and one.state == "started"]
    assert set(started) == set(ends(events))
    assert "[builder 1/3] FROM docker.io/library/python:3.13-slim" in started
    assert ends(events)["[builder 2/3] WORKDIR /srv"] == ("cached", 0.0)
    assert not [step for step in started if "internal" in step]


@pytest.mark.parametrize("name", ["docker_bad", "buildctl_bad"])
def test_a_failed_step_leads_to_its_line(name: str, tmp_path: Path) -> None:
    account, events = replay(recorded(name), 1)
    assert ends(events)[LAST][0] == "failed"
    error = explain(account, dockerfile.parse(DOCKERFILE), order(tmp_path).plan)
    assert error.message == "`RUN echo hi; exit 3` ended with exit code 3"
    assert error.place is not None
    assert (error.place.line, error.details) == (7, ("hi",))


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "error: failed to solve: dockerfile parse error on line 10: unknown instruction: RUNN",
            10,
        ),
        (
            "failed to solve with frontend dockerfile.v0: dockerfile parse error line 3: RUNN",
            3,
        ),
    ],
)
def test_a_syntax_error_is_no_step(said: str, line: int, tmp_path: Path) -> None:
    account, _ = replay(f"#1 [internal] load\n#1 DONE 0.0s\n{said}\n", 1)
    error = explain(account, dockerfile.parse(DOCKERFILE), order(tmp_path).plan)
    assert (error.id, error.place and error.place.line) == ("dockerfile-syntax", line)
    assert ("did you mean `RUN`?" in error.hints) is ("unknown instruction" in said)


def test_the_steps_of_podman(tmp_path: Path) -> None:
    text = """\
[1/2] STEP 1/2: FROM python:3.13-slim AS builder
[1/2] STEP 2/2: WORKDIR /srv
--> Using cache 5e1ac0de
--> 5e1ac0de
[2/2] STEP 3/3: RUN echo hi; exit 3
hi
Error: building at STEP "RUN echo hi; exit 3": while running runtime: exit status 3
"""
    account, events = replay(text, 3)
    states = [state for state, _ in ends(events).values()]
    assert states == ["done", "cached", "failed"]
    error = explain(account, dockerfile.parse(DOCKERFILE), order(tmp_path).plan)
    assert error.message == "`RUN echo hi; exit 3` ended with exit code 3"
    assert error.place is not None
    assert (error.place.line, error.details) == (7, ("hi",))


@given(st.text())
def test_any_text_can_be_read_and_is_explained(text: str) -> None:
    account, _ = replay(text, 1)
    assert account.error


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("tasks:kk-1", "docker.io/library/tasks:kk-1"),
        ("python", "docker.io/library/python:latest"),
        ("me/app", "docker.io/me/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("r.io:5000/a/b", "r.io:5000/a/b:latest"),
        (f"python@{ID}", f"docker.io/library/python@{ID}"),
        (f"python:3@{ID}", f"docker.io/library/python@{ID}"),
    ],
)
def test_names_as_containerd_writes_them(written: str, name: str) -> None:
    assert nodescript.full(written) == name
    assert nodescript.full(name) == name


def images(*images: tuple[str, list[str]]) -> str:
    found = [{"id": id_, "repoTags": tags, "repoDigests": []} for id_, tags in images]
    return json.dumps({"images": found}, indent=2).replace("\n", "\r\n")


def test_images_are_found_whatever_they_are_called_there() -> None:
    for name, id_ in (
        ("tasks:kk-1", ID),  # docker
        ("docker.io/library/tasks:kk-1", ID),  # containerd
        ("docker.io/library/tasks:kk-1", ID.removeprefix("sha256:")),  # cri-o
    ):
        listed = Listed.parse(images((id_, [name]), (OTHER, [])))
        assert listed.image("tasks:kk-1") == ID
        assert listed.image("tasks:kk-2") is None
        assert listed.of("tasks") == (ID,)
        assert listed.of("task") == ()


def test_warnings_around_the_listing_do_not_matter() -> None:
    text = f'time="x" level=warning msg="{{no config}}"\r\n{images((ID, ["a:1"]))}'
    assert Listed.parse(text).image("a:1") == ID


@pytest.mark.parametrize("text", ["", "sudo: crictl: command not found", "[]", "{broken"])
def test_what_is_no_listing_is_no_empty_one(text: str) -> None:
    with pytest.raises(ValueError):
        documents(text)


def containers(**states: str) -> str:
    found = [
        {"state": f"CONTAINER_{state}", "imageRef": id_, "image": {"image": ID}}
        for id_, state in states.items()
    ]
    return json.dumps({"containers": found})


def inspected(id_: str, project: str, created: str, *tags: str) -> str:
    spec = {"created": created, "config": {"Labels": {PROJECT_LABEL: project}}}
    return json.dumps(
        {"info": {"imageSpec": spec}, "status": {"id": id_, "repoTags": tags, "repoDigests": None}}
    )


def test_images_of_a_project_and_who_uses_them() -> None:
    running = containers(**{ID: "RUNNING"})
    assert in_use(running) == {ID}
    assert in_use(containers(**{ID: "EXITED"})) == frozenset()
    mine = inspected(ID, "tasks", "2026-01-01", "docker.io/library/tasks:kk-1", "docker.io/me/x:1")
    newer = inspected(OTHER, "tasks", "2026-01-02", "tasks:kk-2")
    others = inspected(OTHER, "other", "2026-01-03", "tasks:kk-3")
    here = held(f"{containers()}\n[{mine},\n{newer}, {others}]", "tasks")
    there = held(f"{running}\n{mine}", "tasks")
    found = merged([here, there])
    assert [(one.id, one.names, one.used) for one in found] == [
        (OTHER, ("tasks:kk-2",), False),
        (ID, ("tasks:kk-1", "me/x:1"), True),
    ]


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ('[{"Id": "x", "Config": {"OnBuild": null}}]', False),  # docker
        ('[{"Id": "x", "Config": {"OnBuild": ["RUN make"]}}]', True),
        ('{"architecture": "amd64", "config": {"Cmd": ["sh"]}}', False),  # containerd
        ('{"architecture": "amd64", "config": {"OnBuild": ["COPY . ."]}}', True),
    ],
)
def test_triggers_of_a_base_image_are_found(config: str, found: bool) -> None:
    assert triggers(f"{config}\r\n") is found


def test_containerd_loses_a_name_or_the_image() -> None:
    name = nodescript.full("tasks:kk-1")
    assert nodescript.remove("tasks:kk-1", "containerd", [name]) == f"sudo crictl rmi {name}"
    kept = nodescript.remove("tasks:kk-1", "containerd", [name, "docker.io/me/x:1"])
    assert kept == f"sudo ctr -n k8s.io images rm {name}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@example("alpine;reboot")
@example("a$(reboot)")
@pytest.mark.parametrize("runtime", ["docker", "containerd", "crio"])
def test_no_name_is_a_command(runtime: str, name: str) -> None:
    for command in (
        nodescript.pull(name),
        nodescript.remove(name, runtime, []),
        nodescript.remove(name, runtime, ["x"]),
        nodescript.config(name, runtime),
        nodescript.inspect([name]).partition("; ")[2],
    ):
        assert shlex.split(command)[-1] in {name, nodescript.full(name)}


def test_what_killed_runs_have_left_goes_when_it_is_old(tmp_path: Path) -> None:
    names = ["kubekit-old", "kubekit-old.tar", "kubekit-now.tar", "foreign"]
    for name in names:
        (tmp_path / name).touch()
        if name != "kubekit-now.tar":
            os.utime(tmp_path / name, (0, 0))
    command = nodescript.discard(nodescript.FOLDER + "/kubekit-mine")
    (sweep, _) = shlex.split(command)[-1].split("; ")
    subprocess.run(["sh", "-c", sweep.replace(nodescript.FOLDER, str(tmp_path))], check=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "kubekit-now.tar"]
    assert sweep in nodescript.run("kubekit-1")


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@pytest.mark.parametrize(
    ("runtime", "flag"), [("docker", ""), ("crio", ""), ("containerd", "build-arg:")]
)
def test_arguments_arrive_as_they_are_and_in_no_command_line_here(
    runtime: str, flag: str, value: str
) -> None:
    file = Path("/x/Dockerfile")
    made = BuildPlan(
        settings=BuildSettings(context=file.parent, dockerfile=file, args={"TOKEN": f"kk{value}"}),
        name="tasks",
        digest="1",
        dockerfile="Dockerfile",
        files=(),
        hashes={},
    )
    made_of = Order(plan=made, reference="tasks:kk-1", labels={})
    script = nodescript.build(made_of, runtime)
    command = script.partition(".dockerignore\n")[2]
    assert f"{flag}TOKEN=kk{value}" in shlex.split(command)
    assert "TOKEN" not in nodescript.run("kubekit-1")


def test_the_archive_is_the_context_with_the_script_in_front(tmp_path: Path) -> None:
    made = order(tmp_path)
    data = b"".join(parcel.archive(made, "kubekit-1", "echo é"))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        script = tar.extractfile("kubekit-1")
        assert script is not None
        assert script.read().decode() == "echo é"
    assert names == ["kubekit-1", "Dockerfile"]


def test_a_step_that_is_stopped_is_not_the_cause() -> None:
    text = """\
#1 [a 2/2] RUN sleep 9
#1 0.1 waiting
#2 [b 2/2] RUN false
#1 CANCELED
#2 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1
error: failed to solve: exit code: 1
"""
    account, events = replay(text, 1)
    assert (account.failed, account.tail) == ("[b 2/2] RUN false", ())
    assert {state for state, _ in ends(events).values()} == {"failed"}
    assert account.error is not None
    assert account.error.startswith("process")


def test_of_a_progress_bar_its_end_is_told() -> None:
    _, events = replay("#1 [2/2] RUN curl\n#1 0.1 10%\r100%\n#1 DONE 0.2s\n", 0)
    assert [event.line for event in events if isinstance(event, BuildLog)] == ["100%"]


def test_podman_gets_what_the_stages_need_that_nobody_needs(tmp_path: Path) -> None:
    (tmp_path / "wanted").touch()
    (tmp_path / "tests.py").touch()
    text = "FROM a AS test\nCOPY tests.py /\nFROM a\nCOPY wanted /\n"
    (tmp_path / "Dockerfile").write_text(text)
    settings = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    made = context.plan(settings, name="tasks")
    order = Order(plan=made, reference="tasks:kk-1", labels={})
    sent = {runtime: parcel.needed(order, runtime) for runtime in ("containerd", "crio")}
    paths = {runtime: {file.path for file in one.plan.files} for runtime, one in sent.items()}
    assert paths["crio"] - paths["containerd"] == {"tests.py"}
    assert sent["crio"].plan.digest == made.digest


def test_an_archive_of_a_run_that_was_killed_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with parcel.folder() as killed, parcel.folder() as other:
        (killed / "kubekit-1.tar").touch()
        os.utime(killed, (0, 0))
        with parcel.folder() as mine:
            assert mine.stat().st_mode & 0o077 == 0
            assert {*tmp_path.iterdir()} == {other, mine}
    assert not [*tmp_path.iterdir()]


def test_a_base_for_another_platform_is_not_kept_secret() -> None:
    told: list[Event] = []
    store = NodeStore(profile(), cancel=Cancel())
    store.pull("a:1", platform="linux/arm64", emit=told.append, cancel=Cancel())
    assert "a newer one is not noticed" in getattr(told[0], "text", "")


def plan(root: Path) -> BuildPlan:
    return order(root).plan


def test_a_node_without_a_builder_says_what_to_do() -> None:
    error = no_builder(profile())
    assert error.id == "builder-missing"
    assert error.message == "node `dev` has no `buildctl`, so nothing can be built in it"
    assert "`kubekit up --profile dev-docker`" in error.hints[0]
    assert "knows no builder" in no_builder(profile("rkt")).message


MOUNT = "FROM alpine\nRUN --mount=type=secret,id=token make\n"


@pytest.mark.parametrize("given", [True, False])
def test_a_node_builds_nothing_without_its_secret(tmp_path: Path, given: bool) -> None:
    (tmp_path / "Dockerfile").write_text(MOUNT)
    settings = BuildSettings(
        context=tmp_path,
        dockerfile=tmp_path / "Dockerfile",
        secrets={"token": BuildSecret(env="TOKEN")} if given else {},
    )
    plan = context.plan(settings, name="tasks")
    if not given:
        refuse_secrets(profile(), dockerfile.read(settings.dockerfile), plan)
        return
    made = Order(plan=plan, reference="tasks:kk-1", labels={})
    with pytest.raises(BuildError) as caught:  # no Minikube is asked
        NodeStore(profile(), cancel=Cancel()).build(made, emit=print, cancel=Cancel())
    assert caught.value.id == "secret-not-given"
    assert str(caught.value.place).endswith("Dockerfile:2")


def test_a_builder_that_does_not_answer_is_no_fault_of_the_files(tmp_path: Path) -> None:
    said = "error: failed to list workers: Unavailable: connection error: dial unix: refused\n"
    account, _ = replay(said, 1)
    error = explained(account, dockerfile.parse(DOCKERFILE), plan(tmp_path), profile(), "dev")
    assert isinstance(error, UnreachableError)
    assert error.id == "builder-silent"
    assert "systemctl restart buildkit" in error.hints[0]


def test_a_full_disk_of_a_node_is_named(tmp_path: Path) -> None:
    account, _ = replay("tar: app: Cannot write: No space left on device\n", 2)
    error = explained(account, dockerfile.parse(DOCKERFILE), plan(tmp_path), profile(), "dev")
    assert error.id == "disk-full"
    assert "minikube -p dev ssh -n dev -- sudo crictl rmi --prune" in error.hints[0]


def test_a_base_image_that_cannot_be_pulled_in_a_node() -> None:
    error = not_pulled(profile(), "r.io/a:1", "FATA[0000] pulling image: 401 Unauthorized")
    assert error.id == "image-denied"
    assert "in node `dev`" in error.message
    assert "docker pull r.io/a:1 && minikube -p dev image load --daemon r.io/a:1" in error.hints[0]
    wrong = not_pulled(profile(), "A;b", "failed to parse reference: invalid reference format")
    assert (wrong.id, wrong.hints[0][:11]) == ("image-name-invalid", "write it as")
