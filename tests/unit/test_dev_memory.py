"""Memory of `dev`: what threads have freed can be given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Blocks that a thread makes, and between them some that it keeps: without a heap for all, they lie
# in one of its own, mapped apart from `[heap]`.
ALLOCATES = """
import pathlib, sys, threading
from kubekit.dev.memory import one_heap

assert one_heap()
kept = []
thread = threading.Thread(target=lambda: kept.extend(bytearray(3000) for _ in range(10000)))
def heap():
    maps = pathlib.Path("/proc/self/smaps").read_text().partition("[heap]")[2]
    return int(maps.partition("Rss:")[2].split()[0])
first = heap()
thread.start()
thread.join()
print(heap() - first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one anyway")
def test_all_threads_share_one_heap() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATES], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 20_000  # of 30,000 KiB
