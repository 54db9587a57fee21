"""How long a list of runs takes to come, from a hub that keeps many: the API's, and the page's.

A hub of its own is given the journal that the benchmark has filled, and is asked over loopback.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from bench.chaos.arena import Arena
from bench.stack import request
from tests.integration.it_stack import serving

_ASKED = 50
_FIRST = "/workflows/runs?limit=50"


def measured(journal: Path) -> Mapping[str, list[float]]:
    """Milliseconds of 50 answers, for each way of asking a hub that has this journal of runs."""
    with Arena() as arena:
        stack = arena.stack({"only": serving(arena.image, arena.free_port())})
        stack.state.mkdir(mode=0o700)
        shutil.copy(journal, stack.state / "runs.sqlite3")
        hub = arena.hub(stack, started=())
        ways = {
            "API, 50 of them": _FIRST,
            "API, the 50 after them": f"{_FIRST}&cursor={hub.client.get(_FIRST).json()['next']}",
            "page with 25 of them": "/dashboard/workflows",
        }
        return {way: _times(hub.port, path) for way, path in ways.items()}


def _times(port: int, path: str) -> list[float]:
    took = []
    for _ in range(_ASKED):
        began = time.perf_counter()
        status, body = request(port, "GET", path)
        took.append((time.perf_counter() - began) * 1000)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:300]!r}")
    return took


def told(number: int, found: Mapping[str, list[float]]) -> list[str]:
    """A line for each way."""
    return [
        f"{number:,} finished runs, {way}: median {statistics.median(took):.1f} ms, at most "
        f"{max(took):.1f} ms (goal <= 50 ms)"
        for way, took in found.items()
    ]
