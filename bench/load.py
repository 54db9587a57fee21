"""An open-loop load: requests leave on schedule whether or not the last was answered.

Latency counts from the moment a request was due, so a stalled server cannot hide its stall.
"""

from __future__ import annotations

import asyncio
import time

import aiohttp


def constant_rate(port: int, path: str, rate: int, seconds: int) -> list[float]:
    """Milliseconds of each of `rate * seconds` requests to loopback; raises on any non-200."""
    return asyncio.run(_run(f"http://127.0.0.1:{port}{path}", rate, rate * seconds))


async def _run(url: str, rate: int, count: int) -> list[float]:
    latencies: list[float] = []

    async def one(session: aiohttp.ClientSession, due: float) -> None:
        async with session.get(url) as answer:
            await answer.read()
            answer.raise_for_status()
        latencies.append((time.monotonic() - due) * 1000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        await one(session, time.monotonic())
        latencies.clear()
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(one(session, due))
    return latencies
