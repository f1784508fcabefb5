"""How much longer than bare Python `kubekit --help` and `--version` take.

`python tests/bench/startup.py [RUNS]`; what counts is the least of all runs, which other work on
the machine disturbs least. Bytecode is compiled before, as an installation has it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_MILLISECONDS = 60
_BIN = Path(sys.executable).parent
_COMMANDS = {
    "bare Python": [sys.executable, "-c", "pass"],
    "kubekit --help": [str(_BIN / "kubekit"), "--help"],
    "kubekit --version": [str(_BIN / "kubekit"), "--version"],
}


def _main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        times: dict[str, list[float]] = {name: [] for name in _COMMANDS}
        # In turns, so that a busy moment of the machine meets all of them.
        for number in range(runs + 1):
            for name, argv in _COMMANDS.items():
                taken = _milliseconds(argv, env)
                if number:  # The first run of each compiles.
                    times[name].append(taken)
    bare = min(times["bare Python"])
    print(f"{runs} runs each, in ms   min  median  above bare Python")
    for name, taken in times.items():
        above = min(taken) - bare
        row = f"{name:20} {min(taken):6.0f}  {statistics.median(taken):6.0f}  {above:17.0f}"
        print(row if above <= GOAL_MILLISECONDS else f"{row}  (goal: {GOAL_MILLISECONDS})")


def _milliseconds(argv: list[str], env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    _main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
