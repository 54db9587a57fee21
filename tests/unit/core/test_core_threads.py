"""Pools have their threads from the start, and none more after a busy moment."""

from __future__ import annotations

import asyncio
import threading

import anyio.to_thread

from controller.threads import bound_defaults, filled


def test_a_filled_pool_has_all_its_threads_before_the_first_call() -> None:
    pool = filled("test-filled", 3)
    names = {thread.name for thread in threading.enumerate()}
    assert names >= {f"test-filled_{number}" for number in range(3)}
    assert list(pool.map(abs, range(-9, 0))) == list(range(9, 0, -1))
    pool.shutdown()


async def test_a_busy_moment_leaves_no_thread_behind() -> None:
    await bound_defaults()
    before = {thread.ident for thread in threading.enumerate()}
    gate = threading.Event()
    held = [asyncio.create_task(asyncio.to_thread(gate.wait, 10)) for _ in range(9)]
    held += [asyncio.create_task(anyio.to_thread.run_sync(gate.wait, 10)) for _ in range(9)]
    during = asyncio.Event()
    asyncio.get_running_loop().call_soon(during.set)
    await during.wait()
    assert {thread.ident for thread in threading.enumerate()} == before
    gate.set()
    assert all(await asyncio.gather(*held))
    assert {thread.ident for thread in threading.enumerate()} == before
