"""Durable workflows against DBOS and Prefect, and what a step costs beside a bare HTTP call.

Every contender carries out the same workflow: three steps one after another that do nothing, 50
runs in flight, each run durable before it is acknowledged. DBOS keeps its state in SQLite in WAL
mode, as the hub does. Contenders take turns on the same machine; ratios are what counts.

    python bench/workflows.py [--runs 4000] [--peer-runs 300] [--listed 10000] [--no-peers]

The peers are installed on first use into `.cache/bench-peers`, apart from the hub's environment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import uvloop
from aiohttp import web
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import run_list
from bench.peers import PEERS, environment
from controller.health.probe import Target
from controller.model.run import RunStatus
from controller.model.workflow import Call, Definition, Step
from controller.model.workflow_json import hashed
from controller.store.journal_sqlite import SqliteBackend
from controller.tasks import Tasks, tune_interpreter
from controller.workflow.activities import Asking, Caller
from controller.workflow.assembly import Assembly, Upkeep, assemble
from controller.workflow.outcome import Ending, Outcome
from tests.crash.always_ready import AlwaysReady

ROOT = Path(__file__).resolve().parent.parent
_IN_FLIGHT = 50
_TICK_S = 0.01
_STEPS = 10


@dataclass(slots=True)
class Measured:
    """Runs a second, and how long each run took, in seconds."""

    rate: float = 0.0
    took: list[float] = field(default_factory=list)
    lags_ms: list[float] = field(default_factory=list)

    def at(self, part: float) -> float:
        """That quantile of a run's time, in milliseconds."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


class NoOp:
    """Steps that do nothing, as the peers' are functions that do nothing."""

    async def call(self, target: Target, asking: Asking) -> Outcome:
        return Outcome(Ending.DONE, output=None)

    async def close(self) -> None: ...


def _nobody(_: str) -> None: ...


def line(steps: int) -> Definition:
    """A workflow of so many steps one after another."""
    made = tuple(
        Step(
            f"s{n}",
            "service",
            Call("POST", "/actions/noop", {"n": n}, "noop"),
            (f"s{n - 1}",) if n else (),
        )
        for n in range(steps)
    )
    return hashed(Definition(f"line{steps}", made, ""))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=4000)
    arguments.add_argument("--peer-runs", type=int, default=300)
    arguments.add_argument("--listed", type=int, default=10_000, help="finished runs to list")
    arguments.add_argument("--no-peers", action="store_true")
    chosen = arguments.parse_args()
    console = Console()
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=_folder()) as folder:
        ours = uvloop.run(_throughput(Path(folder), chosen.runs))
        peers = {} if chosen.no_peers else _peers(console, Path(folder), chosen.peer_runs)
        _print_rates(console, ours, peers)
        _print_latency(console, *uvloop.run(_latency(Path(folder))))
        journal = uvloop.run(_fill(Path(folder), chosen.listed))
        for said in run_list.told(chosen.listed, run_list.measured(journal)):
            console.print(said, soft_wrap=True)


def _folder() -> Path:
    """On the disk that is measured, never on a RAM disk."""
    place = ROOT / ".cache"
    place.mkdir(exist_ok=True)
    return place


def _assembled(
    folder: Path, name: str, definition: Definition, port: int = 1, caller: Caller | None = None
) -> Assembly:
    return assemble(
        {definition.name: definition},
        SqliteBackend(folder / f"{name}.sqlite3"),
        AlwaysReady(port),
        Tasks(_nobody),
        [],
        Upkeep(),
        caller,
    )


async def _throughput(folder: Path, runs: int) -> Measured:
    definition = line(3)
    assembly = _assembled(folder, "ours", definition, caller=NoOp())
    await assembly.journal.open()
    tune_interpreter()
    found = Measured()
    await _in_flight(assembly, definition.name, 200, Measured())
    lag = asyncio.create_task(_lag(found.lags_ms))
    await _in_flight(assembly, definition.name, runs, found)
    lag.cancel()
    await assembly.close()
    return found


