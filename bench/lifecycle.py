"""Start-all and stop-all against docker-compose 1.29 and the engine's own floor; the hub's cost.

Same images, same machine, same run, contenders in turn. Ratios are what counts; absolute times
depend on the machine. Needs the stack set up (`heal7 up`) and docker-compose.

    python bench/lifecycle.py [--rounds 5] [--rate 200] [--load 15] [--idle 30]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import process, stack
from bench.floor import Floor
from bench.load import constant_rate

_PEER = "heal7peer"
_SETTLE_S = 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--rate", type=int, default=200, help="status requests a second")
    arguments.add_argument("--load", type=int, default=15, help="seconds of that load")
    arguments.add_argument("--idle", type=int, default=30, help="seconds of watching the idle hub")
    chosen = arguments.parse_args()
    console = Console()
    console.print(
        f"{chosen.rounds} rounds on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    times = _lifecycle(chosen.rounds)
    _print_lifecycle(console, times)
    stack.hub("POST", "/orchestration/start-all")
    stack.wait_serving()
    time.sleep(_SETTLE_S)
    _print_cost(console, chosen.rate, chosen.load, chosen.idle)


def _lifecycle(rounds: int) -> dict[str, list[float]]:
    api, floor = stack.engine(), Floor()
    times: dict[str, list[float]] = {
        name: [] for name in ("hub up", "hub down", "compose up", "compose down", "floor up")
    }

    def hub_up() -> None:
        stack.hub("POST", "/orchestration/start-all?wait=false")
        stack.wait_serving()

    def compose_up() -> None:
        stack.compose(_PEER, "up", "-d")
        stack.wait_serving()

    def floor_up() -> None:
        floor.up()
        stack.wait_serving()

    stack.hub("POST", "/orchestration/stop-all")
    with Progress() as progress:
        task = progress.add_task("rounds", total=rounds * 3)
        for _ in range(rounds):
            stack.clean_slate(api, "heal7")
            times["hub up"].append(stack.timed(hub_up))
            _settled()
            times["hub down"].append(
                stack.timed(lambda: stack.hub("POST", "/orchestration/stop-all"))
            )
            stack.clean_slate(api, "heal7")
            progress.advance(task)
            times["compose up"].append(stack.timed(compose_up))
            times["compose down"].append(stack.timed(lambda: stack.compose(_PEER, "down")))
            progress.advance(task)
            times["floor up"].append(stack.timed(floor_up))
            floor.down()
            progress.advance(task)
    return times


def _settled() -> None:
    """Until the hub has seen all five healthy: its operation is over."""
    stack.wait(
        lambda: stack.hub("GET", "/orchestration/operations")[0]["status"] != "running",
        60,
        "end of the operation",
    )


def _print_lifecycle(console: Console, times: dict[str, list[float]]) -> None:
    middle = {name: statistics.median(values) for name, values in times.items()}
    table = Table(title="Median seconds (min to max)")
    table.add_column("what")
    table.add_column("median", justify="right")
    table.add_column("range", justify="right")
    for name, values in times.items():
        table.add_row(name, f"{middle[name]:.2f}", f"{min(values):.2f} to {max(values):.2f}")
    console.print(table)
    ratios = Table(title="Ratios")
    for column in ("ratio", "measured", "goal"):
        ratios.add_column(column)
    for title, above, below, goal in (
        ("start-all / docker-compose up", "hub up", "compose up", "<= 0.67"),
        ("stop-all / docker-compose down", "hub down", "compose down", "<= 0.60"),
        ("start-all / engine's floor", "hub up", "floor up", "<= 1.15"),
    ):
        ratios.add_row(title, f"{middle[above] / middle[below]:.2f}", goal)
    console.print(ratios)


def _print_cost(console: Console, rate: int, load_s: int, idle_s: int) -> None:
    latencies = constant_rate(stack.HUB_PORT, "/orchestration/status", rate, load_s)
    cuts = statistics.quantiles(latencies, n=1000)
    pid = _hub_pid()
    before, begun = process.cpu_s(pid), time.monotonic()
    time.sleep(idle_s)
    core = 100 * (process.cpu_s(pid) - before) / (time.monotonic() - begun)
    table = Table(title="The hub's cost, five services watched")
    for column in ("what", "measured", "goal"):
        table.add_column(column)
    table.add_row(f"GET /orchestration/status p50 at {rate}/s", f"{cuts[499]:.2f} ms", "")
    table.add_row(f"GET /orchestration/status p99 at {rate}/s", f"{cuts[989]:.2f} ms", "<= 10 ms")
    table.add_row("resident", f"{process.rss_mb(pid):.0f} MB", "<= 100 MB")
    table.add_row(f"idle, of one core over {idle_s} s", f"{core:.2f} %", "<= 1 %")
    console.print(table)


def _hub_pid() -> int:
    """The hub's own process: what listens on its port."""
    found = subprocess.run(
        ["pgrep", "-f", "python -m controller serve"], capture_output=True, text=True, check=True
    )
    pids = [int(word) for word in found.stdout.split()]
    return max(pids, key=process.rss_mb)


if __name__ == "__main__":
    main()
