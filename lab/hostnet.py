"""What an engine changes in the host's network, remembered before and put back after."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab import process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.paths import Places

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_INTERFACES = Path("/sys/class/net")
_TABLES = ("iptables", "ip6tables")
# Docker's chains, its bridges, and its rules for a container that talks to its own published port.
_DOCKERS = re.compile(
    r"DOCKER|\bdocker0\b|\bbr-[0-9a-f]{12}\b|-s (?P<own>\S+) -d (?P=own) .*-j MASQUERADE"
)


def remember(places: Places) -> None:
    """Note how it is before the engine starts, unless an engine that was killed has changed it."""
    if _file(places).exists():
        return
    known = {
        "forward": _FORWARD.read_text().strip(),
        "interfaces": sorted(path.name for path in _INTERFACES.iterdir()),
        "policies": {tool: _policies(_saved(tool)) for tool in _TABLES},
    }
    process.write_atomically(_file(places), json.dumps(known))


def restore(places: Places) -> None:
    """Remove the engine's interfaces and rules; whatever else has changed since stays changed."""
    if not _file(places).exists():
        return
    known = json.loads(_file(places).read_text())
    for path in _INTERFACES.iterdir():
        ours = path.name == "docker0" or re.fullmatch(r"br-[0-9a-f]{12}", path.name)
        if ours and path.name not in known["interfaces"]:
            _run("ip", "link", "delete", path.name)
    for tool in _TABLES:
        rules = without_docker(_saved(tool), known["policies"][tool])
        _run(f"{tool}-restore", given=rules)
    _FORWARD.write_text(known["forward"])
    _file(places).unlink()


def without_docker(rules: str, policies: Mapping[str, str]) -> str:
    """Take Docker's chains and rules out of a saved table; a pure function, as it could do harm."""
    kept = []
    table = ""
    for line in rules.splitlines():
        if line.startswith("*"):
            table = line[1:]
        if line.startswith(":") and " - " not in line:
            chain = line[1:].split(" ")[0]
            # A table that was not there before had the kernel's own policy.
            kept.append(f":{chain} {policies.get(f'{table} {chain}', 'ACCEPT')} [0:0]")
        elif not _DOCKERS.search(line):
            kept.append(line)
    return "\n".join(kept) + "\n"


def _policies(rules: str) -> dict[str, str]:
    found = {}
    table = ""
    for line in rules.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chain, policy, _ = line[1:].split(" ", 2)
            if policy != "-":
                found[f"{table} {chain}"] = policy
    return found


def _saved(tool: str) -> str:
    return _run(f"{tool}-save")


def _run(*argv: str, given: str | None = None) -> str:
    # A root shell made by `su` has no sbin on its PATH.
    env = os.environ | {"PATH": process.SYSTEM_PATH}
    done = subprocess.run(argv, input=given, capture_output=True, text=True, env=env, check=False)
    return done.stdout


def _file(places: Places) -> Path:
    return places.state / "host-network.json"
