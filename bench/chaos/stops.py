"""People who stop what is just failing, hanging or being healed: nothing of it comes back.

Half of them ask the hub, half the engine beside it, at any moment between the fault and the end of
healing. A stop that the engine answers with "already stopped" leaves no trace anywhere and asks for
nothing, so that one is tried again.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.chaos.arena import RESILIENT, Arena, Step, calm, story
from bench.chaos.events import EngineLog
from bench.chaos.report import Report
from controller.engine.client import DockerEngine
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import SERVER, Stack, serving
from tests.integration.it_wait import eventually

_LANES = 4
_WATCH_S = 3.0
_GRACE_S = 1.0
_QUICK = {"heal7.probe.interval": "500ms", "heal7.probe.timeout": "500ms"}
_FAILS = "import signal\nsick = []\nsignal.signal(signal.SIGUSR1, lambda *_: sick.append(1))\n"
_PROGRAM = _FAILS + SERVER.replace("ok = well()", "ok = well() and not sick")
# The fault, and how long it takes at most until its healing is over.
_FAULTS = (
    ("failing", signal.SIGUSR1, 4.0),
    ("hanging", signal.SIGSTOP, 4.0),
    ("killed", signal.SIGKILL, 1.2),
)


@dataclass(slots=True)
class _Tally:
    stops: int = 0
    tried_again: int = 0
    faults: list[str] = field(default_factory=list)


def run(arena: Arena, stops: int, step: Step, seed: int = 1) -> Report:
    """Stop a service that is in trouble, `stops` times, and watch that it stays down."""
    names = [f"lane-{number}" for number in range(_LANES)]
    # Those beside them are well: with most of a stack in trouble the hub would hold back.
    bystanders = [f"calm-{number}" for number in range(_LANES + 1)]
    labels = {**_QUICK, **RESILIENT}
    stack = arena.stack(
        {
            name: serving(
                arena.image, arena.free_port(), program=_PROGRAM, init=False, labels=labels
            )
            for name in (*names, *bystanders)
        }
    )
    log, hub = arena.log(stack), arena.hub(stack)
    share = [stops // _LANES + (number < stops % _LANES) for number in range(_LANES)]
    with ThreadPoolExecutor(_LANES) as pool:
        lanes = [
            _Lane(arena, stack, log, hub, name, random.Random(f"{seed} {name}")) for name in names
        ]
        tallies = list(pool.map(lambda lane, count: lane.go(count, step), lanes, share))
    return _report(tallies)


class _Lane:
    """One service that is broken and stopped over and over."""

    def __init__(
        self,
        arena: Arena,
        stack: Stack,
        log: EngineLog,
        hub: HubProcess,
        name: str,
        chance: random.Random,
    ):
        self._arena = arena
        self._stack = stack
        self._log = log
        self._hub = hub
        self._name = name
        self._chance = chance
        self._engine = DockerEngine()
        self._tally = _Tally()

    def go(self, count: int, step: Step) -> _Tally:
        ways = itertools.cycle((True, False))
        while self._tally.stops < count:
            through_hub = next(ways)
            while not self._round(through_hub):
                self._tally.tried_again += 1
            self._tally.stops += 1
            step()
        self._engine.close()
        return self._tally

    def _round(self, through_hub: bool) -> bool:
        """False where the engine had nothing to stop."""
        eventually(lambda: calm(self._hub.client, self._name), 60, f"{self._name} is well")
        fault, number, longest_s = self._chance.choice(_FAULTS)
        os.kill(self._arena.pid(self._stack, self._name), number)
        wait_s = self._chance.uniform(0, longest_s)
        time.sleep(wait_s)
        if not (self._ask_hub() if through_hub else self._ask_engine()):
            return False
        stopped = time.time()
        time.sleep(_WATCH_S)
        how = "the hub" if through_hub else "docker stop"
        self._check(f"{self._name} {fault}, stopped by {how} {wait_s:.2f} s in", stopped, how)
        self._hub.client.verb(f"services/{self._name}/start")
        return True

    def _ask_hub(self) -> bool:
        self._hub.client.verb(f"services/{self._name}/stop")
        return True

    def _ask_engine(self) -> bool:
        found = self._arena.witness.one(self._stack.project, self._name)
        return self._engine.stop(found["Id"], _GRACE_S)

    def _check(self, what: str, stopped: float, how: str) -> None:
        state = self._arena.witness.one(self._stack.project, self._name)["State"]["Status"]
        starts = self._log.count("start", self._name, stopped)
        told = self._hub.client.incidents(service=self._name, limit="1")
        stories = [story(incident) for incident in told]
        if state == "running" or starts:
            self._tally.faults.append(f"stops: {what}: resurrected; {stories}")
            return
        seen = self._hub.client.services()[self._name]
        wish = seen["desired"] if how == "the hub" else seen["health"]
        if wish != ("stopped" if how == "the hub" else "held"):
            self._tally.faults.append(
                f"stops: {what}: shown as {seen['health']} ({seen['reason']}); {stories}"
            )


def _report(tallies: list[_Tally]) -> Report:
    report = Report(faults=[fault for tally in tallies for fault in tally.faults])
    stops = sum(tally.stops for tally in tallies)
    again = sum("resurrected" in fault for fault in report.faults)
    report.row(f"{stops} stops by a person: resurrected", str(again), goal="0")
    report.row("  not shown as a person's", str(len(report.faults) - again), goal="0")
    tried = sum(tally.tried_again for tally in tallies)
    report.notes.append(
        f"stops: {tried} more were answered by the engine with 'already stopped' and tried again."
    )
    return report
