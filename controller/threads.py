"""Pools of threads that never grow.

Python's pool makes a thread whenever all others are busy, so that a busy hour leaves more of them:
that looks like a leak ever after, and each keeps memory of its own.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread

_ODD_JOBS = 2


def filled(name: str, size: int) -> ThreadPoolExecutor:
    """A pool with all its threads there from the start."""
    pool = ThreadPoolExecutor(size, thread_name_prefix=name)
    all_here = threading.Barrier(size)
    for _ in range(size):
        pool.submit(all_here.wait)
    return pool


async def bound_defaults() -> None:
    """The same for the pools that libraries make for themselves: asyncio's, which `to_thread` uses,
    and that of the web framework, which makes parameters in it."""
    asyncio.get_running_loop().set_default_executor(filled("odd-jobs", _ODD_JOBS))
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    await anyio.to_thread.run_sync(int)
