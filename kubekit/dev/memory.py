"""Memory that tens of thousands of files took for a moment goes back to the system.

`dev` runs all day beside an editor and a browser. The walk, the hashes and the build take ten times
what is kept of them, and neither Python nor the C library give it back by themselves.
"""

from __future__ import annotations

import ctypes
import gc

_MMAP_THRESHOLD = -3
_ARENA_MAX = -8
"""Of glibc's `mallopt`."""

_LARGE = 128 << 10
_FEW = 5000


def spare() -> None:
    """Have large buffers go back as soon as they are done with, also the second time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_ARENA_MAX, 2)


def give_back(files: int) -> None:
    """Give back what is not in use, if it is worth the pause of a blink.

    Args:
        files: so many were gone through.
    """
    if files < _FEW:
        return
    gc.collect()  # empties what Python keeps for later, too, which holds on to much else
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
