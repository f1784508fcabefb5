"""The command line: parse, call one workflow, exit with its code. Only user of typer.

Heavy imports stand inside the commands: `--help`, `--version` and completion need none of them.
"""

# The help lists the commands as they come here: what is used most comes first.
# ruff: isort: off
from kubekit.cli import app, starting, releasing, looking, linting, verifying, doctoring, leaving

__all__ = [
    "doctoring",
    "leaving",
    "linting",
    "looking",
    "main",
    "releasing",
    "starting",
    "verifying",
]


def main() -> None:
    """The entry point: runs the command line and exits with its code."""
    app.app()
