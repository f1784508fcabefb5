"""A version in a registry: by docker as was asked for, and by kubekit, which keeps it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests.cluster import registry as registries
from tests.cluster.projects.facts import Facts
from tests.cluster.registry import login
from tests.cluster.test_push import in_node, trusted
from tests.conftest import kubekit

VERSION = "v1.0.0"


def push_version(facts: Facts) -> str:
    """Push the image twice, and try to push another one as the same version."""
    name = facts.five.name
    env = {**os.environ}
    host = in_node(env, "getent hosts host.minikube.internal").split()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        registries.serve(Path(folder), host) as registry,
        trusted(env, registry.address, registry.ca),
    ):
        logged_in = login(Path(folder) / "login", registry.address)
        facts.docker.env.update(logged_in)
        there = f"{registry.address}/{name}:{VERSION}"
        facts.run("tag", facts.tag, f"{name}:{VERSION}")
        facts.run("tag", f"{name}:{VERSION}", there)
        try:
            facts.run("push", there)
        finally:
            facts.run("image", "rm", f"{name}:{VERSION}", there, check=False)
        digest = registry.digest(name, VERSION)
        assert digest is not None
        to = ("--registry", f"{registry.address}/team")
        work = facts.copy.parent / "pushed"
        subprocess.run(["cp", "-r", facts.five.folder, work], check=True)
        try:
            pushed = kubekit("push", VERSION, *to, cwd=work, env={**env, **logged_in})
            assert pushed.code == 0, pushed.err
            main = work / facts.five.main
            main.write_text(main.read_text() + "\n# another one\n")
            again = kubekit("push", VERSION, *to, "-o", "json", cwd=work, env={**env, **logged_in})
            assert (again.code, again.of("failed")[0]["id"]) == (4, "version-exists"), again.out
        finally:
            left = ("image", "ls", "-q", "--filter", f"reference={registry.address}/*/*")
            for image in set(facts.run(*left).stdout.split()):
                facts.run("image", "rm", "-f", image, check=False)
    return f"`{name}:{VERSION}` is {digest[:19]}; another image by that version is refused"
