"""The pages measured: how soon they paint and what they weigh, how soon a death is seen, and how
many may listen.

    python bench/pages.py [--only paint,many,pixel,fan] [--kills 30] [--clients 5000]

`paint`: cold loads of the overview. `many`: five hundred services, narrowed and changed. Both are
served by the tests' hub of memory. `pixel`: a real hub and engine; a container is killed through
the engine, and the time is taken until the page in Chromium shows it. `fan`: clients of `/events`
on a real hub, some of which never read.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.table import Table

from bench.chaos.arena import Arena
from controller.model.text import Text
from controller.model.view import Health
from tests.e2e.pages_support import FakeHub, serving
from tests.e2e.pages_support_browser import ARGS, CHROMIUM, arrive
from tests.e2e.pages_support_data import healthy
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack
from tests.integration.it_stack import serving as a_service

Row = tuple[str, str, str]
_COLD = 7
_MUTE = 50
_EVENTS = 20
_PAINTED = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  loaded: performance.getEntriesByType("navigation")[0].loadEventEnd,
  bytes: ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
    .reduce((sum, entry) => sum + entry.transferSize, 0) })"""
# The wall clock at which a row first stopped looking well, for a kill at a wall clock.
_WATCH = """(name) => {
  const row = () => document.getElementById(`row-${name}`);
  window.seen = new Promise((done) => new MutationObserver((_, own) => {
    if (row().classList.contains("t-ok")) return;
    own.disconnect();
    done(performance.timeOrigin + performance.now());
  }).observe(document.body, { subtree: true, childList: true, attributes: true }));
}"""
_WELL = """() => new Promise((done) => {
  const asking = setInterval(() => {
    if (![...document.querySelectorAll("[data-row]")].every((row) => row.matches(".t-ok"))) return;
    clearInterval(asking);
    done();
  }, 50); })"""
_NARROW = """async (typed) => {
  const words = document.getElementById("narrow-words");
  const began = performance.now();
  words.value = typed;
  words.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began; }"""


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="paint,many,pixel,fan")
    arguments.add_argument("--kills", type=int, default=30)
    arguments.add_argument("--clients", type=int, default=5_000)
    chosen = arguments.parse_args()
    ways: dict[str, Callable[[], Awaitable[list[Row]]]] = {
        "paint": lambda: _browsing(_paint),
        "many": lambda: _browsing(_many),
        "pixel": lambda: _browsing(lambda browser: _pixel(browser, chosen.kills)),
        "fan": lambda: _fan(chosen.clients),
    }
    table = Table("What", "Measured", "Goal")
    for name in chosen.only.split(","):
        for row in await ways[name]():
            table.add_row(*row)
    Console(width=120).print(table)


async def _browsing(way: Callable[[Browser], Awaitable[list[Row]]]) -> list[Row]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            return await way(browser)
        finally:
            await browser.close()


