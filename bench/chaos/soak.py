"""Hours of ordinary use with a kill a minute: what leaks shows in memory, descriptors or threads.

The stack is the home stack; a client follows the events all the while, another looks at the status,
the pages, the logs and the incidents every few seconds, and each minute one service is killed. What
the hub holds is read in quiet moments, when the kill of that minute is healed and nobody asks.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

from bench.chaos.arena import RESILIENT, Arena, Step, calm, until
from bench.chaos.report import Report, middle
from bench.process import cpu_s, descriptors, hub_pid, rss_mb, threads
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack

_GAP_S = 60.0
_LOOK_S = 5.0
_IDLE_S = 60.0
_HEALED_S = 60.0
_PAGES = (
    "/orchestration/status",
    "/dashboard",
    "/dashboard/services",
    "/dashboard/incidents",
    "/dashboard/logs",
    "/logs?q=health&limit=100",
    "/incidents?limit=50",
    "/metrics",
)


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the hub holds at one quiet moment; `rss` in MiB."""

    rss: float
    descriptors: int
    threads: int


def run(
    arena: Arena, kills: int, step: Step, gap_s: float = _GAP_S, idle_s: float = _IDLE_S
) -> Report:
    """`kills` minutes of it, after a while in which nobody does anything."""
    services, volumes = arena.home(RESILIENT)
    stack = arena.stack(services, volumes=volumes)
    hub = arena.hub(stack)
    report = Report()
    pid, chance = hub_pid(hub), random.Random(5)
    _idle(pid, idle_s, report)
    over = threading.Event()
    follower = threading.Thread(target=_follow, args=(hub, over), daemon=True)
    follower.start()
    samples = []
    for _ in range(kills):
        samples.append(_minute(arena, stack, hub, chance.choice(sorted(services)), gap_s, report))
        step()
    over.set()
    follower.join(30)
    _tell(samples, kills, report)
    return report


def _idle(pid: int, idle_s: float, report: Report) -> None:
    before, begun = cpu_s(pid), time.monotonic()
    time.sleep(idle_s)
    core = 100 * (cpu_s(pid) - before) / (time.monotonic() - begun)
    report.row(
        f"idle, five services, of one core over {idle_s:.0f} s", f"{core:.2f} %", goal="<= 2 %"
    )
    report.row("  resident then", f"{rss_mb(pid):.0f} MiB", goal="<= 150 MB")


def _follow(hub: HubProcess, over: threading.Event) -> None:
    """Hold `/events` open; something happens at least once a minute, so that it ends."""
    with hub.client.events() as events:
        events.until(lambda _: over.is_set())


def _minute(
    arena: Arena, stack: Stack, hub: HubProcess, struck: str, gap_s: float, report: Report
) -> _Sample:
    begun = time.monotonic()
    arena.kill9(stack, struck)
    try:
        until(lambda: calm(hub.client, struck), _HEALED_S, f"{struck} healed")
    except TimeoutError as error:
        report.faults.append(f"soak: unhealed: {error}")
    while time.monotonic() - begun < gap_s - _LOOK_S:
        for page in _PAGES:
            answer = hub.client.get(page)
            if answer.status_code != 200:
                report.faults.append(f"soak: {page} answered {answer.status_code}")
        time.sleep(_LOOK_S)
    until(lambda: calm(hub.client, *stack.services), _HEALED_S, "all healthy")
    time.sleep(max(0.0, begun + gap_s - time.monotonic()))
    pid = hub_pid(hub)
    return _Sample(rss_mb(pid), descriptors(pid), threads(pid))


def _tell(samples: list[_Sample], kills: int, report: Report) -> None:
    """The first tenth is warming up; the tenth after it is compared with the last."""
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth : 2 * tenth] or samples[:1], samples[-tenth:]
    before, after = (middle([sample.rss for sample in part]) for part in (early, late))
    report.row(
        f"soak of {kills} kills: memory",
        f"{before:.0f} -> {after:.0f} MiB ({100 * (after / before - 1):+.1f} %)",
        goal="<= +5 %",
    )
    for name in ("descriptors", "threads"):
        # The least of a while: a request under way, or a pool that is busy, is no leak.
        first, last = (min(getattr(sample, name) for sample in part) for part in (early, late))
        report.row(f"  {name}", f"{first} -> {last}", goal="+0")
