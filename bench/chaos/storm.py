"""Random kills all over the home stack: each healed once, and each told as what it was."""

from __future__ import annotations

import os
import random
import signal
import time

from bench.chaos.arena import (
    RESILIENT,
    Arena,
    Json,
    Step,
    calm,
    port_of,
    serves,
    story,
    until,
)
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, p99, seconds
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack

_AT_ONCE = 2
_GAP_S = 1.5
_HEALED_S = 60.0


def run(arena: Arena, kills: int, step: Step, seed: int = 1) -> Report:
    """Kill -9 of PID 1, `kills` times, of one service or of two at once."""
    services, volumes = arena.home(RESILIENT)
    stack = arena.stack(services, volumes=volumes)
    log, hub = arena.log(stack), arena.hub(stack)
    return _Storm(arena, stack, log, hub, random.Random(seed)).blow(kills, step)


class _Storm:
    def __init__(
        self,
        arena: Arena,
        stack: Stack,
        log: EngineLog,
        hub: HubProcess,
        chance: random.Random,
    ):
        self._arena = arena
        self._stack = stack
        self._log = log
        self._hub = hub
        self._chance = chance
        self._kills = dict.fromkeys(stack.services, 0)
        self._before = {name: log.count("start", name) for name in stack.services}
        self._took: list[float] = []
        self._report = Report()

    def blow(self, kills: int, step: Step) -> Report:
        left = kills
        while left:
            struck = self._chance.sample(sorted(self._stack.services), min(left, _AT_ONCE))
            struck = struck[: self._chance.randint(1, len(struck))]
            self._strike(struck)
            left -= len(struck)
            for _ in struck:
                step()
            time.sleep(self._chance.uniform(0, _GAP_S))
        self._count()
        self._tell(kills)
        return self._report

    def _strike(self, struck: list[str]) -> None:
        """Kill these together and wait until they are healed."""
        pids = [self._arena.pid(self._stack, name) for name in struck]
        lives = self._arena.witness.lives(self._stack.project)
        begun, waiting = time.monotonic(), set(struck)
        for name, pid in zip(struck, pids, strict=True):
            os.kill(pid, signal.SIGKILL)
            self._kills[name] += 1

        def healed() -> bool:
            now = self._arena.witness.lives(self._stack.project)
            for name in sorted(waiting):
                container = self._stack.container(name)
                alive = now.get(container) != lives[container]
                if alive and serves(port_of(self._stack, name)):
                    waiting.discard(name)
                    self._took.append(time.monotonic() - begun)
            return not waiting

        try:
            until(healed, _HEALED_S, f"{struck} healed")
            until(lambda: calm(self._hub.client, *struck), _HEALED_S, f"{struck} shown as well")
        except TimeoutError as error:
            self._report.faults.append(f"storm: unhealed: {error}")
            return
        now = self._arena.witness.lives(self._stack.project)
        self._report.faults += [
            f"storm: {name}: its container was replaced where a start would do"
            for name in struck
            if now[self._stack.container(name)][0] != lives[self._stack.container(name)][0]
        ]

    def _count(self) -> None:
        for name, kills in self._kills.items():
            starts = self._log.count("start", name) - self._before[name]
            if starts != kills:
                self._report.faults.append(f"storm: {name}: {kills} kills, {starts} starts")
            told = self._hub.client.incidents(service=name, limit="500")
            if len(told) != kills:
                self._report.faults.append(f"storm: {name}: {kills} kills, {len(told)} incidents")
            self._report.faults += [
                f"storm: {name}: {story(incident)}" for incident in told if not _right(incident)
            ]

    def _tell(self, kills: int) -> None:
        faults = self._report.faults
        unhealed = sum("unhealed" in fault for fault in faults)
        self._report.row(f"storm of {kills} kills: unhealed", str(unhealed), goal="0")
        self._report.row(
            "  wrong causes, duplicates, losses or replaced", str(len(faults) - unhealed), goal="0"
        )
        self._report.row(
            "  time to heal, p50 / p99",
            f"{seconds(middle(self._took))} / {seconds(p99(self._took))}",
        )


def _right(incident: Json) -> bool:
    """A crash by SIGKILL that one start mended."""
    return bool(
        incident["kind"] == "crash"
        and incident["evidence"]["exit_code"] == 128 + signal.SIGKILL
        and incident["outcome"] == "recovered"
        and incident["restarts"] == 1
    )
