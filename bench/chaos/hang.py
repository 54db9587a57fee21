"""A process that accepts and never answers: how soon does it serve again?

PID 1 is stopped with SIGSTOP. The engine alone never notices; its peers are watchers of its
HEALTHCHECK. The peer here is such a watcher with the settings that autoheal has by default, in this
process: every 5 s it asks for unhealthy containers and restarts them with 10 s to end.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.chaos.arena import BRISK, RESILIENT, Arena, Step, calm, outage, until
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, p99, seconds
from tests.integration.it_engine import PROJECT, Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import PYTHON, Stack, serving
from tests.integration.it_wait import eventually

_SERVICE = "app"
_POLL_S = 5.0
_STOP_GRACE_S = 10
_RESET_S = 1.2
_PEER_EVERY = 4
_CHECK = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/', timeout=1)"


def run(arena: Arena, rounds: int, step: Step) -> Report:
    """Hang the hub's service `rounds` times, and the peer's every fourth time."""
    alone = _stack(arena, with_check=True)
    peer_log = arena.log(alone)
    # Made by a hub and then left alone: nobody but the peer watches it from here on.
    arena.hub(alone).stop()
    theirs: list[float] = []

    def turn(number: int) -> None:
        if number % _PEER_EVERY == 0:
            theirs.append(_watched(arena, alone, peer_log))
        step()

    with _autoheal(arena.witness, alone.project):
        ours = hangs(arena, rounds, turn)
    report = Report()
    mine, peer = middle(ours), middle(theirs)
    report.row(
        f"hang to serving, 1 s x 3 probes, median of {len(ours)}",
        seconds(mine),
        f"{seconds(peer)} default autoheal ({len(theirs)})",
        f"{mine / peer:.2f}",
        "<= 7 s",
    )
    report.row("  p99", seconds(p99(ours)), seconds(p99(theirs)))
    report.notes.append(
        "hang: the peer acts as autoheal does by default (looks every 5 s, 10 s to end) on the "
        "engine's HEALTHCHECK of 1 s x 3."
    )
    return report


def hangs(arena: Arena, rounds: int, turn: Callable[[int], None]) -> list[float]:
    """Hang the hub's service this often; the seconds until it served again."""
    stack = _stack(arena)
    log, hub = arena.log(stack), arena.hub(stack)
    took = []
    for number in range(rounds):
        took.append(_managed(arena, stack, log, hub))
        turn(number)
    return took


def _stack(arena: Arena, with_check: bool = False) -> Stack:
    service = serving(arena.image, arena.free_port(), init=False, labels={**BRISK, **RESILIENT})
    if with_check:
        service["healthcheck"] = {
            "test": ["CMD", PYTHON, "-c", _CHECK],
            "interval": "1s",
            "timeout": "1s",
            "retries": 3,
        }
    return arena.stack({_SERVICE: service})


def _managed(arena: Arena, stack: Stack, log: EngineLog, hub: HubProcess) -> float:
    eventually(lambda: calm(hub.client, _SERVICE), 60, "healthy again")
    # So that the fault comes at any moment between two probes.
    time.sleep(_RESET_S + random.random())
    return outage(log, stack, _SERVICE, arena.signaller(stack, _SERVICE, signal.SIGSTOP))


def _watched(arena: Arena, stack: Stack, log: EngineLog) -> float:
    def well() -> bool:
        state = arena.witness.one(stack.project, _SERVICE)["State"]
        return bool(state["Health"]["Status"] == "healthy")

    until(well, 60, "the engine calls it healthy")
    time.sleep(_RESET_S + random.random())
    return outage(log, stack, _SERVICE, arena.signaller(stack, _SERVICE, signal.SIGSTOP))


@contextmanager
def _autoheal(witness: Witness, project: str) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        filters = {"label": f"{PROJECT}={project}", "health": "unhealthy"}
        while not over.wait(_POLL_S):
            for row in witness.api.api.containers(filters=filters):
                witness.api.api.restart(row["Id"], timeout=_STOP_GRACE_S)

    watching = threading.Thread(target=watch, name="autoheal")
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
