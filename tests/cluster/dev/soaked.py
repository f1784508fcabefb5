"""What the parts of the soak have shown: kept as they end, and written down as docs/soak.md.

python -m tests.cluster.dev.soaked
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.cluster import played
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs/soak.md"
HEAD = """\
# Random edits under `kubekit dev`

Ten parts of fifty edits each, on a real Minikube, of an app with two replicas: files and whole
folders that come, go, change and move; code that cannot be parsed, imported or found; changed
dependencies, a Dockerfile that fails; pods that are killed and an API server that goes away, also
in the midst of a build or a rollout; and, in two of the parts, a Minikube that is stopped and
started again. After each edit the part waits until all is quiet: then the files in every container
are those of the working tree, every replica answers with the newest good code, and `dev` says so.

What a part does follows from its seed alone, and so can be repeated. `make soak` plays the parts
that have not passed since kubekit or its tests were changed, so that it may be interrupted, and
writes this page; do not edit it. A commit with a `+` was played with changes to it.

Held is what there is halfway -> at the end, both at a quiet point: of `kubekit dev` the memory in
MB, the threads and the open files; the processes in that pod which has most; the objects in the
namespace, and the images of the project on the node, of which kubekit keeps the newest few.
"""


@dataclass(kw_only=True)
class Part:
    """What one part has shown; `failed` is what it ended with if not well."""

    seed: int
    commit: str
    began: str = field(default_factory=lambda: f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M}")
    seconds: float = 0
    edits: dict[str, int] = field(default_factory=dict)
    quiet: int = 0
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    failed: str = ""


HELD = ("memory", "threads", "files", "processes", "objects", "images")
PLAYED = ("kubekit", "tests/cluster")
"""What decides about how a part ends."""


def commit() -> str:
    """What is played: the commit, and whether it is changed."""
    return played.commit(PLAYED)


def kept() -> Path:
    """The folder where the results of the parts are kept."""
    return ROOT / ".pytest_cache/d/soak"


def keep(part: Part) -> None:
    """Keep what a part has shown, instead of what it had before."""
    kept().mkdir(parents=True, exist_ok=True)
    (kept() / f"{part.seed}.json").write_text(json.dumps(asdict(part), indent=1))


def parts() -> list[Part]:
    """All that are kept, by their seeds."""
    found = [Part(**json.loads(file.read_text())) for file in kept().glob("*.json")]
    return sorted(found, key=lambda part: part.seed)


def has_passed(seed: int) -> bool:
    """Whether a part need not be played again: it passed, and nothing has changed since."""
    return any(
        part.seed == seed and not part.failed and played.is_the_same(part.commit, PLAYED)
        for part in parts()
    )


def document(found: list[Part]) -> str:
    """The page."""
    rows = [
        f"| {part.seed} | {part.began} | {part.commit} | {sum(part.edits.values())} | {part.quiet}"
        f" | {part.seconds / 60:.1f} | {_held(part)} | {part.failed.replace('|', '/') or 'none'} |"
        for part in found
    ]
    names = f"seed | began (UTC) | commit | edits | quiet | minutes | {' | '.join(HELD)} | failures"
    total = Counter[str]()
    for part in found:
        total.update(part.edits)
    kinds = [
        f"| {kind} | {' | '.join(str(part.edits.get(kind, 0)) for part in found)} | {count} |"
        for kind, count in sorted(total.items())
    ]
    seeds = " | ".join(f"seed {part.seed}" for part in found)
    lines = [
        HEAD,
        _summary(found),
        "",
        *(f"| {names} |", "|---" * 13 + "|", *rows, "", "## The edits", ""),
        *(f"| edit | {seeds} | all |", "|---" * (len(found) + 2) + "|", *kinds, ""),
    ]
    return "\n".join(lines)


def _summary(found: list[Part]) -> str:
    edits = sum(sum(part.edits.values()) for part in found)
    quiet, failed = sum(part.quiet for part in found), sum(bool(part.failed) for part in found)
    return f"{edits} edits, {quiet} quiet points, {failed} failures, on {os.cpu_count()} cores."


def _held(part: Part) -> str:
    return " | ".join(
        f"{part.before[key]:g} -> {part.after[key]:g}" if key in part.after else "" for key in HELD
    )


def main() -> None:
    """Write the page of all parts that are kept."""
    if not (found := parts()):
        sys.exit("no part of the soak was played yet: `make soak`")
    DOCUMENT.write_text(document(found))
    print(f"{len(found)} parts in {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
