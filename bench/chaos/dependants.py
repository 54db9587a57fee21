"""A root that is down, and ten services that need it: none of them is restarted for it.

Two kinds of dependants, as there are in the world: those that answer 503 while they cannot reach
the root, and those that leave with code 1 when they lose it. The first must not be touched at all;
the second must be started again, once each, and not before their root is there.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Any

from bench.chaos.arena import BRISK, RESILIENT, Arena, Json, Step, calm, story, until
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, seconds
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, after, serving
from tests.integration.it_wait import eventually

_ROOT = "root"
_COUNT = 10
_BOOT_S = "4"
_RESET_S = 1.5
_HEALED_S = 90.0
HANG = signal.SIGSTOP
CRASH = signal.SIGKILL

_DEPENDANT = """
import os, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
def reached():
    try:
        with urllib.request.urlopen('http://root:8000/health', timeout=0.4) as answer:
            return answer.status == 200
    except OSError:
        return False
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if reached() else 503)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
def leave():
    lost = 0
    while lost < 2:
        time.sleep(0.5)
        lost = 0 if reached() else lost + 1
    os._exit(1)
if os.environ.get('LEAVES'):
    threading.Thread(target=leave, daemon=True).start()
ThreadingHTTPServer(('', 8000), Handler).serve_forever()
"""


def run(arena: Arena, rounds: int, step: Step) -> Report:
    """Hang and crash the root `rounds` times under each kind. `step` is told 4 × rounds times."""
    report = Report()
    for leaves in (False, True):
        scene = Scene.set_up(arena, leaves, _COUNT)
        for _ in range(rounds):
            for number in (HANG, CRASH):
                scene.fault(number)
                step()
        scene.tell(report)
        scene.hub.stop()
        arena.witness.remove_containers(scene.stack.project)
    return report


@dataclass(slots=True)
class Scene:
    """A root and those that need it, all well, under a hub."""

    arena: Arena
    stack: Stack
    log: EngineLog
    hub: HubProcess
    leaves: bool
    faults: list[str]
    took: list[float]

    @classmethod
    def set_up(cls, arena: Arena, leaves: bool, count: int) -> Scene:
        labels = {**BRISK, **RESILIENT}
        root = serving(
            arena.image,
            arena.free_port(),
            init=False,
            labels=labels,
            environment={"BOOT_S": _BOOT_S},
        )
        services = {_ROOT: root}
        more: dict[str, Any] = {"environment": {"LEAVES": "1"}} if leaves else {}
        for number in range(count):
            services[f"needs-{number}"] = serving(
                arena.image,
                arena.free_port(),
                program=_DEPENDANT,
                labels=labels,
                depends_on=after(_ROOT),
                **more,
            )
        stack = arena.stack(services)
        return cls(arena, stack, arena.log(stack), arena.hub(stack), leaves, [], [])

    @property
    def _needing(self) -> list[str]:
        return [name for name in self.stack.services if name != _ROOT]

    def fault(self, number: int) -> None:
        """Send the signal to the root, wait until all are well again, and look who was touched."""
        eventually(lambda: calm(self.hub.client, *self.stack.services), _HEALED_S, "all well")
        time.sleep(_RESET_S)
        lives = self.arena.witness.lives(self.stack.project)
        strike = self.arena.signaller(self.stack, _ROOT, number)
        struck, begun = time.time(), time.monotonic()
        strike()
        name = signal.Signals(number).name
        try:
            until(lambda: self.log.count("start", _ROOT, struck) > 0, _HEALED_S, "a new root")
            until(self._well, _HEALED_S, "all well again")
        except TimeoutError as error:
            self.faults.append(f"root {name}: {error}: {self._ill()}")
        self.took.append(time.monotonic() - begun)
        roots = self.log.count("start", _ROOT, struck)
        if roots != 1:
            self.faults.append(f"root {name}: its root was started {roots} times")
        self._look(name, struck, lives)

    def _well(self) -> bool:
        return calm(self.hub.client, *self.stack.services)

    def _ill(self) -> Json:
        seen = self.hub.client.services()
        return {n: s["reason"] for n, s in seen.items() if s["health"] != "healthy"}

    def _look(self, fault: str, struck: float, lives: dict[str, tuple[str, str]]) -> None:
        now = self.arena.witness.lives(self.stack.project)
        root_back = self.log.of("start", _ROOT, struck)[0].at
        for name in self._needing:
            container = self.stack.container(name)
            starts = self.log.of("start", name, struck)
            deaths = self.log.count("die", name, struck)
            wrong = ""
            if not self.leaves and now[container] != lives[container]:
                wrong = "was restarted for its root"
            elif self.leaves and any(seen.at < root_back for seen in starts):
                wrong = "was started before its root was there"
            elif len(starts) != deaths or deaths > 1:
                wrong = f"died {deaths} times and was started {len(starts)} times"
            if wrong:
                told = self.hub.client.incidents(service=name, limit="1")
                self.faults.append(
                    f"root {fault}: {name} {wrong}; {[story(incident) for incident in told]}"
                )

    def tell(self, report: Report) -> None:
        kind = "leave" if self.leaves else "answer 503"
        what = f"root down {len(self.took)} times, {len(self._needing)} dependants that {kind}"
        fault = "started wrongly" if self.leaves else "restarted"
        report.row(f"{what}: {fault}", str(len(self.faults)), goal="0")
        report.row("  all well again, median", seconds(middle(self.took)))
        report.faults += self.faults
