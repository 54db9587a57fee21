"""A small stack to fall ill and be healed, so that a test shows only what happens to it.

`Ward` keeps what a supervisor would: the sights, the memory and the clock. Every `turn` checks that
the decision is a function of what went in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from controller.model.incident import Entry, Incident
from controller.model.observation import State
from controller.model.recovery import ByHand, Pause, Record
from controller.model.spec import HealingLimits, ProbeKind, ProbeSpec, RecoverySpec, ServiceSpec
from controller.model.text import text
from controller.model.view import Desired, Health, Verdict
from controller.recovery import story
from controller.recovery.healer import heal
from controller.recovery.scene import Busy, Memory, Order, Scene, Sight, Turn
from tests.unit.core.core_builders import NOW, service, stack

HTTP = ProbeSpec(ProbeKind.HTTP, 8000)
OK = Verdict(Health.HEALTHY, text("health.ok"))
PAUSE = Pause(NOW, "kim")
ILL = text("health.hub_canary")
AWAY = text("incident.hub_was_away")


def exactly(base_s: float, fraction: float) -> float:
    """A jitter that moves nothing."""
    return base_s


def probed(name: str, *dependencies: str, **recovery: Any) -> ServiceSpec:
    """A service that is asked over HTTP; keywords are those of its recovery."""
    return healed(service(name, *dependencies, probe=HTTP), **recovery)


def healed(spec: ServiceSpec, **recovery: Any) -> ServiceSpec:
    return replace(spec, recovery=RecoverySpec(**recovery))


def is_probed(spec: ServiceSpec) -> bool:
    return spec.probe.kind in (ProbeKind.HTTP, ProbeKind.TCP)


def well_sight(spec: ServiceSpec, now: datetime = NOW) -> Sight:
    asked = is_probed(spec)
    return Sight(
        spec=spec,
        desired=Desired.RUNNING,
        state=State.RUNNING,
        life=f"{spec.name}@1",
        verdict=OK,
        since=now,
        probed=asked,
        good_at=now if asked else None,
    )


@dataclass
class Ward:
    """`limits` are the stack's; `now` moves with `later`."""

    specs: tuple[ServiceSpec, ...]
    limits: HealingLimits = field(default_factory=HealingLimits)
    now: datetime = NOW
    memory: Memory = field(default_factory=Memory)
    closed: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stack = replace(stack(*self.specs), limits=self.limits)
        self.sights = {spec.name: well_sight(spec) for spec in self.specs}
        self._ids = 0

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # What happens to a service

    def see(self, name: str, **changes: Any) -> None:
        self.sights[name] = replace(self.sights[name], **changes)

    def dies(self, name: str, code: int = 1, **changes: Any) -> None:
        verdict = Verdict(Health.FAILED, text("exit.code", code=code))
        self.see(
            name,
            **{"state": State.EXITED, "verdict": verdict, "since": self.now, "exit_code": code}
            | changes,
        )

    def fails_to_start(self, name: str, key: str, **facts: str) -> None:
        self.dies(name, 128, verdict=Verdict(Health.FAILED, text(key, **facts)))

    def hangs(self, name: str) -> None:
        self.fails_probes(name, silent=True)

    def fails_probes(self, name: str, **changes: Any) -> None:
        verdict = Verdict(Health.UNHEALTHY, text("health.failing", count=3, last="500"))
        self.see(name, **{"verdict": verdict, "since": self.now, "suspect": True} | changes)

    def vanishes(self, name: str, **changes: Any) -> None:
        verdict = Verdict(Health.FAILED, text("health.missing"))
        self.see(name, **{"state": State.MISSING, "life": "", "verdict": verdict} | changes)
        self.see(name, since=self.now, exit_code=None)

    def starts(self, name: str, life: int = 2) -> None:
        """A new life that has not answered yet."""
        verdict = Verdict(Health.STARTING, text("health.not_probed"))
        self.see(
            name,
            state=State.RUNNING,
            life=f"{name}@{life}",
            verdict=verdict,
            since=self.now,
            exit_code=None,
            oom_killed=False,
            by_hand=None,
            suspect=False,
            silent=False,
        )

    def is_well(self, name: str, life: int | None = None) -> None:
        if life is not None:
            self.starts(name, life)
        asked = is_probed(self.sights[name].spec)
        self.see(name, verdict=OK, suspect=False, good_at=self.now if asked else None)

    # What the hub does

    def turn(self, **scene: Any) -> Turn:
        """One turn, whose result is remembered."""
        seen = Scene(self.stack, dict(self.sights), **scene)
        turn, again = self._heal(seen), self._heal(seen)
        assert turn == again, "the same scene and memory give the same turn"
        self._ids += len(turn.opened)
        self.memory = turn.memory
        self.closed += [incident for incident in turn.incidents if not incident.is_open]
        return turn

    def _heal(self, seen: Scene) -> Turn:
        fresh = iter(range(self._ids, self._ids + 99))
        return heal(seen, self.memory, self.now, exactly, lambda: f"inc_{next(fresh)}")

    def heal(self, **scene: Any) -> Order:
        """One turn that must order exactly one thing."""
        (order,) = self.turn(**scene).orders
        return order

    def ends(self, order: Order, outcome: str = "done", life: int | None = None) -> None:
        """What a supervisor does at an order's end; `life` is the new one, which is well."""
        record = replace(self.record(order.service), attempt=None)
        incidents = dict(self.memory.incidents)
        if order.incident in incidents:
            incidents[order.incident] = story.acted(incidents[order.incident], outcome, self.now)
        self.memory = replace(
            self.memory,
            records={**self.memory.records, order.service: record},
            incidents=incidents,
        )
        self.see(order.service, busy=Busy.NO)
        if life is not None:
            self.is_well(order.service, life)

    def hub_dies(self) -> None:
        """Only what was stored is left."""
        self.memory = replace(self.memory, storm_since=None)
        for name in self.sights:
            self.see(name, busy=Busy.NO)

    # What is remembered

    def record(self, name: str) -> Record:
        return self.memory.records.get(name) or Record()

    def incident(self, name: str) -> Incident | None:
        return self.memory.incidents.get(self.record(name).incident or "")

    def timeline(self, name: str) -> list[str]:
        """The open incident's lines as `act`, or `act outcome`."""
        incident = self.incident(name)
        return lines(incident.timeline) if incident else []


def lines(timeline: tuple[Entry, ...]) -> list[str]:
    return [f"{entry.act} {entry.outcome}".strip() for entry in timeline]


def shown(turn: Turn) -> Mapping[str, Health]:
    """What healing shows instead of the bare verdict."""
    return {n: h.verdict.health for n, h in turn.shown.items() if h.verdict is not None}


def by_hand(how: str) -> dict[str, Any]:
    return {"by_hand": ByHand(how)}


def hold_of(ward: Ward, name: str = "web") -> str | None:
    incident = ward.incident(name)
    return incident.timeline[-1].cause.key if incident and incident.timeline else None


def crash_loop(ward: Ward, tries: int, *, well_s: float = 0.0) -> list[float]:
    """Let it die again after each start; the pauses before each try."""
    pauses = []
    for life in range(2, tries + 2):
        ward.dies("web", life=f"web@{life - 1}")
        begun = ward.now
        turn = ward.turn()
        while not turn.orders:
            assert turn.look_again_at is not None
            ward.now = turn.look_again_at
            turn = ward.turn()
        pauses.append((ward.now - begun).total_seconds())
        (order,) = turn.orders
        ward.ends(order, life=life)
        ward.turn()
        ward.later(well_s)
    return pauses
