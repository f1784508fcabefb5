"""Two runs at once: one waits, and says for whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.lock import exclusive

HOLDER = """
import sys
from pathlib import Path
from lab.lock import exclusive
with exclusive(Path(sys.argv[1]), say=print):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    said = []
    with hold(tmp_path / "lock") as holder:

        def say(text: str) -> None:
            said.append(text)
            assert holder.stdin is not None
            holder.stdin.close()

        with exclusive(tmp_path / "lock", say=say):
            assert holder.wait(90) == 0
    assert len(said) == 1
    assert f"waiting for pid {holder.pid}" in said[0]


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    with hold(tmp_path / "lock") as holder:
        holder.kill()
        holder.wait(90)
        with exclusive(tmp_path / "lock", say=said.append):
            pass
    assert said == []
