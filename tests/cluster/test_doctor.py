"""`kubekit doctor` on the real Minikube, and on what is really wrong, away from what is shared.

Nothing of the lab's is changed: where a profile, a kubeconfig or a Docker is to be broken, it is a
copy that the variables of this test lead to.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubekit.doctor.roster import CHECKS
from tests.cluster.conftest import PROFILE
from tests.conftest import Result, kubekit

pytestmark = pytest.mark.cluster

SETTINGS = "name: tasks\nprofile: {profile}\nmanifests: [manifests]\ndev: {{port: {port}}}\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def git(folder: Path, *command: str) -> None:
    subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)


@pytest.fixture
def env(cluster: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A shell that uses the lab, and whose runs nobody else can see."""
    gone = {"KUBEKIT_PROFILE", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}
    kept = {key: value for key, value in cluster.items() if key not in gone}
    return {**kept, "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that is well, in a repository of git."""
    folder = tmp_path / "project"
    (folder / "manifests").mkdir(parents=True)
    (folder / "kubekit.yaml").write_text(SETTINGS.format(profile=PROFILE, port=free_port()))
    (folder / ".env").write_text("TOKEN=hunter2hunter2\n")
    (folder / ".env").chmod(0o600)
    (folder / ".gitignore").write_text(".env\n")
    git(folder, "init", "-q")
    return folder


def doctor(folder: Path, env: dict[str, str], *flags: str) -> tuple[Result, dict[str, Any]]:
    """What it says of each check, by the check's id."""
    result = kubekit("doctor", "-o", "json", *flags, cwd=folder, env=env)
    assert "hunter2" not in result.out + result.err
    found = {event["id"]: event for event in result.of("check")}
    assert list(found) == [check.id for check in CHECKS], result.out + result.err
    return result, found


def state(found: dict[str, Any], *ids: str) -> list[str]:
    return [found[one]["state"] for one in ids]


def moved(
    env: dict[str, str], parent: Path, *, profile: str = PROFILE, **cluster: Any
) -> dict[str, str]:
    """The environment with a Minikube and a kubeconfig of its own, copied from the lab's.

    Args:
        env: of the lab.
        parent: where the copies go.
        profile: what the copied profile is called.
        cluster: entries of the kubeconfig's cluster that are other ones.
    """
    home = parent / "home/.minikube"
    (home / "profiles" / profile).mkdir(parents=True)
    config = Path(env["MINIKUBE_HOME"]) / "profiles" / PROFILE / "config.json"
    (home / "profiles" / profile / "config.json").write_text(
        config.read_text().replace(f'"{PROFILE}"', f'"{profile}"')
    )
    data = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
    data["clusters"][0]["cluster"] |= cluster
    file = parent / "kubeconfig"
    file.write_text(yaml.safe_dump(data))
    file.chmod(0o600)
    return {**env, "MINIKUBE_HOME": str(home), "KUBECONFIG": str(file)}


def test_all_is_well(folder: Path, env: dict[str, str]) -> None:
    kubeconfig = Path(env["KUBECONFIG"])
    before = (kubeconfig.read_bytes(), kubeconfig.stat().st_mtime_ns)
    result, found = doctor(folder, env)
    assert result.code == 0, result.out
    # How full the disk of this machine is, and who watches files on it, is not the test's to say.
    others = {one: event for one, event in found.items() if one not in {"disk", "inotify"}}
    wrong = [event for event in others.values() if event["state"] not in ("ok", "skipped")]
    assert not wrong
    # Nothing is built in this project.
    assert [one for one, event in others.items() if event["state"] == "skipped"] == ["env-image"]
    assert (kubeconfig.read_bytes(), kubeconfig.stat().st_mtime_ns) == before
    assert not list(Path(env["XDG_STATE_HOME"]).rglob("*"))
    assert f"`{PROFILE}`, by kubekit.yaml:2" in found["context"]["text"]
    assert "driver docker, runtime docker" in found["profile"]["text"]


def test_the_list_for_people_fits_a_narrow_terminal_and_says_the_same(
    folder: Path, env: dict[str, str]
) -> None:
    (folder / ".env").chmod(0o644)
    result = kubekit("doctor", cwd=folder, env=env)
    assert result.code == 0
    assert [one.title for one in CHECKS if f" {one.title}: " not in result.out] == []
    assert "hint: `chmod 600 .env`" in result.out
    quiet = kubekit("doctor", "-q", cwd=folder, env=env)
    assert "API server" not in quiet.out
    assert "every user of this machine may read `.env`" in quiet.out


def test_no_minikube_on_the_path(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "docker"):
        (programs / name).symlink_to(str(shutil.which(name, path=env["PATH"])))
    result, found = doctor(folder, {**env, "PATH": str(programs)})
    assert result.code == 9
    assert (found["minikube"]["cause"], found["minikube"]["exit_code"]) == ("minikube-missing", 9)
    assert found["docker"]["text"] == "not looked at, because `minikube` is not on PATH"
    # What needs no minikube is looked at.
    assert state(found, "api", "nodes", "certificates", "env-git") == ["ok"] * 4


def test_no_docker_on_the_path(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "minikube"):
        (programs / name).symlink_to(str(shutil.which(name, path=env["PATH"])))
    result, found = doctor(folder, {**env, "PATH": str(programs)})
    assert result.code == 9
    assert found["programs"]["cause"] == "docker-missing"
    assert state(found, "api", "docker") == ["ok", "skipped"]


def test_a_profile_that_is_not_there(folder: Path, env: dict[str, str]) -> None:
    result, found = doctor(folder, env, "--profile", "kubekit-lap")
    assert result.code == 8
    assert found["context"]["cause"] == "profile-missing"
    assert f"did you mean `{PROFILE}`?" in found["context"]["hints"]
    below = ("profile", "docker", "api", "kubernetes", "disk", "clock", "proxy", "runs")
    assert state(found, *below) == ["skipped"] * len(below)
    assert state(found, "minikube", "env-file", "port", "own-docker") == ["ok"] * 4


def test_a_profile_that_is_stopped(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    # Minikube takes the context out of the kubeconfig when it stops.
    other = moved(env, tmp_path, profile="idle")
    result, found = doctor(folder, other, "--profile", "idle")
    assert result.code == 8
    assert found["context"]["cause"] == "profile-stopped"
    assert found["context"]["hints"] == ["start it with `kubekit up`"]


def test_an_api_server_that_is_silent(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    other = moved(env, tmp_path, server=f"https://127.0.0.1:{free_port()}")
    result, found = doctor(folder, other)
    assert result.code == 8
    assert found["api"]["state"] == "failure"
    assert state(found, "context", "profile") == ["ok", "ok"]
    assert found["clock"]["text"] == "not looked at, because `API server` failed"


def test_a_docker_that_is_not_there(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    result, found = doctor(folder, {**env, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert result.code == 8
    assert "there is no such socket" in found["own-docker"]["text"]
    assert found["docker"]["text"] == "not looked at, because `docker` failed"
    assert state(found, "api", "nodes") == ["ok", "ok"]


def expired(folder: Path) -> tuple[Path, Path]:
    """A certificate that ran out years ago, and its key, made by openssl."""
    folder.mkdir()
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nnew_certs_dir = .\nserial = serial\n"
        "default_md = sha256\n"
        "policy = any\n[any]\ncommonName = supplied\n"
    )
    (folder / "index").touch()
    request = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "request"]
    sign = ["ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "key", "-in", "request"]
    sign += ["-out", "cert", "-notext", "-rand_serial"]
    sign += ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
    for argv in ([*request, "-subj", "/CN=x"], sign):
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)
    return folder / "cert", folder / "key"


def test_a_certificate_that_ran_out(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    other = moved(env, tmp_path)
    certificate, key = expired(tmp_path / "ca")
    file = Path(other["KUBECONFIG"])
    data = yaml.safe_load(file.read_text())
    data["users"][0]["user"] = {"client-certificate": str(certificate), "client-key": str(key)}
    file.write_text(yaml.safe_dump(data))
    result, found = doctor(folder, other)
    assert result.code == 8
    text = "that of the kubeconfig's client ran out on 2020-02-01"
    assert (found["certificates"]["text"], found["certificates"]["exit_code"]) == (text, 8)
    assert found["certificates"]["hints"] == [
        f"Minikube makes new ones: `minikube stop -p {PROFILE}`, then `kubekit up`"
    ]
    assert found["api"]["cause"] == "unauthorized"


def test_a_proxy_on_the_way(folder: Path, env: dict[str, str]) -> None:
    proxied = {**env, "HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}
    result, found = doctor(folder, proxied)
    assert result.code == 8
    assert found["proxy"]["cause"] == "proxy"
    assert found["api"]["state"] == "failure"
    (hint,) = found["proxy"]["hints"]
    address = hint.rpartition(",")[2].rstrip("`")
    _, found = doctor(folder, {**proxied, "NO_PROXY": address})
    assert state(found, "proxy", "api") == ["ok", "ok"]


def test_secrets_that_do_not_stay_where_they_are(folder: Path, env: dict[str, str]) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    with (folder / "kubekit.yaml").open("a") as file:
        file.write("build: {context: .}\n")
    (folder / ".env").chmod(0o644)
    (folder / ".gitignore").unlink()
    result, found = doctor(folder, env)
    assert result.code == 0
    causes = {one: found[one]["cause"] for one in ("env-file", "env-git", "env-image")}
    assert causes == {
        "env-file": "env-readable",
        "env-git": "env-not-ignored",
        "env-image": "env-in-image",
    }
    (folder / ".dockerignore").write_text(".env\n")
    git(folder, "add", ".env")
    result, found = doctor(folder, env)
    assert (result.code, found["env-git"]["cause"]) == (3, "env-tracked")
    assert state(found, "env-image") == ["ok"]


def test_a_kubekit_yaml_that_is_wrong(folder: Path, env: dict[str, str]) -> None:
    file = folder / "kubekit.yaml"
    file.write_text(file.read_text() + "manifest: [x]\n")
    result, found = doctor(folder, {**env, "KUBEKIT_PROFILE": PROFILE})
    assert result.code == 2
    assert found["config"]["place"].startswith("kubekit.yaml:5:")
    assert "manifest" in found["config"]["text"]
    assert state(found, "api", "docker", "env-git", "port") == ["ok", "ok", "ok", "skipped"]
    assert "which cannot be read, may name another" in found["context"]["text"]


def test_a_file_that_is_not_there_is_told_and_the_rest_looked_at(
    folder: Path, env: dict[str, str]
) -> None:
    (folder / "manifests").rmdir()
    result, found = doctor(folder, env)
    assert result.code == 3
    assert found["config"]["place"].startswith("kubekit.yaml:3")
    assert state(found, "api", "port", "runs") == ["ok", "ok", "ok"]


def test_without_a_kubekit_yaml(tmp_path: Path, env: dict[str, str]) -> None:
    result, found = doctor(tmp_path, {**env, "KUBEKIT_PROFILE": PROFILE})
    assert result.code == 0
    assert found["config"]["text"] == "not looked at, because there is no `kubekit.yaml`"
    assert state(found, "config", "port", "runs", "inotify", "env-git") == ["skipped"] * 5
    assert state(found, "api", "docker", "context") == ["ok"] * 3


def test_a_port_and_a_lock_that_were_left(folder: Path, env: dict[str, str]) -> None:
    data = yaml.safe_load((folder / "kubekit.yaml").read_text())
    key = """\
import os, signal, sys
from kubekit.api.ownership import OwnedSet
from kubekit.model import ClusterTarget
from kubekit.runfile import RunFile
from kubekit.turn import lock_key
target = ClusterTarget(context=sys.argv[1], profile=sys.argv[1])
owned = OwnedSet(project="tasks", namespace="tasks")
RunFile(lock_key(target, owned)).take("dev")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", key, PROFILE], env=env, check=False)
    with socket.create_server(("127.0.0.1", data["dev"]["port"])):
        result, found = doctor(folder, env)
    assert result.code == 0
    assert found["runs"]["cause"] == "run-killed"
    assert found["port"]["cause"] == "port-taken"
    assert f"process {os.getpid()}" in found["port"]["text"]


def test_a_cluster_that_is_no_minikube_must_be_allowed(
    folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    other = moved(env, tmp_path, extensions=[])
    (folder / "kubekit.yaml").write_text(f"name: tasks\ncontext: {PROFILE}\n")
    result, found = doctor(folder, other)
    assert (result.code, found["context"]["cause"]) == (2, "context-refused")
    (folder / "kubekit.yaml").write_text(
        f"name: tasks\ncontext: {PROFILE}\nallow_contexts: [{PROFILE}]\n"
    )
    result, found = doctor(folder, other)
    assert state(found, "context", "api", "nodes") == ["ok", "ok", "ok"]
    assert found["profile"]["text"] == f"not looked at, because `{PROFILE}` is no Minikube"
    assert json.dumps(found["docker"]["state"]) == '"skipped"'
