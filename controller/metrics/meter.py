"""Adds up what happens between two samples, and turns ever growing counters into rates; pure.

`now` is always the clock that never steps. What was not seen is absent from a sample: a service
that does not run uses no CPU, but its memory is not "0" either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from controller.model.metric import (
    CPU,
    DUE_S,
    ENDINGS,
    HUB,
    MEMORY,
    PORT_OPEN,
    READ,
    RECEIVED,
    RESTARTS,
    SENT,
    UP_S,
    WRITTEN,
    Bucket,
    Scope,
    Spread,
    Subject,
    latency_class,
    spread,
)
from controller.model.view import Desired, Health, ServiceView

_UNJUDGED = (Health.UNKNOWN, Health.STARTING)
_NOT_DUE = (Health.UNKNOWN, Health.HELD, Health.STOPPED)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one life of a container has used up to `at`; None was not seen."""

    life: str
    at: float
    cpu_s: float
    memory_bytes: int
    received: int | None = None
    sent: int | None = None
    read: int | None = None
    written: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a service should be well now, and whether it is."""

    due: bool
    up: bool


def standing(view: ServiceView, planned: bool) -> Standing:
    """What a person asked for or did is not held against it, nor what nobody could see."""
    due = view.desired is Desired.RUNNING and view.health not in _NOT_DUE and not planned
    return Standing(due, due and view.health is Health.HEALTHY)


@dataclass(slots=True)
class _Account:
    """What has come together for one service since the last sample, and since the hub's start."""

    standing: Standing
    since: float
    judged: bool
    up_s: float = 0.0
    due_s: float = 0.0
    total_up_s: float = 0.0
    total_due_s: float = 0.0
    restarts: int = 0
    latencies: dict[int, float] = field(default_factory=dict)

    def settle(self, now: float) -> None:
        length = max(0.0, now - self.since)
        self.since = max(self.since, now)
        if self.standing.due:
            self.due_s += length
            self.total_due_s += length
        if self.standing.up:
            self.up_s += length
            self.total_up_s += length


class Meter:
    """Use from the event loop. `planned` tells whether an operation that a person asked for is
    acting on the service."""

    def __init__(self, planned: Callable[[ServiceView], bool]):
        self._planned = planned
        self._accounts: dict[str, _Account] = {}
        self._before: dict[str, Reading] = {}
        self._runs: dict[str, dict[str, float]] = {}
        self._steps: dict[str, dict[int, float]] = {}

    # What happens

    def told(self, view: ServiceView, now: float) -> None:
        """A service is concluded anew."""
        found = standing(view, self._planned(view))
        judged = view.health not in _UNJUDGED
        account = self._accounts.get(view.name)
        if account is None:
            account = self._accounts[view.name] = _Account(Standing(False, False), now, judged)
        account.settle(now)
        account.judged |= judged
        # A hub that has just come up has not asked yet, and that is nobody's outage.
        account.standing = found if account.judged else Standing(due=False, up=False)

    def probed(self, service: str, response_ms: float) -> None:
        account = self._accounts.get(service)
        if account is not None:
            _count(account.latencies, latency_class(response_ms))

    def restarted(self, service: str) -> None:
        account = self._accounts.get(service)
        if account is not None:
            account.restarts += 1

    def run_ended(self, workflow: str, status: str) -> None:
        counts = self._runs.setdefault(workflow, {})
        counts[f"runs_{status}"] = counts.get(f"runs_{status}", 0.0) + 1

    def step_took(self, workflow: str, ms: float) -> None:
        _count(self._steps.setdefault(workflow, {}), latency_class(ms))

    def totals(self, now: float) -> dict[str, tuple[float, float]]:
        """By service, seconds healthy and seconds due since the hub's start."""
        for account in self._accounts.values():
            account.settle(now)
        return {name: (a.total_up_s, a.total_due_s) for name, a in self._accounts.items()}

    # Samples

    def take(
        self,
        at: int,
        step: int,
        now: float,
        views: Iterable[ServiceView],
        readings: Mapping[str, Reading],
        workflows: Iterable[str],
        own: Mapping[str, float],
    ) -> dict[Subject, Bucket]:
        """What was seen in the `step` seconds from `at`, of services, workflows and the hub."""
        found = {
            Subject(Scope.SERVICE, view.name): self._service(view, at, step, now, readings)
            for view in views
        }
        for name in workflows:
            counts = {f"runs_{ending}": 0.0 for ending in ENDINGS} | self._runs.pop(name, {})
            bucket = Bucket(at, step, {}, counts, self._steps.pop(name, {}))
            found[Subject(Scope.WORKFLOW, name)] = bucket
        found[HUB] = Bucket(at, step, {name: spread(value) for name, value in own.items()})
        return found

    def _service(
        self,
        view: ServiceView,
        at: int,
        step: int,
        now: float,
        readings: Mapping[str, Reading],
    ) -> Bucket:
        self.told(view, now)
        account = self._accounts[view.name]
        counts = {UP_S: account.up_s, DUE_S: account.due_s, RESTARTS.name: float(account.restarts)}
        latencies = account.latencies
        account.up_s = account.due_s = 0.0
        account.restarts = 0
        account.latencies = {}
        gauges: dict[str, Spread] = {}
        if view.port_open is not None:
            gauges[PORT_OPEN.name] = spread(float(view.port_open))
        reading, before = readings.get(view.name), self._before.pop(view.name, None)
        if reading is not None:
            self._before[view.name] = reading
            gauges[MEMORY.name] = spread(float(reading.memory_bytes))
            if before is not None:
                gauges |= {name: spread(value) for name, value in rates(before, reading).items()}
        return Bucket(at, step, gauges, counts, latencies)


def rates(before: Reading, now: Reading) -> dict[str, float]:
    """What was used in a second, where both are of one life and counters did not go back."""
    length = now.at - before.at
    if length <= 0 or before.life != now.life:
        return {}
    pairs = (
        (CPU.name, before.cpu_s * 100, now.cpu_s * 100),
        (RECEIVED.name, before.received, now.received),
        (SENT.name, before.sent, now.sent),
        (READ.name, before.read, now.read),
        (WRITTEN.name, before.written, now.written),
    )
    return {
        name: (new - old) / length
        for name, old, new in pairs
        if old is not None and new is not None and new >= old
    }


def _count(classes: dict[int, float], number: int) -> None:
    classes[number] = classes.get(number, 0.0) + 1
