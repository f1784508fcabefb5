"""What a person sees of `kubekit dev`, recorded: `python -m tests.recorded` writes docs/dev.md.

A real terminal, a copy of this project, and the Minikube that `python -m lab env` leads a shell to.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cli.terminal import Terminal
from tests.cli.world import World
from tests.docs import NAMESPACE, ROOT, copy_project

COLUMNS = 100
ROWS = 600
"""More than are ever printed, so that nothing leaves the screen."""

HEAD = """\
# `kubekit dev`, as it looks

A run of `kubekit dev` in a terminal of 100 columns, with this repository's backend, on a real
Minikube. The last line of each picture is the status line, which stays at the bottom.
`python -m tests.recorded` writes this page from what was seen. Do not edit it.
"""

Step = tuple[str, str, Callable[[Path], None], str]
"""Title, what is done, the doing, and what the screen then shows last."""


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A text of a file becomes another one."""

    def edit(folder: Path) -> None:
        file = folder / name
        text = file.read_text()
        assert old in text, f"{old!r} is not in {name}"
        file.write_text(text.replace(old, new, 1))

    return edit


MAIN = "backend/src/app/main.py"
END = "app = create_app(load_settings())\n"
STEPS: tuple[Step, ...] = (
    (
        "An edit",
        "A line of `main.py` is changed.",
        edited(MAIN, END, f"{END}EDITED = True\n"),
        "live",
    ),
    (
        "A syntax error",
        "A half-written line is saved.",
        edited(MAIN, END, f"{END}def half(:\n"),
        "old code",
    ),
    ("Corrected", "The line goes again.", edited(MAIN, "def half(:\n", ""), "live"),
    (
        "A crash at import",
        "A module is imported that is not there.",
        edited(MAIN, END, f"import nowhere\n{END}"),
        "old code",
    ),
    ("Corrected", "The import goes again.", edited(MAIN, "import nowhere\n", ""), "live"),
    (
        "A wrong port",
        "The container's port in the manifest is no longer the one the app listens on.",
        edited("manifests/deployment.yaml.j2", "containerPort: {{ port }}", "containerPort: 8001"),
        "failed",
    ),
    (
        "Corrected",
        "The port is put right.",
        edited("manifests/deployment.yaml.j2", "containerPort: 8001", "containerPort: {{ port }}"),
        "live",
    ),
    (
        "A dependency",
        "`httpx` is added to `requirements.txt`.",
        lambda folder: (folder / "backend/requirements.txt").open("a").write("httpx\n") and None,
        "live",
    ),
)


def record(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Title, what is done, and the rows that came for it."""
    world = World(folder=folder, home=folder, name="tasks", env={**os.environ}, lab={})
    terminal = Terminal.run(world, "dev", "-n", NAMESPACE, columns=COLUMNS)
    terminal.screen.resize(ROWS, COLUMNS)
    stands(terminal, "live")
    yield "The start", "`kubekit dev` is typed.", rows(terminal, 0)
    for title, what, do, then in STEPS:
        seen = len(terminal.lines) - 1
        do(folder)
        terminal.until(lambda it, seen=seen: len(it.lines) - 1 > seen, 60)
        stands(terminal, then)
        yield title, what, rows(terminal, seen)
    seen = len(terminal.lines) - 1
    terminal.type("\x03")
    terminal.end(120)
    yield "The end", "Ctrl-C.", rows(terminal, seen)


def stands(terminal: Terminal, how: str) -> None:
    """Wait until the status line says this, and nothing goes on."""
    terminal.until(lambda it: bool(it.lines) and f" {how}" in it.lines[-1][:60], 180)


def rows(terminal: Terminal, start: int) -> list[str]:
    """What came since, with the names everybody has."""
    found = terminal.lines[start:]
    return [row.replace(NAMESPACE, "tasks").replace("kubekit-lab", "minikube") for row in found]


def main() -> None:
    """Record, and write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        parts = [HEAD]
        for title, what, shown in record(folder):
            text = "\n".join(shown)
            parts.append(f"## {title}\n\n{what}\n\n```text\n{text}\n```\n")
            print(title, file=sys.stderr)
    (ROOT / "docs" / "dev.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
