"""What each kind of terminal shows, and that it is left as it was."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.cli.terminal import Terminal
from tests.cli.world import DEPLOYMENT, World
from tests.conftest import KUBEKIT

CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
COLOUR = re.compile(rb"\x1b\[[0-9;]*\b(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
SLOW = """\
FROM python:3.13-slim
RUN for i in 1 2 3 4 5 6 7 8 9; do echo "compiling part $i of {mark}"; sleep 0.3; done
USER 10001
CMD ["sleep", "600"]
"""
UNREADY = DEPLOYMENT.replace(
    'image: "{{ image }}"',
    'image: "python:3.13-slim", imagePullPolicy: Never, command: [sleep, "600"], '
    "readinessProbe: {exec: {command: [cat, /nowhere]}, periodSeconds: 60}",
)
WRONG = "name: tasks\nthis-key-is-nowhere-in-the-schema: 1\n"


@pytest.fixture
def waiting(lab_world: World) -> World:
    """A project whose rollout takes for ever."""
    lab_world.project("timeout: 100s\n", manifest=UNREADY)
    return lab_world


@pytest.fixture
def building(lab_world: World) -> World:
    """A project with a build of three seconds that was never built before."""
    lab_world.project("build: {context: app}\n", manifest=DEPLOYMENT)
    lab_world.write("app/Dockerfile", SLOW.replace("{mark}", lab_world.name))
    return lab_world


@pytest.mark.parametrize("columns", [40, 80])
def test_nothing_is_cut_at_any_width(world: World, columns: int) -> None:
    world.write("kubekit.yaml", WRONG)
    terminal = Terminal.run(world, "render", columns=columns)
    assert terminal.end() == 2
    assert "this-key-is-nowhere-in-the-schema" in terminal.text
    assert all(len(line) <= columns for line in terminal.lines)
    assert terminal.lines[-1].strip() == "at kubekit.yaml:2:1"
    # Words are whole: each that is in the plain output is in one row or goes on at its full width.
    words = world.run("render").err.split()
    assert [word for word in words if word not in terminal.text] == []


def test_a_command_in_a_hint_can_be_copied_at_40_columns(world: World) -> None:
    world.image()
    world.write("kubekit.yaml", f"name: tasks\nbuild: {{context: app, dockerfile: {'d' * 60}}}\n")
    terminal = Terminal.run(world, "render", columns=40)
    assert terminal.end() == 3
    assert f"`{'d' * 60}`" in terminal.text


def test_colours_in_a_terminal_and_none_if_not_wanted(world: World) -> None:
    world.write("kubekit.yaml", WRONG)
    coloured = Terminal.run(world, "render")
    coloured.end()
    assert COLOUR.search(coloured.raw)
    plain = Terminal.run(world, "render", NO_COLOR="1")
    plain.end()
    assert not COLOUR.search(plain.raw)
    assert plain.lines == coloured.lines


@pytest.mark.cluster
def test_a_terminal_that_only_prints_gets_plain_lines(lab_world: World) -> None:
    lab_world.project()
    terminal = Terminal.run(lab_world, "build-and-apply", TERM="dumb")
    assert terminal.end() == 0
    assert not CONTROL.search(terminal.raw.replace(b"\r\n", b"\n"))
    assert "apply" in terminal.text


@pytest.mark.cluster
def test_no_control_characters_outside_a_terminal(building: World) -> None:
    building.write(
        "app/Dockerfile", "FROM python:3.13-slim\nRUN printf '\\033[31mred\\a\\n'; exit 1\n"
    )
    result = building.run("build-and-apply", "-v")
    assert result.code == 4
    assert "  │ red" in result.err
    assert not CONTROL.search(result.err.encode())


@pytest.mark.cluster
def test_the_build_is_seen_while_it_runs_and_its_end_remains(building: World) -> None:
    terminal = Terminal.run(building, "build-and-apply", columns=60)
    part = re.compile(rf"│ compiling part \d of {building.name}")
    terminal.until(lambda t: any(part.search(line) for line in t.lines))
    live = "\n".join(terminal.lines)
    assert re.search(r"RUN for i in 1 2 3.*… \d s", live)
    assert re.search(r"^\S building .* \d s$", live, re.MULTILINE)
    terminal.until(lambda t: any("rollout" in line for line in t.lines))
    assert terminal.end() == 0
    assert not any(part.search(line) for line in terminal.lines)
    assert not any(line.startswith(tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")) for line in terminal.lines)
    signs = [line[0] for line in terminal.lines if line[0] != " "]
    assert signs == ["✓", "✓", "✓", "✓"]


@pytest.mark.cluster
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_the_wait(waiting: World, times: int) -> None:
    terminal = Terminal.run(waiting, "build-and-apply")
    terminal.until(lambda t: any("Deployment/web: " in line for line in t.lines))
    terminal.type("\x03" * times)
    assert terminal.end(10) == 130
    assert not any("Deployment/web: " in line or "^C" in line for line in terminal.lines)
    if times == 1:
        assert terminal.lines[-2:] == [
            "✗ interrupted",
            "  hint: what was applied stays; run it again to go on, or `kubekit teardown`",
        ]


@pytest.mark.parametrize("key", ["\x03", "\x04", "n\r"])
def test_a_question_can_be_left(world: World, key: str) -> None:
    world.project()
    terminal = Terminal.run(world, "teardown", "--data")
    terminal.until(lambda t: "Delete the volumes" in t.text)
    terminal.type(key)
    assert terminal.end(10) == (2 if key == "n\r" else 130)
    assert "so nothing was done" in terminal.lines[-1]


def test_a_pipe_that_closes_is_quiet(world: World) -> None:
    world.project(manifest="kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n")
    world.write("manifests/big.yaml", "\n---\n".join(_config_map(n) for n in range(300)))
    assert _first_line(world, "render | head -1") == (0, "---\n", "")
    assert _first_line(world, "schema | head -1") == (0, "{\n", "")


@pytest.mark.cluster
def test_an_apply_nobody_listens_to_does_not_end_well(waiting: World) -> None:
    code, line, error = _first_line(waiting, "build-and-apply -o json | head -1")
    assert (code, json.loads(line)["type"], error) == (130, "stage-started", "")


def test_a_full_disk_is_told(world: World) -> None:
    world.project()
    cause = "cannot write to stdout: No space left on device"
    assert _first_line(world, "render > /dev/full") == (1, "", f"✗ {cause}\n")
    code, _, error = _first_line(world, "render -o json > /dev/full")
    assert (code, json.loads(error)["message"]) == (1, cause)
    assert _first_line(world, "schema > /dev/full") == (1, "", f"✗ {cause}\n")
    assert _first_line(world, "config show > /dev/full 2>&1") == (1, "", "")
    assert _first_line(world, "render --file nowhere 2> /dev/full") == (2, "", "")


def test_a_closed_stream_is_no_defect(world: World) -> None:
    world.project()
    assert _first_line(world, "render >&-") == (0, "", "")
    assert _first_line(world, "schema >&-") == (0, "", "")
    assert _first_line(world, "render -o json >&- 2>&-") == (0, "", "")
    assert _first_line(world, "render 2>&- | head -1") == (0, "---\n", "")
    assert _first_line(world, "render --file nowhere 2>&-") == (2, "", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_the_signs(world: World, encoding: str) -> None:
    world.project("values: {greeting: 你好}\n")
    world.env["PYTHONIOENCODING"] = encoding
    world.write("manifests/x.yaml.j2", "{{ greeting }}{{ nope }}")
    failed = world.run("render")
    assert failed.code == 3
    assert failed.err.startswith("error: `nope` is not defined")
    (world.folder / "manifests/x.yaml.j2").unlink()
    world.write("manifests/app.yaml.j2", _config_map(1) + "data: {text: '{{ greeting }}'}\n")
    rendered = world.run("render")
    assert rendered.code == 0
    assert "你好" in rendered.out


@pytest.mark.cluster
def test_quiet_verbose_and_json(lab_world: World) -> None:
    lab_world.project()
    usual = lab_world.run("build-and-apply")
    assert (usual.code, usual.out) == (0, "")
    quiet = lab_world.run("build-and-apply", "-q")
    assert len(quiet.err.splitlines()) == 1
    assert quiet.err.startswith("✓ nothing changed in namespace")
    verbose = lab_world.run("build-and-apply", "-v")
    assert "    ConfigMap/settings unchanged" in verbose.err.splitlines()
    events = lab_world.run("build-and-apply", "-o", "json")
    assert events.err == ""
    assert {event["v"] for event in events.events} == {1}
    assert [event["type"] for event in events.events][-1] == "ended"


def _config_map(number: int) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{number}}}\n"


def _first_line(world: World, command: str) -> tuple[int, str, str]:
    """What a shell with this command behind kubekit sees, and with which code kubekit ended."""
    program, _, rest = command.partition(" ")
    script = f"{KUBEKIT} {program} {rest}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=world.folder,
        env={**world.env, "PATH": world.env["PATH"] + ":/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
