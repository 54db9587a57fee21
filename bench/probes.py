"""What watching a large stack costs the hub: event loop lag, CPU and probes a second.

The services are one small HTTP server in a process of its own; the probing side is the hub's own
Prober and SelfCheck on the hub's own kind of event loop. Some services never answer.

    python bench/probes.py [--services 200] [--interval 2] [--hanging 5] [--seconds 30]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop
from rich.console import Console
from rich.table import Table

from controller.health.probe import Target
from controller.health.prober import Prober
from controller.health.selfcheck import SelfCheck
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec

_TICK_S = 0.01
_SETTLE_S = 3.0


@dataclass(slots=True)
class Measured:
    """One run. `lags_ms` is how late a sleeper of 10 ms woke; the rest counts over `took_s`."""

    took_s: float = 0.0
    cpu_s: float = 0.0
    good: int = 0
    bad: int = 0
    lags_ms: list[float] = field(default_factory=list)
    problem: str = "none"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--services", type=int, default=200)
    arguments.add_argument("--interval", type=float, default=2.0, help="seconds between two probes")
    arguments.add_argument("--hanging", type=int, default=5, help="services that never answer")
    arguments.add_argument("--seconds", type=float, default=30.0)
    chosen = arguments.parse_args()
    console = Console()
    cores, load = os.cpu_count(), os.getloadavg()[0]
    console.print(
        f"{chosen.services} services every {chosen.interval:g} s, {chosen.hanging} hanging, "
        f"for {chosen.seconds:g} s on {cores} cores, load {load:.1f}"
    )
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        work = _probe(ours.recv(), chosen.services, chosen.hanging, chosen.interval, chosen.seconds)
        _print(console, uvloop.run(work))
    finally:
        server.terminate()
        server.join()


def _serve(tell: Connection) -> None:
    uvloop.run(_services(tell))


async def _services(tell: Connection) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=1024)
    tell.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        if b"/hang" in await reader.readuntil(b"\r\n\r\n"):
            await reader.read()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"status":"ok"}')
            await writer.drain()
    writer.close()


async def _probe(
    port: int, services: int, hanging: int, interval_s: float, seconds: float
) -> Measured:
    measured = Measured()

    def count(service: str, result: ProbeResult) -> None:
        measured.good += result.ok
        measured.bad += not result.ok

    check = SelfCheck()
    prober = Prober(lambda service: None, on_result=count, self_check=check.problem)
    watching = asyncio.create_task(check.run())
    target = Target("bench", "127.0.0.1", port)
    for number in range(services):
        path = "/hang" if number < hanging else "/health"
        probe = ProbeSpec(ProbeKind.HTTP, port, path, interval_s=interval_s, match="ok")
        prober.watch(f"service-{number}", target, probe)
    await asyncio.sleep(_SETTLE_S)
    measured.good = measured.bad = 0
    await _watch(measured, seconds)
    measured.problem = str(check.problem() or "none")
    await prober.close()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return measured


async def _watch(measured: Measured, seconds: float) -> None:
    begun, cpu = time.monotonic(), time.process_time()
    while (now := time.monotonic()) < begun + seconds:
        await asyncio.sleep(_TICK_S)
        measured.lags_ms.append((time.monotonic() - now - _TICK_S) * 1000)
    measured.took_s = time.monotonic() - begun
    measured.cpu_s = time.process_time() - cpu


def _print(console: Console, measured: Measured) -> None:
    lags = sorted(measured.lags_ms)
    table = Table(title="Probing")
    table.add_column("what")
    table.add_column("measured", justify="right")
    for what, value in (
        ("probes/s", f"{(measured.good + measured.bad) / measured.took_s:.1f}"),
        ("of them failed, as the hanging must", f"{measured.bad / measured.took_s:.1f}"),
        ("loop lag p50 (ms)", f"{lags[len(lags) // 2]:.2f}"),
        ("loop lag p99 (ms)", f"{lags[int(0.99 * (len(lags) - 1))]:.2f}"),
        ("loop lag max (ms)", f"{lags[-1]:.2f}"),
        ("of one core", f"{100 * measured.cpu_s / measured.took_s:.1f} %"),
        ("self-check", measured.problem),
    ):
        table.add_row(what, value)
    console.print(table)


if __name__ == "__main__":
    main()
