"""A service that can only die: tried within its budget, never shown as well, no burden to any."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench.chaos.arena import Arena, Step, story, until
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, millis, p99
from controller.model.spec import RecoverySpec
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import SERVER, serving

_LOOP = "loop"
_OTHERS = 3
_LOOK_S = 0.05
_COLLECT_S = 5.0
_INTERVAL = "500ms"
# It even answers while it lives, so that a probe may find it well.
_DIES = "import os, threading\nthreading.Timer(0.2, lambda: os._exit(1)).start()\n" + SERVER


@dataclass(slots=True)
class _Watch:
    """`response_s` are the others' probe times by (service, when); `well` how often the loop was
    shown as healthy since its second restart: a single one is no loop yet."""

    hub: HubProcess
    log: EngineLog
    others: tuple[str, ...]
    response_s: dict[tuple[str, str], float] = field(default_factory=dict)
    well: int = 0
    looks: int = 0

    def go(self, seconds: int, step: Step) -> list[float]:
        """Watch for so long; the others' probe times of that while."""
        before = set(self.response_s)
        begun = told = collected = time.monotonic()
        while (now := time.monotonic()) < begun + seconds:
            self._look()
            if now - collected >= _COLLECT_S:
                self._collect()
                collected = now
            if now - told >= 1:
                step()
                told += 1
            time.sleep(_LOOK_S)
        self._collect()
        step()
        return [took for key, took in self.response_s.items() if key not in before]

    def _look(self) -> None:
        # The first start is the person's own.
        looping = self.log.count("start", _LOOP) >= 3
        shown = self.hub.client.services()[_LOOP]["health"]
        self.looks += looping
        self.well += looping and shown == "healthy"

    def _collect(self) -> None:
        for name in self.others:
            answer = self.hub.client.get(f"/orchestration/services/{name}").json()
            for probe in answer["recent_probes"]:
                if probe["response_ms"] is not None:
                    self.response_s[name, probe["at"]] = probe["response_ms"] / 1000


def run(arena: Arena, seconds: int, step: Step) -> Report:
    """Watch the others for a quarter of the time, then with the loop for all of it. `step` is told
    about once a second."""
    others = tuple(f"calm-{number}" for number in range(_OTHERS))
    labels = {"heal7.probe.interval": _INTERVAL}
    services = {name: serving(arena.image, arena.free_port(), labels=labels) for name in others}
    services[_LOOP] = serving(arena.image, arena.free_port(), program=_DIES, labels=labels)
    stack = arena.stack(services)
    log, hub = arena.log(stack), arena.hub(stack, started=others)
    watch = _Watch(hub, log, others)
    before = watch.go(seconds // 4, step)
    hub.client.post(f"/orchestration/services/{_LOOP}/start", wait="false")
    during = watch.go(seconds, step)
    return _report(watch, log, before, during, seconds)


def _report(
    watch: _Watch, log: EngineLog, before: list[float], during: list[float], seconds: int
) -> Report:
    report, budget = Report(), RecoverySpec().max_restarts
    # One may be under way.
    until(lambda: not watch.hub.client.services()[_LOOP]["operation"], 30, "the last try is over")
    told = watch.hub.client.incidents(service=_LOOP, limit="500")
    stories = [story(incident) for incident in told]
    # The first start is the person's own.
    restarts = log.count("start", _LOOP) - 1
    if restarts > budget:
        report.faults.append(f"loop: {restarts} restarts of {budget} allowed: {stories}")
    if restarts < 2:
        report.faults.append(f"loop: only {restarts} restarts: {stories}")
    counted = sum(incident["restarts"] for incident in told)
    if counted != restarts:
        report.faults.append(f"loop: {restarts} restarts, {counted} counted: {stories}")
    if watch.well:
        report.faults.append(
            f"loop: shown as healthy in {watch.well} of {watch.looks} looks: {stories}"
        )
    report.row(
        f"crash loop for {seconds} s: restarts", str(restarts), goal=f"<= {budget} in 30 min"
    )
    report.row("  shown as healthy", f"{watch.well} of {watch.looks} looks", goal="0")
    report.row(
        "  the others' probes, p99",
        millis(p99(during)),
        f"{millis(p99(before))} before it",
        f"{p99(during) / p99(before):.2f}",
        "unchanged",
    )
    return report
