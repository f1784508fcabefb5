"""Where the lab keeps its things: one place to look, and one place for tests to redirect."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

PROFILE = "kubekit-lab"
# What the lab has beside it, on demand: another runtime, more than one node.
Kind = Literal["containerd", "two-node"]
FURTHER: dict[Kind, str] = {kind: f"{PROFILE}-{kind}" for kind in get_args(Kind)}
SOURCE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Places:
    """The folders of one lab: `cache` survives `down`, `run` does not survive a reboot."""

    cache: Path
    state: Path
    run: Path

    @property
    def parts(self) -> Path:
        """Built parts, one folder per part and key."""
        return self.cache / "parts"

    @property
    def go(self) -> Path:
        """Go's own caches, apart from the user's, so that a purge takes them along."""
        return self.cache / "go"

    @property
    def logs(self) -> Path:
        """Full output of every program that is run, one file per part or step."""
        return self.state / "logs"

    @property
    def docker_root(self) -> Path:
        """Images and containers of the lab's own Docker."""
        return self.state / "docker"

    @property
    def minikube_home(self) -> Path:
        """Profiles and certificates; Minikube takes the name as it is only if it is `.minikube`."""
        return self.state / ".minikube"

    @property
    def kubeconfig(self) -> Path:
        """A file of the lab's own: the user's contexts stay as they are."""
        return self.state / "kubeconfig"

    @property
    def bin(self) -> Path:
        """What `lab env` puts first on PATH."""
        return self.state / "bin"

    @property
    def record(self) -> Path:
        """What `up` made: read by `env`, `status`, `down` and the next `up`."""
        return self.state / "lab.json"


def places() -> Places:
    """Read the places from the environment, at each call because tests change it."""
    home = Path.home()
    cache = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    state = os.environ.get("XDG_STATE_HOME") or home / ".local" / "state"
    found = Path(os.environ.get("KUBEKIT_LAB_STATE") or Path(state) / "kubekit-lab").absolute()
    # Of a name of its own: what runs is recognised by it, and another state is another lab.
    mark = hashlib.sha256(str(found).encode()).hexdigest()[:8]
    return Places(
        cache=Path(os.environ.get("KUBEKIT_LAB_CACHE") or Path(cache) / "kubekit-lab").absolute(),
        state=found,
        run=Path(f"/run/kubekit-lab-{mark}"),
    )
