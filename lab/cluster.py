"""The Minikube profile: started as any user would, with what a sealed network needs set by name."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from typing import TYPE_CHECKING

from lab import engine, gobuild, process
from lab.errors import LabError
from lab.paths import FURTHER, PROFILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.imagetar import Image
    from lab.parts import Part, Store
    from lab.paths import Places

_LABEL = "created_by.minikube.sigs.k8s.io=true"


def settings(places: Places, image: str) -> dict[str, str]:
    """Make a plain `minikube start` use the lab's parts: the environment form of its flags."""
    return {
        "MINIKUBE_HOME": str(places.minikube_home),
        "KUBECONFIG": str(places.kubeconfig),
        "PATH": search_path(places),
        "KUBEKIT_PROFILE": PROFILE,
        "MINIKUBE_DRIVER": "docker",
        "MINIKUBE_BASE_IMAGE": image,
        "MINIKUBE_KUBERNETES_VERSION": gobuild.KUBERNETES,
        # There is nothing to download it from.
        "MINIKUBE_PRELOAD": "false",
        "MINIKUBE_WANTUPDATENOTIFICATION": "false",
        # The docker driver refuses to run as root without it.
        "MINIKUBE_FORCE": "true",
        "MINIKUBE_INTERACTIVE": "false",
        "MINIKUBE_MEMORY": str(memory()),
    }


def found_settings(places: Places) -> dict[str, str]:
    """With the user's own Minikube: its home and downloads, but not its kubeconfig."""
    return {"KUBECONFIG": str(places.kubeconfig), "KUBEKIT_PROFILE": PROFILE}


def memory() -> int:
    """Give the node a fixed share, in MiB: enough for builds, and room for a second profile."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return min(6000, max(2200, total // 3))


def search_path(places: Places) -> str:
    """Put the lab's programs before the caller's own."""
    own = str(places.bin)
    others = [entry for entry in os.environ.get("PATH", "").split(":") if entry != own]
    return ":".join([own, *others])


def link_programs(places: Places, go: dict[str, Part], store: Store) -> None:
    """Make the folder that `lab env` puts on PATH."""
    shutil.rmtree(places.bin, ignore_errors=True)
    places.bin.mkdir(parents=True)
    (places.bin / "minikube").symlink_to(store.path(go["minikube"]) / "minikube")
    (places.bin / "kubectl").symlink_to(store.path(go["kube"]) / "kube")
    (places.bin / "docker").symlink_to(shutil.which(engine.client()) or engine.client())


def load_node_image(image: Image) -> None:
    """Bring the node image into the engine, unless it is there: the tag is of its content."""
    name = image.names[0]
    repository = name.rpartition(":")[0]
    if engine.docker("image", "ls", "--quiet", name).strip():
        return
    engine.load([image], engine.environment())
    known = engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}", repository).split()
    for older in set(known) - {name}:
        # A profile may still use it: then it goes another time.
        with contextlib.suppress(LabError):
            engine.docker("image", "rm", older)


def start(places: Places, env: Mapping[str, str], profile: str, *arguments: str) -> None:
    """Start a profile as documentation says; everything special is in the environment."""
    process.run(
        ["minikube", "start", "-p", profile, "--driver=docker", *arguments],
        log=places.logs / f"minikube-start-{profile}.log",
        env=env,
    )


def wait(env: Mapping[str, str], profile: str) -> None:
    """Wait for what `minikube start` leaves behind unfinished: nodes, DNS, claims being served."""
    for condition in (
        ("wait", "nodes", "--all", "--for=condition=Ready"),
        ("rollout", "status", "deployment/coredns"),
        ("wait", "pod/storage-provisioner", "--for=condition=Ready"),
    ):
        kubectl(env, profile, "-n", "kube-system", *condition, "--timeout=120s")


def runs(env: Mapping[str, str], profile: str) -> bool:
    """Ask Minikube whether the whole of a profile runs."""
    try:
        process.output(["minikube", "status", "-p", profile], env=env)
    except LabError:
        return False
    return True


def kubectl(env: Mapping[str, str], profile: str, *arguments: str) -> str:
    """Run kubectl against a profile; a Minikube that was found brings its own."""
    own = shutil.which("kubectl", path=env["PATH"])
    start = [own, f"--context={profile}"] if own else ["minikube", "-p", profile, "kubectl", "--"]
    return process.output([*start, *arguments], env=env, seconds=130)


def endpoint(env: Mapping[str, str]) -> tuple[str, str]:
    """Give the API server's address and the file of its authority."""
    config = json.loads(kubectl(env, PROFILE, "config", "view", "-o", "json"))
    entry = next(entry for entry in config["clusters"] if entry["name"] == PROFILE)
    return entry["cluster"]["server"], entry["cluster"]["certificate-authority"]


def remove(places: Places, env: Mapping[str, str], *, ours: bool) -> None:
    """Delete every profile of the lab's own home.

    On the lab's own engine the containers are removed as they are, by label: that takes one second
    instead of seventeen, and finds what a killed start has not recorded. On another engine the
    label may be somebody else's, so Minikube takes away what it knows by name.
    """
    if ours:
        _sweep()
    else:
        for profile in profiles(places):
            remove_profile(places, env, profile)
    for folder in ("profiles", "machines"):
        shutil.rmtree(places.minikube_home / folder, ignore_errors=True)
    places.kubeconfig.unlink(missing_ok=True)


def remove_profile(
    places: Places, env: Mapping[str, str], profile: str, *, ours: bool = False
) -> None:
    """Delete one profile, and nothing of another; on the lab's own engine without a farewell."""
    if ours:
        nodes = f"name=^/?{profile}(-m[0-9]+)?$"
        found = engine.docker("ps", "--all", "--quiet", "--filter", nodes).split()
        if found:
            engine.docker("rm", "--force", "--volumes", *found)
    process.run(
        ["minikube", "delete", "-p", profile],
        log=places.logs / f"minikube-delete-{profile}.log",
        env=env,
    )


def remove_found(places: Places, env: Mapping[str, str]) -> None:
    """Delete the profiles from the user's own Minikube, and keep its active profile as it was."""
    active = ""
    with contextlib.suppress(LabError):  # It fails if none was ever chosen.
        active = process.output(["minikube", "config", "get", "profile"], env=env).strip()
    for profile in (*FURTHER.values(), PROFILE):
        remove_profile(places, env, profile)
    if active and active != PROFILE:
        process.output(["minikube", "config", "set", "profile", active], env=env)
    places.kubeconfig.unlink(missing_ok=True)


def _sweep() -> None:
    for removal, listing in (
        (("rm", "--force", "--volumes"), ("ps", "--all")),
        (("volume", "rm"), ("volume", "ls")),
        (("network", "rm"), ("network", "ls")),
    ):
        names = engine.docker(*listing, "--quiet", "--filter", f"label={_LABEL}").split()
        if names:
            engine.docker(*removal, *names)


def profiles(places: Places) -> list[str]:
    """List the profiles in the lab's own home, those that tests made included."""
    folder = places.minikube_home / "profiles"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
