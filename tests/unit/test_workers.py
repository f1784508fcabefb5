"""Requests side by side: their order, their failures, and that they hold up no end."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from kubekit.api.workers import each

HANGS = """\
import threading
from kubekit.api.workers import each
begun = threading.Event()
def hang(_):
    begun.set()
    threading.Event().wait()
def work():
    each(hang, [1], at_once=1)
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""


def test_results_come_in_the_order_of_the_items() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert second.wait(30)
        second.set()
        return -item

    assert each(work, [1, 2, 3], at_once=2) == [-1, -2, -3]
    assert each(work, [], at_once=2) == []


def test_after_a_failure_nothing_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 2:
            raise IndexError(item)

    with pytest.raises(IndexError, match="2"):
        each(work, range(100), at_once=1)
    assert begun == [0, 1, 2]


def test_the_process_ends_though_one_hangs() -> None:
    subprocess.run([sys.executable, "-c", HANGS], check=True, timeout=60)
