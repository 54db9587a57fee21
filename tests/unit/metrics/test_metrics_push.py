"""What the hub measures, sent to a service: it arrives whole, and no fault there hurts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from ai_monitoring.exposition import read
from ai_monitoring.measures import values
from controller import clock
from controller.health.probe import Target
from controller.metrics.exposition import families
from controller.metrics.own import Own
from controller.metrics.push import Pusher
from controller.model.view import StackView
from controller.telemetry.metrics import Figures, render

TEXT = b"# TYPE heal7_paused gauge\nheal7_paused 0.0\n"


class Receiver:
    """The monitor of a test: what came, and what it answers."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, bytes]] = []
        self.status = 200
        self.arrived = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((request.path, request.headers["Content-Type"], await request.read()))
        self.arrived.set()
        headers = {"Location": "/elsewhere"} if self.status == 302 else {}
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, Target]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield receiver, Target("life", "127.0.0.1", port)
    finally:
        await runner.cleanup()


def pusher(target: Target | None) -> Pusher:
    return Pusher("monitor", lambda: TEXT, "text/plain; version=0.0.4", lambda _: target, 3_600)


async def test_it_begins_at_once_and_arrives_whole() -> None:
    async with receiving() as (receiver, target):
        running = asyncio.create_task(pusher(target).run())
        async with asyncio.timeout(60):
            await receiver.arrived.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert receiver.came == [("/metrics/job/hub", "text/plain; version=0.0.4", TEXT)]


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_refusal_is_told_and_nothing_is_followed(status: int) -> None:
    async with receiving() as (receiver, target), aiohttp.ClientSession() as session:
        receiver.status = status
        assert await pusher(target).push(session) == f"it answered {status}"
        assert len(receiver.came) == 1


async def test_a_receiver_that_is_not_there_is_waited_for() -> None:
    async with receiving() as (_, target):
        pass
    async with aiohttp.ClientSession() as session:
        assert await pusher(None).push(session) is None
        fault = await pusher(target).push(session)
    assert fault is not None


def test_a_fault_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    one = pusher(None)
    for fault in (None, "refused", "refused", "timed out", None, None):
        one._note(fault)
    assert [record.getMessage() for record in caplog.records] == [
        "metrics do not arrive at monitor: refused",
        "metrics arrive at monitor again",
    ]


def test_the_monitor_understands_what_the_hub_says() -> None:
    """The two agree on names; a change of one that the other does not follow fails here."""
    figures, now = Figures(), clock.now()
    view = StackView("heal7", now, engine_connected=True, engine_since=now)

    def said() -> str:
        others = families({}, {}, Own(memory_bytes=60_000_000), 0.002, 0, 0)
        return render(view, "1", figures, others=others).decode()

    before = read(said())
    figures.observe_probe("saju-service", 0.003)
    for _ in range(5):
        figures.count_run("data_collection", "compensated")
    found = {(v.subject, v.measure): v.value for v in values(before, read(said()), 10)}
    assert found["", "memory_mb"] == 60.0
    assert found["", "event_loop_lag_ms"] == pytest.approx(2.0)
    assert found["", "error_percent"] == 100.0
    assert 2.5 < found["saju-service", "probe_p95_ms"] <= 5.0
    assert ("", "cpu_percent") in found
