"""`kubekit lint` as a command: files and folders, the project, its outputs and its codes."""

from __future__ import annotations

import json

from tests.cli.world import World

GOOD = 'FROM python:3.13-slim\nUSER 10001:10001\nCMD ["python"]\n'


def put(world: World, name: str, text: str) -> None:
    path = world.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_folder_without_a_project(world: World) -> None:
    put(world, "Dockerfile", "FROM python\nENV API_KEY=abcdef\nUSER 10001\n")
    result = world.run("lint")
    assert result.code == 3
    assert "Dockerfile:1: the image `python` has no tag" in result.out
    assert "Dockerfile:2: `API_KEY`" in result.out
    assert "1 error and 1 warning" in result.err
    put(world, "Dockerfile", GOOD)
    result = world.run("lint")
    assert (result.code, result.out) == (0, "")
    assert "nothing found in 1 file" in result.err


def test_a_folder_with_nothing_to_look_at_is_not_called_good(world: World) -> None:
    put(world, "docs/a.md", "")
    result = world.run("lint")
    assert (result.code, result.out) == (0, "")
    assert "there is nothing to look at: no Dockerfile and no manifest here" in result.err
    assert "`kubekit init`" in result.err
    result = world.run("lint", "docs")
    assert result.code == 0
    assert "no manifest in `docs`" in result.err
    assert not result.err.startswith(("\N{CHECK MARK}", "ok"))


def test_json_is_one_finding_a_line(world: World) -> None:
    put(world, "Dockerfile", "FROM python\nUSER 10001\n")
    result = world.run("lint", "-o", "json")
    events = [json.loads(line) for line in result.out.splitlines()]
    assert [event["type"] for event in events] == ["finding", "ended"]
    assert events[0]["id"] == "image-untagged"
    assert events[0]["also"][0] == "DL3006"
    assert (events[0]["file"], events[0]["line"]) == ("Dockerfile", 1)


def test_sarif_is_on_stdout_alone(world: World) -> None:
    put(world, "Dockerfile", "FROM python\nUSER 10001\n")
    result = world.run("lint", "--sarif")
    assert result.code == 0
    assert json.loads(result.out)["runs"][0]["results"][0]["ruleId"] == "image-untagged"


def test_strict_and_all(world: World) -> None:
    put(world, "Dockerfile", "FROM python\nUSER 10001\n")
    assert world.run("lint").code == 0
    assert world.run("lint", "--strict").code == 3
    assert "healthcheck-missing" in world.run("lint", "--all").out


def test_fix_shows_what_it_did_and_does_it_once(world: World) -> None:
    put(world, "Dockerfile", GOOD.replace("FROM python:3.13-slim", "FROM python:3.13-slim as a"))
    result = world.run("lint", "--fix")
    assert result.code == 0
    assert "+FROM python:3.13-slim AS a" in result.out
    assert "1 fixed" in result.err
    assert world.run("lint", "--fix").out == ""


def test_a_project_is_rendered_without_its_env(world: World) -> None:
    put(world, "kubekit.yaml", "name: web\n")
    put(world, ".env.example", "TOKEN=example\n")
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: '{{ name }}'}\nspec:\n  hostPID: true\n"
    put(world, "manifests/pod.yaml.j2", f"{{#- {{{{ secret }}}} -#}}\n{pod}# {{{{ secret }}}}\n")
    result = world.run("lint")
    assert result.code == 3
    assert "manifests/pod.yaml.j2:6: the pods of `Pod/web` share" in result.out


def test_rules_are_listed(world: World) -> None:
    result = world.run("lint", "--rules")
    assert result.code == 0
    assert "  image-untagged  (warning)" in result.out


def test_a_path_that_is_not_there(world: World) -> None:
    assert world.run("lint", "nowhere").code == 2


def test_a_kubekit_yaml_that_is_wrong_is_told_of(world: World) -> None:
    put(world, "kubekit.yaml", "name: [\n")
    assert world.run("lint").code == 2


def test_nothing_secret_is_shown(world: World) -> None:
    put(world, "kubekit.yaml", "name: web\n")
    put(world, ".env", "TOKEN=s3cr3t-Never-Shown\n")
    (world.folder / ".env").chmod(0o600)
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    put(world, "manifests/a.yaml.j2", f"{head}data: {{PASSWORD: '{{{{ env.TOKEN }}}}'}}\n")
    for flags in ((), ("-o", "json"), ("--sarif",), ("--fix",)):
        result = world.run("lint", *flags)
        assert result.code == 3
        assert "s3cr3t-Never-Shown" not in result.out + result.err
