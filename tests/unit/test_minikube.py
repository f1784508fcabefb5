"""What is asked of Minikube, with a program in its place that keeps what it was asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubekit.cluster import minikube
from kubekit.cluster.target import Profile, active_profile
from kubekit.errors import UnreachableError
from kubekit.image.nodes.store import NodeStore
from kubekit.model import Cancel

# As the real one: a delete forgets the active profile, whichever it deletes.
PROGRAM = """\
#!/bin/sh
echo "$*" >>"{home}/asked"
case "$*" in
"delete -p broken") echo "no such thing" >&2; exit 7 ;;
delete*) echo '{{}}' >"{config}" ;;
*"-n dev "*) echo "ssh: Process exited with status 97" >&2; exit 1 ;;
*"-n dev-m02 "*) echo 'ssh: "dev-m02" is not running' >&2; exit 1 ;;
*"-n slow"*" crictl images "*) sleep 0.3; echo '{{"images": []}}' ;;
"config set profile "*) echo "{{\\"profile\\": \\"$4\\"}}" >"{config}" ;;
esac
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = tmp_path / ".minikube" / "config" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"profile": "mine"}))
    program = tmp_path / "bin" / "minikube"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(home=tmp_path, config=config))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("MINIKUBE_HOME", str(tmp_path))
    return tmp_path


def test_a_delete_keeps_the_active_profile_of_another(home: Path) -> None:
    minikube.delete("dev", cancel=Cancel())
    assert active_profile() == "mine"
    assert (home / "asked").read_text() == "delete -p dev\nconfig set profile mine\n"


def test_the_active_profile_goes_with_its_own_delete() -> None:
    minikube.delete("mine", cancel=Cancel())
    assert active_profile() is None


def test_a_failure_has_minikubes_words(home: Path) -> None:
    with pytest.raises(UnreachableError) as caught:
        minikube.delete("broken", cancel=Cancel())
    assert (caught.value.id, caught.value.details) == ("delete-failed", ("no such thing",))
    assert (home / "asked").read_text() == "delete -p broken\n"


def test_a_command_in_a_node_ends_with_its_own_code(home: Path) -> None:
    done = minikube.run_in("dev", "dev", "exit 97", timeout=90, cancel=Cancel())
    assert done.code == 97
    assert (home / "asked").read_text() == "-p dev ssh -n dev -- exit 97\n"


def test_a_node_that_does_not_run_is_no_ending_of_a_command() -> None:
    with pytest.raises(UnreachableError) as caught:
        minikube.run_in("dev", "dev-m02", "true", timeout=90, cancel=Cancel())
    assert caught.value.id == "node-unreachable"
    assert caught.value.message.startswith("node `dev-m02` of Minikube profile `dev`")
    assert caught.value.hints[0] == "start it: `minikube node start dev-m02 -p dev`"


def test_each_node_is_asked_once_for_its_images(home: Path) -> None:
    nodes = ("slow", "slow-m02", "slow-m03")
    profile = Profile(name="slow", runtime="docker", machines=nodes, file=home / "config.json")
    assert NodeStore(profile, cancel=Cancel()).images("tasks") == []
    asked = (home / "asked").read_text().splitlines()
    assert sorted(asked) == [
        f"-p slow ssh -n {node} -- sudo crictl images -o json" for node in nodes
    ]
