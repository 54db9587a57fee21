"""Kill -9 of the hub at random moments of start-all, and what is left afterwards.

Every round starts from nothing, kills the hub's process, waits until the engine has restarted it
and it has converged, and then counts: one container a service, all healthy, nothing half-made,
what people wanted still stored.

    python bench/kills.py [--rounds 20] [--seed 1]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import docker
from rich.console import Console
from rich.progress import Progress

from bench import stack

_HUB = "heal7-hub"
_START_ALL_S = 2.0
_BACKOFF_RESET_S = 10.5
"""The engine forgets its restart back-off once a container has run for 10 s."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    console, api, chance = Console(), stack.engine(), random.Random(chosen.seed)
    took, faults = [], []
    stack.wait(lambda: stack.request(stack.HUB_PORT, "GET", "/readyz", 1)[0] == 200, 90, "the hub")
    with Progress(console=console) as progress:
        task = progress.add_task("kills", total=chosen.rounds)
        for number in range(chosen.rounds):
            delay = chance.uniform(0, _START_ALL_S)
            seconds, wrong = _round(api, delay)
            took.append(seconds)
            faults += [f"round {number}, killed after {delay:.2f} s: {w}" for w in wrong]
            progress.advance(task)
    console.print(
        f"{chosen.rounds} kills: converged after median {statistics.median(took):.2f} s, "
        f"max {max(took):.2f} s once the hub was back (goal <= 5 s); {len(faults)} faults"
    )
    for fault in faults:
        console.print(fault)
    raise SystemExit(1 if faults else 0)


def _round(api: docker.APIClient, delay_s: float) -> tuple[float, list[str]]:
    stack.hub("POST", "/orchestration/stop-all")
    stack.clean_slate(api, "heal7")
    stack.wait(lambda: _lived_s(api) > _BACKOFF_RESET_S, 60, "the end of the engine's back-off")
    pid = api.inspect_container(_HUB)["State"]["Pid"]
    stack.hub("POST", "/orchestration/start-all?wait=false")
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    stack.wait(lambda: _answers(pid, api), 120, "the hub's return")
    begun = time.monotonic()
    stack.wait(_converged, 60, "convergence")
    return time.monotonic() - begun, _faults(api)


def _lived_s(api: docker.APIClient) -> float:
    started = api.inspect_container(_HUB)["State"]["StartedAt"][:19]
    return (datetime.now(UTC) - datetime.fromisoformat(started + "+00:00")).total_seconds()


def _answers(old_pid: int, api: docker.APIClient) -> bool:
    new = api.inspect_container(_HUB)["State"]["Pid"] not in (0, old_pid)
    return new and stack.request(stack.HUB_PORT, "GET", "/livez", 1)[0] == 200


def _converged() -> bool:
    status = stack.hub("GET", "/orchestration/status")
    return bool(status["healthy"] == status["total_services"])


def _faults(api: docker.APIClient) -> list[str]:
    label = {"label": "com.docker.compose.project=heal7"}
    rows = api.containers(all=True, filters=label)
    wrong = []
    services = [row["Labels"]["com.docker.compose.service"] for row in rows]
    if len(services) != len(stack.PORTS) or len(set(services)) != len(services):
        wrong.append(f"containers of {sorted(services)}")
    wrong += [f"{r['Names'][0]} is {r['State']}" for r in rows if r["State"] != "running"]
    status = stack.hub("GET", "/orchestration/status")
    wrong += [
        f"{s['name']} wanted {s['desired']}"
        for s in status["services"]
        if s["desired"] != "running"
    ]
    return wrong


if __name__ == "__main__":
    main()
