"""The engine itself ends, is killed or freezes: nothing is restarted by mistake.

On an engine of its own inside a container. What a daemon takes along must be started once when it
is back, what it leaves running must not be touched.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.chaos.arena import RESILIENT, Arena, Step, calm, story, until
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, seconds
from tests.integration.it_hub import HubProcess
from tests.integration.it_second_engine import SecondEngine
from tests.integration.it_stack import Stack, after, serving
from tests.integration.it_wait import eventually

_NAMES = ("db", "api", "lone")
_FROZEN_S = 9.0
_AWAY_S = 3.0
_CONVERGED_S = 60.0
_WATCH_S = 4.0
Lives = dict[str, tuple[str, str]]


def run(outer: Arena, rounds: int, step: Step) -> Report:
    """TERM, KILL and STOP the daemon, `rounds` times each. `step` is told 3 × rounds times."""
    ports = tuple(outer.free_port() for _ in _NAMES)
    with SecondEngine(outer.witness, ports) as engine:
        engine.load(outer.image)
        with Arena(engine.socket) as arena:
            return _Scene.set_up(arena, engine, ports).play(rounds, step)


@dataclass(slots=True)
class _Scene:
    arena: Arena
    engine: SecondEngine
    stack: Stack
    hub: HubProcess
    took: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @classmethod
    def set_up(cls, arena: Arena, engine: SecondEngine, ports: tuple[int, ...]) -> _Scene:
        labels = {**RESILIENT, "heal7.probe.interval": "1s"}
        services = {
            name: serving(arena.image, port, labels=labels)
            for name, port in zip(_NAMES, ports, strict=True)
        }
        services["api"]["depends_on"] = after("db")
        stack = arena.stack(services)
        return cls(arena, engine, stack, arena.hub(stack, DOCKER_HOST=engine.socket))

    def play(self, rounds: int, step: Step) -> Report:
        for _ in range(rounds):
            self._fault("TERM", self.engine.term, self.engine.start)
            step()
            self._fault("KILL", self.engine.kill, self.engine.start)
            step()
            self._fault("STOP", self.engine.freeze, self._thaw, _FROZEN_S)
            step()
        return self._report()

    def _thaw(self) -> None:
        self.engine.thaw()
        eventually(self.engine.answers, 30, "the inner engine answers again")

    def _fault(
        self,
        name: str,
        strike: Callable[[], None],
        mend: Callable[[], None],
        away_s: float = _AWAY_S,
    ) -> None:
        eventually(self._well, _CONVERGED_S, "all well")
        lives = self.arena.witness.lives(self.stack.project)
        strike()
        try:
            time.sleep(away_s)
        finally:
            mend()
        back, begun = time.monotonic(), time.time()
        survived = self._running()
        try:
            until(self._well, _CONVERGED_S, "all well again")
        except TimeoutError as error:
            self.faults.append(f"daemon {name}: {error}")
        self.took.setdefault(name, []).append(time.monotonic() - back)
        # A restart by mistake would come a little later, from a probe or a late notice.
        time.sleep(_WATCH_S)
        self._count(name, lives, survived, begun)

    def _running(self) -> set[str]:
        """Containers that live on, as the engine tells it the moment it is back."""
        found = self.arena.witness.inspected(self.stack.project)
        return {raw["Name"].lstrip("/") for raw in found if raw["State"]["Running"]}

    def _well(self) -> bool:
        answer = self.hub.client.get("/readyz").status_code
        return answer == 200 and calm(self.hub.client, *_NAMES)

    def _count(self, fault: str, lives: Lives, survived: set[str], begun: float) -> None:
        now = self.arena.witness.lives(self.stack.project)
        starts = self._starts(begun)
        for name in _NAMES:
            container = self.stack.container(name)
            same = now.get(container) == lives[container]
            lived_on = fault == "STOP" or (container in survived and same)
            wrong = ""
            if container not in now or now[container][0] != lives[container][0]:
                wrong = "its container was replaced"
            elif lived_on and not same:
                wrong = "was restarted although it lived on"
            elif not lived_on and starts[name] != 1:
                wrong = f"was started {starts[name]} times"
            if wrong:
                told = self.hub.client.incidents(service=name, limit="1")
                self.faults.append(
                    f"daemon {fault}: {name} {wrong}; {[story(incident) for incident in told]}"
                )

    def _starts(self, since: float) -> Counter[str]:
        """How often each was started since then, as the daemon of now remembers."""
        log = EngineLog(self.stack.project, self.engine.socket, since=since - _AWAY_S)
        time.sleep(0.5)
        found = Counter(seen.service for seen in log.of("start"))
        log.close()
        return found

    def _report(self) -> Report:
        report = Report(faults=self.faults)
        times = sum(len(took) for took in self.took.values())
        report.row(
            f"dockerd ended, killed or frozen {times} times: wrong restarts or losses",
            str(len(self.faults)),
            goal="0",
        )
        for name, took in self.took.items():
            report.row(
                f"  SIG{name}: all well after it answers, p50 / max",
                f"{seconds(middle(took))} / {seconds(max(took))}",
                goal="<= 5 s",
            )
        return report
