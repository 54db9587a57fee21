"""The hub is killed while it heals: every fault is still healed, and each try counted once."""

from __future__ import annotations

import os
import random
import signal
import time

from bench.chaos.arena import RESILIENT, Arena, Step, calm, story, until
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, p99, seconds
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, serving
from tests.integration.it_wait import eventually

_SERVICES = 5
_LATEST_S = 0.9
_TWICE_EVERY = 5
_HEALED_S = 60.0
_RESET_S = 1.2


def run(arena: Arena, kills: int, step: Step, seed: int = 1) -> Report:
    """Kill one or two services and then the hub, `kills` times."""
    labels = {**RESILIENT, "heal7.probe.interval": "1s"}
    stack = arena.stack(
        {
            f"app-{number}": serving(arena.image, arena.free_port(), labels=labels)
            for number in range(_SERVICES)
        }
    )
    log, hub = arena.log(stack), arena.hub(stack)
    chance, report = random.Random(seed), Report()
    took = []
    for number in range(kills):
        twice = number % _TWICE_EVERY == _TWICE_EVERY - 1
        took.append(_round(arena, stack, log, hub, chance, twice, report))
        step()
    _tell(report, took)
    return report


def _round(
    arena: Arena,
    stack: Stack,
    log: EngineLog,
    hub: HubProcess,
    chance: random.Random,
    twice: bool,
    report: Report,
) -> float:
    """Seconds from the hub's return until all were well."""
    eventually(lambda: calm(hub.client, *stack.services), 60, "all well")
    time.sleep(_RESET_S)
    known = {incident["id"] for incident in hub.client.incidents(limit="500")}
    struck = chance.sample(sorted(stack.services), chance.randint(1, 2))
    pids = [arena.pid(stack, name) for name in struck]
    begun = time.time()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    delay_s = chance.uniform(0, _LATEST_S)
    time.sleep(delay_s)
    hub.kill9()
    if twice:
        hub.start()
        time.sleep(delay_s + 0.5)
        hub.kill9()
    hub.start().wait_listening()
    back = time.monotonic()
    what = f"hub killed {delay_s:.2f} s after {struck}{', twice' if twice else ''}"
    try:
        until(lambda: calm(hub.client, *stack.services), _HEALED_S, "all well")
    except TimeoutError as error:
        report.faults.append(f"hub: {what}: lost: {error}")
    took = time.monotonic() - back
    _count(stack, log, hub, known, begun, struck, what, report)
    return took


def _count(
    stack: Stack,
    log: EngineLog,
    hub: HubProcess,
    known: set[str],
    begun: float,
    struck: list[str],
    what: str,
    report: Report,
) -> None:
    told = [i for i in hub.client.incidents(limit="500") if i["id"] not in known]
    for name in stack.services:
        starts = log.count("start", name, begun)
        ours = [incident for incident in told if incident["service"] == name]
        counted = sum(incident["restarts"] for incident in ours)
        expected = int(name in struck)
        if (starts, counted, len(ours)) != (expected, expected, expected):
            report.faults.append(
                f"hub: {what}: {name}: {expected} kills, {starts} starts, {counted} counted in "
                f"{[story(incident) for incident in ours]}"
            )


def _tell(report: Report, took: list[float]) -> None:
    lost = sum("lost" in fault for fault in report.faults)
    report.row(f"hub killed {len(took)} times while healing: lost", str(lost), goal="0")
    report.row("  tries counted wrongly", str(len(report.faults) - lost), goal="0")
    report.row(
        "  all well after its return, p50 / p99",
        f"{seconds(middle(took))} / {seconds(p99(took))}",
    )
