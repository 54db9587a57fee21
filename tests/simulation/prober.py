"""The probe loops in virtual time: real histories, at the real intervals.

A loop whose next answers are certain sleeps until something happens to its service, and then knows
them all: that is what makes a simulated day take a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from controller.health.history import ProbeHistory
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from tests.simulation.world import World

PROBED = (ProbeKind.HTTP, ProbeKind.TCP)
_STARTUP_FIRST_S = 0.1
_STARTUP_GROWTH = 1.15
_STARTUP_MAX_S = 0.5
_JITTER = 0.1
_REMEMBERED = 20


@dataclass
class _Loop:
    """`token` is of the step that is due; `asleep_at` when the last probe was begun; `asking`
    that one is on its way, and `nudged` that the next one follows right after it."""

    history: ProbeHistory
    probe: ProbeSpec
    token: int = 0
    pause_s: float = _STARTUP_FIRST_S
    asleep_at: float | None = None
    asking: bool = False
    nudged: bool = False


class VirtualProber:
    """`on_result(service)` is told after every result that counts; `ill()` discards bad ones;
    `judged_bad(service)` is whether its verdict is as bad as it may become."""

    def __init__(
        self,
        world: World,
        on_result: Callable[[str], None],
        ill: Callable[[], bool],
        judged_bad: Callable[[str], bool],
    ):
        self._world = world
        self._judged_bad = judged_bad
        self._time = world.time
        self._on_result = on_result
        self._ill = ill
        self._loops: dict[str, _Loop] = {}
        self._last: dict[str, tuple[ProbeResult, ...]] = {}

    def watch(self, service: str, incarnation: str | None, probe: ProbeSpec) -> None:
        """Probe this life of `service` from now on; None stops it."""
        loop = self._loops.get(service)
        if incarnation is None or probe.kind not in PROBED:
            if loop is not None:
                self._forget(service, loop)
        elif loop is None or loop.history.incarnation != incarnation:
            if loop is not None:
                self._forget(service, loop)
            self._loops[service] = loop = _Loop(ProbeHistory(incarnation), probe)
            self._next(service, loop, 0.0)

    def _forget(self, service: str, loop: _Loop) -> None:
        self.stir(service)
        if loop.history.results:
            self._last[service] = loop.history.results
        del self._loops[service]

    def history(self, service: str) -> ProbeHistory | None:
        loop = self._loops.get(service)
        return loop.history if loop else None

    def good_at(self, service: str) -> datetime | None:
        """When the newest good probe began, of this life or the last one."""
        loop = self._loops.get(service)
        if loop is not None and loop.asleep_at is not None and loop.history.results[-1].ok:
            rounds = int((self._time.now - loop.asleep_at) / loop.probe.interval_s)
            return self._time.wall(loop.asleep_at + rounds * loop.probe.interval_s)
        results = loop.history.results if loop else ()
        results = results or self._last.get(service, ())
        return next((r.at for r in reversed(results) if r.ok), None)

    def ask_now(self, service: str) -> None:
        loop = self._loops.get(service)
        if loop is not None:
            self.stir(service)
            if loop.asking:
                loop.nudged = True
            else:
                self._next(service, loop, 0.0)

    def forgive(self, service: str) -> None:
        loop = self._loops.get(service)
        if loop is not None:
            self.stir(service)
            loop.history = loop.history.forgive()
            self._next(service, loop, 0.0)

    def stir(self, service: str) -> None:
        """Its answers may change from now on: wake its loop, knowing what it would have heard."""
        loop = self._loops.get(service)
        if loop is None or loop.asleep_at is None:
            return
        interval_s = loop.probe.interval_s
        rounds = int((self._time.now - loop.asleep_at) / interval_s)
        like = loop.history.results[-1]
        for number in range(max(1, rounds - _REMEMBERED + 1), rounds + 1):
            at = self._time.wall(loop.asleep_at + number * interval_s)
            loop.history = loop.history.add(replace(like, at=at), loop.probe)
        due_s = loop.asleep_at + (rounds + 1) * interval_s - self._time.now
        loop.asleep_at = None
        self._next(service, loop, due_s)

    def stir_all(self) -> None:
        for service in self._loops:
            self.stir(service)

    def _next(self, service: str, loop: _Loop, seconds: float) -> None:
        loop.token += 1
        loop.asking = False
        token = loop.token
        self._time.after(seconds, lambda: self._begin(service, loop, token))

    def _begin(self, service: str, loop: _Loop, token: int) -> None:
        if self._loops.get(service) is not loop or loop.token != token:
            return
        result, took_s = self._world.answer(service)
        loop.asking = True
        self._time.after(took_s, lambda: self._take(service, loop, token, result, took_s))

    def _take(
        self, service: str, loop: _Loop, token: int, result: ProbeResult, took_s: float
    ) -> None:
        if self._loops.get(service) is not loop or loop.token != token:
            return
        if result.ok or not self._ill():
            loop.history = loop.history.add(result, loop.probe)
            self._on_result(service)
        if self._loops.get(service) is not loop or loop.token != token:
            return
        history, loop.asking = loop.history, False
        if loop.nudged:
            loop.nudged = False
            self._next(service, loop, 0.0)
        elif self._certain(service, history):
            loop.asleep_at = self._time.now - took_s
        elif history.ready_at is None:
            self._next(service, loop, min(loop.pause_s, loop.probe.interval_s))
            loop.pause_s = min(loop.pause_s * _STARTUP_GROWTH, _STARTUP_MAX_S)
        else:
            moved = self._world.chance.uniform(1 - _JITTER, 1 + _JITTER)
            self._next(service, loop, max(0.0, loop.probe.interval_s * moved - took_s))

    def _certain(self, service: str, history: ProbeHistory) -> bool:
        """Whether one more answer like the last ones would change nothing."""
        ok = history.last is not None and history.last.ok
        if not self._world.steady(service, ok) or history.forgiven:
            return False
        if ok:
            calm = history.first_bad_at is None and history.ready_at is not None
            return calm and all(r.ok for r in history.window)
        full = len(history.results) == _REMEMBERED and not any(r.ok for r in history.results)
        return full and (history.unhealthy or self._judged_bad(service))
