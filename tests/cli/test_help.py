"""Help, version and completion: complete, and without what they do not need."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from kubekit import __version__, errors
from tests.cli.world import World

HEAVY = ("kubernetes", "docker", "pydantic", "rich", "jinja2", "yaml", "requests", "urllib3")
COMMANDS = (
    *(
        "up",
        "build-and-apply",
        "push",
        "render",
        "status",
        "logs",
        "why",
        "rollback",
        "teardown",
        "docker",
        "lint",
        "schema",
    ),
)
CLUSTER_FLAGS = ("--profile", "--context", "--namespace", "-n", "--file", "-f", "--timeout")
FLAGS = (*CLUSTER_FLAGS, "--output", "-o", "--quiet", "-q", "--verbose", "-v", "--yes", "--help")


def test_help_names_every_command(world: World) -> None:
    result = world.run("--help")
    assert (result.code, result.err) == (0, "")
    for name in (*COMMANDS, "config"):
        assert re.search(rf"^  {name} +\S", result.out, re.MULTILINE), name


def test_no_arguments_show_the_help(world: World) -> None:
    shown = world.run()
    assert (shown.out or shown.err) == world.run("-h").out
    assert shown.code == 2


def test_version(world: World) -> None:
    result = world.run("--version")
    assert (result.code, result.out) == (0, f"kubekit {__version__}\n")


@pytest.mark.parametrize("command", [*COMMANDS[:-1], "config show"])
def test_each_command_shows_its_flags(world: World, command: str) -> None:
    result = world.run(*command.split(), "--help")
    assert (result.code, result.err) == (0, "")
    words = set(re.findall(r"(?<!\S)--?[a-z-]+", result.out))
    assert set(FLAGS) <= words


def test_help_lists_the_exit_codes_there_are(world: World) -> None:
    listed = re.findall(r"^ +(\d+)  ", world.run("--help").out, re.MULTILINE)
    raised = {
        thing.exit_code
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, errors.KubekitError)
    }
    assert [int(code) for code in listed] == sorted({0, *raised})


def test_help_and_errors_tell_the_same_tree() -> None:
    drawn = dict(re.findall(r"(\w+Error) +(\d+)  ", errors.__doc__ or ""))
    there = {
        name: str(thing.exit_code)
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.KubekitError)
    }
    assert drawn == there


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_nothing_heavy_is_imported(world: World, arguments: list[str]) -> None:
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "from kubekit.cli import main\n"
        f"sys.argv = ['kubekit', *{arguments!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=world.env
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}
    assert loaded.isdisjoint(HEAVY)
    assert "typer" in loaded


def test_completion_offers_the_commands(world: World) -> None:
    world.env |= {
        "_KUBEKIT_COMPLETE": "complete_bash",
        "COMP_WORDS": "kubekit ",
        "COMP_CWORD": "1",
    }
    offered = world.run().out.split()
    assert set(COMMANDS) <= set(offered)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed_by_hand(world: World, shell: str) -> None:
    world.env |= {"_KUBEKIT_COMPLETE": f"source_{shell}"}
    assert "_KUBEKIT_COMPLETE" in world.run().out