async def _in_flight(assembly: Assembly, workflow: str, runs: int, found: Measured) -> None:
    async def one_after_another(number: int) -> None:
        for _ in range(number):
            began = time.perf_counter()
            run, _ = await assembly.workflows.submit(workflow, {"x": 1}, "bench")
            ended = await assembly.workflows.wait(run.id, 60)
            assert ended.status is RunStatus.SUCCEEDED, ended.status
            found.took.append(time.perf_counter() - began)

    began = time.perf_counter()
    each = runs // _IN_FLIGHT
    await asyncio.gather(*(one_after_another(each) for _ in range(_IN_FLIGHT)))
    found.rate = each * _IN_FLIGHT / (time.perf_counter() - began)


async def _lag(lags_ms: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_TICK_S)
        lags_ms.append((time.perf_counter() - began - _TICK_S) * 1000)


# Peers


def _peers(console: Console, folder: Path, runs: int) -> Mapping[str, Measured]:
    found = {}
    for name, (packages, script) in PEERS.items():
        python = environment(console, name, packages)
        if python is None:
            continue
        path = folder / f"{name}.py"
        path.write_text(script)
        console.print(f"{name}: {runs} runs …")
        done = subprocess.run(
            [str(python), str(path), str(folder), str(runs), str(_IN_FLIGHT)],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode:
            console.print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
            continue
        raw = json.loads(done.stdout.strip().splitlines()[-1])
        found[name] = Measured(raw["rate"], raw["took"])
    return found


def _print_rates(console: Console, ours: Measured, peers: Mapping[str, Measured]) -> None:
    table = Table(
        *("contender", "runs/s", "p50", "p99", "hub ÷ it"),
        title=f"Three steps that do nothing, {_IN_FLIGHT} in flight",
    )
    for name, found in {"hub": ours, **peers}.items():
        ratio = "" if name == "hub" else f"{ours.rate / found.rate:.1f}"
        table.add_row(
            name,
            f"{found.rate:.0f}",
            f"{found.at(0.5):.0f} ms",
            f"{found.at(0.99):.0f} ms",
            ratio,
        )
    console.print(table)
    late = sorted(ours.lags_ms)
    console.print("goals: >= 800 runs/s, p99 <= 150 ms, >= 20 x DBOS")
    console.print(
        f"the hub's event loop was late by p99 {late[int(len(late) * 0.99)]:.1f} ms (goal <= 20), "
        f"at most {late[-1]:.1f} ms"
    )


# What a step costs


async def _latency(folder: Path) -> tuple[float, float]:
    """Medians in milliseconds: of a bare call, and of a step, one at a time."""

    async def noop(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"id": "x", "status": "completed", "result": {}})

    app = web.Application()
    app.router.add_post("/actions/noop", noop)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = int(runner.addresses[0][1])
    definition = line(_STEPS)
    assembly = _assembled(folder, "latency", definition, port)
    await assembly.journal.open()
    bare, steps = [], []
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            for _ in range(_STEPS):
                began = time.perf_counter()
                async with session.post(
                    f"http://127.0.0.1:{port}/actions/noop", json={"n": 1}
                ) as answer:
                    await answer.read()
                bare.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            run, _ = await assembly.workflows.submit(definition.name, {}, "bench")
            await assembly.workflows.wait(run.id, 60)
            steps.append((time.perf_counter() - began) * 1000 / _STEPS)
    await assembly.close()
    await runner.cleanup()
    return statistics.median(bare), statistics.median(steps)


def _print_latency(console: Console, bare_ms: float, step_ms: float) -> None:
    table = Table("", "median", title=f"One run at a time, {_STEPS} steps over HTTP")
    table.add_row("bare HTTP call", f"{bare_ms:.2f} ms")
    table.add_row("step, journalled before and after", f"{step_ms:.2f} ms")
    table.add_row("added (goal <= 3 ms)", f"{step_ms - bare_ms:.2f} ms")
    console.print(table)


# The list


async def _fill(folder: Path, number: int) -> Path:
    """A journal with at least `number` finished runs."""
    definition = line(3)
    assembly = _assembled(folder, "listed", definition, caller=NoOp())
    await assembly.journal.open()
    with Progress() as progress:
        progress.add_task("runs to list", total=None)
        await _in_flight(assembly, definition.name, number, Measured())
    await assembly.close()
    return folder / "listed.sqlite3"


if __name__ == "__main__":
    main()
