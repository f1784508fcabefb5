"""Requests side by side, on threads that the end of the process does not wait for.

Those of a ThreadPoolExecutor it does: one request to an API server that hangs holds it up.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int
) -> list[_Result]:
    """What comes of each item, in their order; after a failure no other one is begun.

    Raises:
        Exception: the first failure, once all that was begun has ended.
    """
    todo: deque[tuple[_Item, Future[_Result]]] = deque((item, Future()) for item in items)
    futures = [future for _, future in todo]
    failed = threading.Event()

    def serve() -> None:
        while not failed.is_set():
            try:
                item, future = todo.popleft()
            except IndexError:
                return
            try:
                future.set_result(work(item))
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                failed.set()
                future.set_exception(error)

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(at_once, len(todo)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # What was not begun comes after what failed, so it is never asked for its result.
    return [future.result() for future in futures]
