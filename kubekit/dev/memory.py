"""Memory that tens of thousands of files took for a moment goes back to the system.

`dev` runs all day beside an editor and a browser. The walk, the hashes and the build take ten times
what is kept of them, and neither Python nor the C library give it back by themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

_FEW = 5000
_M_ARENA_MAX = -8
"""As in glibc's malloc.h."""


def one_heap() -> bool:
    """Let all threads take memory from one heap, of which more can be given back; False: no glibc.

    Python's threads run in turn: they would not wait for each other longer than they do anyway.
    Before there is a second thread.
    """
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))
    return False


def give_back(files: int) -> None:
    """Give back what is not in use, if it is worth the pause of a blink.

    Args:
        files: so many were gone through.
    """
    if files < _FEW:
        return
    gc.collect()  # empties what Python keeps for later, too, which holds on to much else
    # Only glibc has it; a Python that is linked statically opens nothing.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
