"""Keeps the C library from holding what the hub has given back.

glibc makes an arena for each thread that allocates, up to eight for each core, and keeps what was
freed in each; the hub's threads work seldom and in bursts, so that over hours it would hold much
more than it uses.
"""

from __future__ import annotations

import ctypes

# Of malloc.h, see mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 2
_LARGE = 256 * 1024


def bound() -> None:
    """To be called before there are threads. Does nothing where the C library is another one."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, _ARENAS)
    # Set, it does not grow with what is freed: large pieces always go back at once.
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_TRIM_THRESHOLD, _LARGE)
