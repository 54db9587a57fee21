"""A killed PID 1: how soon does it serve again, under the hub and by the engine's own restart?

The same image with the same settings, in turns. The engine has its best case: it doubles its
restart pause while a container keeps dying within 10 s, so each of its rounds uses a container that
has never died, whose first pause is the shortest there is (100 ms). A third contender shows the
floor: it starts the container on the engine's death notice and does nothing else.

Two shapes, because they differ in what the engine must clean up before it can start again: the port
published from a network of its own (as the home stack has it), and the host's network.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bench.chaos.arena import (
    RESILIENT,
    Arena,
    Step,
    calm,
    outage,
    port_of,
    until,
    until_serving,
)
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, p99, seconds
from controller.config.load import load
from controller.engine.client import DockerEngine
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack
from tests.integration.it_wait import eventually

_SERVICE = "saju-service"
_VOLUME = "saju-data"
_RESET_S = 1.2
_FLOOR_EVERY = 3


@dataclass(slots=True)
class _Managed:
    """The hub's contender: one container for all rounds, well for over a second before each."""

    arena: Arena
    stack: Stack
    log: EngineLog
    hub: HubProcess

    def round(self) -> float:
        eventually(lambda: calm(self.hub.client, _SERVICE), 60, "healthy again")
        time.sleep(_RESET_S)
        strike = self.arena.signaller(self.stack, _SERVICE, signal.SIGKILL)
        return outage(self.log, self.stack, _SERVICE, strike)


@dataclass(slots=True)
class _Alone:
    """The same container with no hub, made anew for every round. `starts` are the times from the
    engine's start of it until it served."""

    arena: Arena
    stack: Stack
    log: EngineLog
    restart: str
    starts: list[float] = field(default_factory=list)

    def fresh(self) -> str:
        """Start a new container; its id, once it serves."""
        self.arena.witness.remove_containers(self.stack.project)
        found = load(self.stack.config, {}).stack
        engine = DockerEngine()
        for network in found.networks:
            engine.ensure_network(network)
        for volume in found.volumes:
            engine.ensure_volume(volume)
        made = engine.create(replace(found.services[_SERVICE].container, restart=self.restart))
        begun = time.monotonic()
        engine.start(made)
        until_serving(port_of(self.stack, _SERVICE))
        self.starts.append(time.monotonic() - begun)
        engine.close()
        return made

    def round(self) -> float:
        made = self.fresh()
        kill = self.arena.signaller(self.stack, _SERVICE, signal.SIGKILL)
        return outage(self.log, self.stack, _SERVICE, self._strike(made, kill))

    def _strike(self, made: str, kill: Callable[[], None]) -> Callable[[], None]:
        if self.restart != "no":
            return kill

        def start_on_notice() -> None:
            died = self.log.count("die")
            kill()
            until(lambda: self.log.count("die") > died, 10, "the death notice")
            self.arena.witness.api.api.start(made)

        return start_on_notice


@dataclass(frozen=True, slots=True)
class _Times:
    ours: list[float]
    engine: list[float]
    floor: list[float]
    starts: list[float]


def run(arena: Arena, rounds: int, step: Step) -> Report:
    """Kill both contenders `rounds` times each in both shapes. `step` is told 2 × rounds times."""
    report = Report()
    for shape, host in (("published port", False), ("host network", True)):
        _tell(report, shape, _contest(arena, rounds, step, host))
    report.notes.append(
        "crash: every round of restart: always uses a fresh container, whose restart pause is the "
        "shortest (100 ms); the pause and the engine's clean-up run at the same time."
    )
    return report


def _contest(arena: Arena, rounds: int, step: Step, host: bool) -> _Times:
    stacks = [_single(arena, host) for _ in range(3)]
    logs = [arena.log(stack) for stack in stacks]
    managed = _Managed(arena, stacks[0], logs[0], arena.hub(stacks[0]))
    engine = _Alone(arena, stacks[1], logs[1], "always")
    floor = _Alone(arena, stacks[2], logs[2], "no")
    times = _Times([], [], [], engine.starts)
    for number in range(rounds):
        times.ours.append(managed.round())
        times.engine.append(engine.round())
        if number % _FLOOR_EVERY == 0:
            times.floor.append(floor.round())
        step()
    managed.hub.stop()
    for stack in stacks:
        arena.witness.remove_containers(stack.project)
    return times


def _single(arena: Arena, host: bool) -> Stack:
    services, volumes = arena.home(RESILIENT)
    service = services[_SERVICE]
    if host:
        del service["ports"]
        port = service["labels"]["heal7.port"]
        service |= {"network_mode": "host", "environment": {"HEAL7_PORT": port}}
    return arena.stack({_SERVICE: service}, volumes={_VOLUME: volumes[_VOLUME]})


def _tell(report: Report, shape: str, times: _Times) -> None:
    ours, engine, floor = middle(times.ours), middle(times.engine), middle(times.floor)
    start = middle(times.starts)
    report.row(
        f"crash to serving, {shape}, median of {len(times.ours)}",
        seconds(ours),
        f"{seconds(engine)} restart: always",
        f"{ours / engine:.2f}",
        "<= 0.90",
    )
    report.row(
        "  against starting it on the death notice",
        seconds(ours),
        f"{seconds(floor)} floor",
        f"{ours / floor:.2f}",
    )
    report.row("  p99", seconds(p99(times.ours)), seconds(p99(times.engine)))
    report.row(
        f"  p99 less start-up ({seconds(start)})",
        seconds(p99(times.ours) - start),
        seconds(p99(times.engine) - start),
        goal="<= 2.5 s",
    )
