"""The command line: `python -m lab up | down [--purge] | status | env | profile KIND up|down`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from lab import LabError, profiles, session
from lab.paths import FURTHER


def main() -> int:
    """Run one command; data goes to stdout, everything else to stderr."""
    arguments = _parser().parse_args()
    try:
        return _run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `lab status | head`: nobody reads on, which is no failure; the exit flush must not tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("lab: interrupted; the next `up` goes on from what is done", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="A real Minikube on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring it up, whatever state it is in")
    down = commands.add_parser("down", help="end what `up` started, and nothing else")
    down.add_argument("--purge", action="store_true", help="also forget all that was built")
    commands.add_parser("status", help="what runs, where, since when (exit 1: not up)")
    commands.add_parser("env", help="print `export NAME=value` lines for a shell")
    further = commands.add_parser("profile", help="a profile beside the lab's, on demand")
    further.add_argument("kind", choices=FURTHER)
    further.add_argument("do", choices=("up", "down"))
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "up":
        session.up()
        print('lab: up; `eval "$(python -m lab env)"` leads a shell to it', file=sys.stderr)
    elif arguments.command == "down":
        session.down(purge=arguments.purge)
    elif arguments.command == "env":
        print(exports(session.environment()))
    elif arguments.command == "profile":
        _profile(arguments)
    else:
        alive, lines = session.status()
        print("\n".join(lines), flush=True)
        return 0 if alive else 1
    return 0


def _profile(arguments: argparse.Namespace) -> None:
    if arguments.do == "down":
        profiles.down(arguments.kind)
        return
    profiles.up(arguments.kind)
    name = FURTHER[arguments.kind]
    print(f"lab: {name} is up; `kubekit --profile {name}` works on it", file=sys.stderr)


def exports(variables: dict[str, str]) -> str:
    """Write variables as a shell reads them back unchanged."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


if __name__ == "__main__":
    sys.exit(main())
