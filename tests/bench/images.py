"""The images of the five backends beside naive ones: one stage, all copied, and then installed.

Both are built in turn from copies of a project, with no cache and after an edit of its main module,
in the lab's Docker. Then a container of each is started until its health answers, and its memory
is read. The naive one has the packages of the tests, too, for nothing keeps them out.

    python -m tests.bench.images [--rounds N] [--write]
"""

from __future__ import annotations

import functools
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubekit.cluster.dockerenv import docker_env
from kubekit.image.files import dockerfile
from kubekit.model import Cancel, DockerEndpoint
from lab import furtherbases
from tests.bench.plain import PROFILE, bench, where_and_when
from tests.cluster.projects.facts import Facts, made
from tests.cluster.projects.five import FIVE, Five
from tests.requirements import leading

_COMPILERS = "RUN apt-get update && apt-get install -y gcc g++ libffi-dev\n"
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(kw_only=True)
class Costs:
    """Bytes of one image, and what each round took."""

    size: int = 0
    cold: list[float] = field(default_factory=list)
    edit: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def as_naive(args: Mapping[str, str], copy: Path) -> None:
    """Give a copy the Dockerfile that many begin with, and no .dockerignore."""
    known = dockerfile.read(copy / "Dockerfile")
    base = next(one.reference for one in known.images(None, args) if "python:" in one.reference)
    (command,) = (one.text for one in known.stages[-1].body if one.keyword == "CMD")
    compilers = _COMPILERS if any("gcc" in one.text for one in known.instructions) else ""
    install = ". pytest httpx" if (copy / "uv.lock").exists() else "-r requirements-dev.txt"
    (copy / "Dockerfile").write_text(
        f"FROM {base}\nWORKDIR /app\nENV PYTHONPATH=/app:/app/src\n{compilers}COPY . .\n"
        f"RUN pip install {install}\nEXPOSE 8000\nCMD {command}\n"
    )
    (copy / ".dockerignore").unlink()


def started(facts: Facts, costs: Costs) -> None:
    """Start a container: seconds to the first answer, and memory after it."""
    begun = time.monotonic()
    with facts.running() as running:
        running.ask(facts.five.probe[0])
        costs.start.append(time.monotonic() - begun)
        used = facts.run("stats", "--no-stream", "--format={{.MemUsage}}", running.id).stdout
        found = re.match(r"([\d.]+)([KMG]iB)", used)
        assert found, used
        costs.memory.append(float(found[1]) * _UNITS[found[2]])


def measure(
    five: Five, rounds: int, folder: Path, endpoint: DockerEndpoint, bases: frozenset[str]
) -> tuple[Costs, Costs]:
    """Ours and the naive one, in turn."""
    args = {} if furtherbases.BOOKWORM in bases else five.other
    changes: dict[str, Callable[[Path], object]] = {"ours": lambda _: None}
    changes["naive"] = functools.partial(as_naive, args)
    costs = {name: Costs() for name in changes}
    for number in range(rounds):
        for name, change in changes.items():
            parent = folder / f"{five.letter}-{number}-{name}"
            tag = f"bench-{five.letter}-{name}:now"
            facts = made(five, endpoint, parent, tag=tag, args=args, change=change)
            mine = costs[name]
            mine.size = facts.image["Size"]
            mine.cold.append(facts.first)
            mine.edit.append(facts.edited[1])
            started(facts, mine)
            facts.run("image", "rm", "-f", tag)
    return costs["ours"], costs["naive"]


def report(rounds: int, _: Path) -> str:
    """A table of medians."""
    endpoint = docker_env(PROFILE, cancel=Cancel())
    bases = furtherbases.load(leading(endpoint))
    lines = [
        where_and_when(),
        "",
        "| backend | image | rounds | MB | build cold | after an edit | start | memory, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for five in FIVE:
        with tempfile.TemporaryDirectory() as folder:
            both = measure(five, rounds, Path(folder), endpoint, bases)
        for name, one in zip(("ours", "naive"), both, strict=True):
            seconds = (f"{statistics.median(all_):.1f}" for all_ in (one.cold, one.edit, one.start))
            memory = statistics.median(one.memory) / 1e6
            who = f"{five.letter.upper()} {five.name}"
            cells = (who, name, str(rounds), f"{one.size / 1e6:.0f}", *seconds, f"{memory:.0f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    bench("images", 1, report, __doc__)