async def _cold(browser: Browser, address: str) -> dict[str, Any]:
    """A load with nothing in the cache."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = await context.new_page()
    await arrive(page, address)
    await page.wait_for_selector("#link[data-state=live]")
    painted: dict[str, Any] = await page.evaluate(_PAINTED)
    await context.close()
    return painted


async def _paint(browser: Browser) -> list[Row]:
    async with serving(FakeHub()) as hub:
        hub.trouble()
        found = [await _cold(browser, hub.url + "/dashboard") for _ in range(_COLD)]
    paints = [one["paint"] for one in found]
    return [
        (
            f"overview, first contentful paint, {_COLD} cold loads",
            f"median {statistics.median(paints):.0f} ms, at most {max(paints):.0f} ms",
            "<= 300 ms",
        ),
        ("overview, transferred", f"{found[0]['bytes'] / 1000:.0f} kB", "<= 150 kB"),
    ]


async def _many(browser: Browser) -> list[Row]:
    names = [f"service-{i:03d}" for i in range(500)]
    async with serving(FakeHub()) as hub:
        hub.services = {
            name: replace(
                healthy(name, 9000 + i, hub.now, i), depends_on=(names[i // 3],) if i else ()
            )
            for i, name in enumerate(names)
        }
        found = [await _cold(browser, hub.url + "/dashboard/services") for _ in range(_COLD)]
        page = await browser.new_page()
        await arrive(page, hub.url + "/dashboard/services")
        await page.wait_for_selector("#link[data-state=live]")
        narrowed = [
            await page.evaluate(_NARROW, typed)
            for typed in ("service-12", "service-1", "healthy", "nothing", "") * 4
        ]
        changed = [await _changed(page, hub, name) for name in names[40:60]]
    paints, loads = [one["paint"] for one in found], [one["loaded"] for one in found]
    return [
        (
            "500 services, first paint and whole page",
            f"median {statistics.median(paints):.0f} ms and {statistics.median(loads):.0f} ms",
            "<= 1 s",
        ),
        ("500 services, transferred", f"{found[0]['bytes'] / 1000:.0f} kB", ""),
        ("500 services, narrowed and painted", _spread(narrowed), "smooth"),
        ("500 services, one changes, event to page", _spread(changed), ""),
    ]


async def _changed(page: Page, hub: FakeHub, name: str) -> float:
    await page.evaluate(_WATCH, name)
    began = time.time() * 1000
    hub.change(name, health=Health.UNHEALTHY, reason=Text("demo.slow"))
    took = float(await asyncio.wait_for(page.evaluate("window.seen"), 20)) - began
    await asyncio.sleep(0.3)
    return took


async def _pixel(browser: Browser, kills: int) -> list[Row]:
    with Arena() as arena:
        names = ("pixel", "beside")
        resilient = {"heal7.recovery.reset": "1s", "heal7.recovery.max_restarts": "1000"}
        stack = arena.stack(
            {n: a_service(arena.image, arena.free_port(), labels=resilient) for n in names}
        )
        hub = await asyncio.to_thread(arena.hub, stack)
        found = {
            path: await _killed(browser, arena, stack, hub, path, kills)
            for path in ("/dashboard", "/dashboard/services")
        }
    return [
        (f"{kills} kills through the engine to the pixel, {path}", _spread(took), "p95 <= 400 ms")
        for path, took in found.items()
    ]


async def _killed(
    browser: Browser, arena: Arena, stack: Stack, hub: HubProcess, path: str, kills: int
) -> list[float]:
    page = await browser.new_page()
    await arrive(page, f"http://127.0.0.1:{hub.port}{path}")
    await page.wait_for_selector("#link[data-state=live]")
    took = []
    for _ in range(kills):
        await asyncio.wait_for(page.evaluate(_WELL), 60)
        # Whatever the last round left to be told.
        await asyncio.sleep(1.2)
        await page.evaluate(_WATCH, "pixel")
        began = time.time() * 1000
        await asyncio.to_thread(arena.witness.kill, stack.project, "pixel")
        took.append(float(await asyncio.wait_for(page.evaluate("window.seen"), 20)) - began)
    await page.close()
    return took


# -- many listeners
class Crowd:
    """Clients that read everything and note when each event came; and some that never read."""

    def __init__(self, port: int, size: int):
        self._port = port
        self._size = size
        self._listening: list[asyncio.Task[None]] = []
        # A writer that is forgotten closes its connection.
        self._writers: list[asyncio.StreamWriter] = []
        self._heard: dict[int, list[float]] = {}
        self._all = asyncio.Event()
        self._at = 0

    async def open(self) -> None:
        gate = asyncio.Semaphore(100)
        streams = await asyncio.gather(*(self._ask(gate) for _ in range(self._size)))
        self._listening = [asyncio.create_task(self._listen(reader)) for reader, _ in streams]
        self._writers = [writer for _, writer in streams]
        for _ in range(_MUTE):
            _, writer = await self._ask(gate)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            self._writers.append(writer)

    async def _ask(
        self, gate: asyncio.Semaphore
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            host = f"Host: 127.0.0.1:{self._port}"
            writer.write(f"GET /events HTTP/1.1\r\n{host}\r\n\r\n".encode())
            await reader.readuntil(b"hub event stream")
            return reader, writer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        heard = 0
        while line := await reader.readline():
            if line.startswith(b"event: hub"):
                heard += 1
                times = self._heard.setdefault(heard, [])
                times.append(time.perf_counter())
                if heard == self._at and len(times) == self._size:
                    self._all.set()

    async def hears(self, number: int, cause: Callable[[], Any]) -> list[float]:
        """Seconds from before the cause until each client heard of it; of those that did."""
        self._at = number
        self._all.clear()
        began = time.perf_counter()
        await asyncio.to_thread(cause)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all.wait(), 15)
        return [at - began for at in self._heard.get(number, ())]

    async def close(self) -> None:
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        for writer in self._writers:
            writer.close()


async def _fan(clients: int) -> list[Row]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + 2_000
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(f"{wanted} open files are needed, {most} are allowed")
    # The hub inherits it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    with Arena() as arena:
        stack = arena.stack({"only": a_service(arena.image, arena.free_port())})
        hub = await asyncio.to_thread(arena.hub, stack, ())
        before = _resident(hub)
        crowd = Crowd(hub.port, clients)
        await crowd.open()
        listening = _resident(hub) - before
        late: list[float] = []
        for number in range(_EVENTS):
            path = f"/orchestration/{'resume' if number % 2 else 'pause'}"
            late += await crowd.hears(number + 1, lambda path=path: hub.client.post(path))  # type: ignore[misc]
            await asyncio.sleep(0.2)
        at_end = _resident(hub) - before
        await crowd.close()
    late.sort()
    return [
        (
            f"{clients} clients of /events and {_MUTE} that never read, {_EVENTS} events, "
            "from asking for it to hearing of it",
            f"p50 {_at(late, 0.5) * 1000:.0f} ms, p99 {_at(late, 0.99) * 1000:.0f} ms, "
            f"{clients * _EVENTS - len(late)} not heard",
            "p99 <= 1 s",
        ),
        (
            f"{clients} clients, resident memory of the hub",
            f"+{listening / 1e6:.0f} MB when all listen, +{at_end / 1e6:.0f} MB at the end",
            "<= 200 MB",
        ),
    ]


def _resident(hub: HubProcess) -> int:
    for line in Path(f"/proc/{hub.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the hub's memory cannot be read")


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _spread(milliseconds: Sequence[float]) -> str:
    ordered = sorted(milliseconds)
    return (
        f"p50 {_at(ordered, 0.5):.0f} ms, p95 {_at(ordered, 0.95):.0f} ms, "
        f"at most {ordered[-1]:.0f} ms"
    )


if __name__ == "__main__":
    asyncio.run(main())
