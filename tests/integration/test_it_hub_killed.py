"""The hub is killed with SIGKILL at random moments of start-all and started again.

Afterwards every service runs exactly once, nothing half-made is left, and what people wanted is
still wanted. HEAL7_TEST_KILLS sets how often (default 5), HEAL7_TEST_SEED repeats a run.
"""

from __future__ import annotations

import itertools
import os
import random  # noqa: TID251 - seeded, so that a failure can be repeated
import threading
from dataclasses import dataclass

import httpx
import pytest

from controller.clock import monotonic
from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import SERVICE, Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, after, serving
from tests.integration.it_wait import eventually, pause

_KILLS = int(os.environ.get("HEAL7_TEST_KILLS", "5"))
_SEED = int(os.environ.get("HEAL7_TEST_SEED", "7"))
_CONVERGED_S = 30.0
# Where start-all begins, and how long it takes about: a kill later than that meets nothing.
PRELUDES = {"changed": 1.8, "nothing": 1.2, "stopped": 0.8}


@dataclass(slots=True)
class Scene:
    stack: Stack
    hub: HubProcess
    witness: Witness
    serial: int = 0

    def prepare(self, prelude: str) -> None:
        """Bring the stack to where a start-all has this much to do, with a hub that is up."""
        client = self.hub.client
        match prelude:
            case "nothing":
                client.done("stop-all")
                self.witness.remove_containers(self.stack.project)
                missing = {"missing"}
                eventually(lambda: {s["state"] for s in client.services().values()} == missing)
            case "stopped":
                client.done("stop-all")
            case _:
                client.done("start-all")
                self.serial += 1
                for service in self.stack.services.values():
                    service["environment"] = {"SERIAL": str(self.serial)}
                self.stack.write()
                self.hub.stop()
                self.hub.start().wait_ready()

    def start_all_and_kill(self, moment_s: float) -> str | None:
        """Kill the hub this long after it was asked; the operation's id if it acknowledged."""
        acknowledged: list[str] = []

        def ask() -> None:
            try:
                answer = self.hub.client.post("/orchestration/start-all", wait="false")
            except httpx.TransportError:
                return
            acknowledged.append(answer.json()["operation"])

        asking = threading.Thread(target=ask)
        asking.start()
        pause(moment_s)
        self.hub.kill9()
        asking.join()
        return acknowledged[0] if acknowledged else None

    def check(self, acknowledged: str | None) -> None:
        """Everything runs once and well, or (never acknowledged, never begun) is as it was."""
        services = self.hub.client.services()
        found = self.witness.inspected(self.stack.project)
        names = [raw["Name"].lstrip("/") for raw in found]
        assert len(set(names)) == len(names)
        assert set(names) <= {self.stack.container(name) for name in self.stack.services}
        wanted = {service["desired"] for service in services.values()}
        assert len(wanted) == 1, "start-all is wanted whole or not at all"
        if acknowledged:
            assert wanted == {"running"}
            operation = self.hub.client.get(f"/orchestration/operations/{acknowledged}").json()
            assert operation["status"] in ("interrupted", "succeeded")
        for raw in found:
            service = services[raw["Config"]["Labels"][SERVICE]]
            running = raw["State"]["Status"] == "running"
            assert running is (service["desired"] == "running"), (raw["Name"], service)
        if wanted == {"running"}:
            assert {s["health"] for s in services.values()} == {"healthy"}
            assert len(found) == len(self.stack.services)


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> Scene:
    services = {
        "db": serving(image, free_port()),
        "api": serving(image, free_port(), depends_on=after("db")),
        "lone": serving(image, free_port()),
    }
    stack = make_stack(services)
    return Scene(stack, make_hub(stack).start().wait_ready(), witness)


def _rounds() -> list[tuple[int, str, float]]:
    dice = random.Random(_SEED)
    # Every prelude has its turn; the moment is chance.
    turns = zip(range(_KILLS), itertools.cycle(PRELUDES.items()), strict=False)
    return [(n, prelude, round(dice.uniform(0, latest), 3)) for n, (prelude, latest) in turns]


@pytest.mark.parametrize(("number", "prelude", "moment_s"), _rounds())
def test_a_hub_killed_during_start_all_finishes_it_when_it_is_back(
    scene: Scene, number: int, prelude: str, moment_s: float
) -> None:
    scene.prepare(prelude)
    acknowledged = scene.start_all_and_kill(moment_s)
    if number % 5 == 4:
        # And once more while it is coming back.
        scene.hub.start()
        pause(moment_s)
        scene.hub.kill9()
    scene.hub.start().wait_listening()
    begun = monotonic()
    eventually(lambda: scene.hub.client.get("/readyz").status_code == 200)
    eventually(scene.hub.client.idle, _CONVERGED_S)
    scene.check(acknowledged)
    took = monotonic() - begun
    assert took < _CONVERGED_S
    assert not [o for o in scene.hub.client.operations() if o["status"] == "running"]
    print(f"kill {number}: {prelude}, {moment_s} s in, converged {took:.2f} s after it was back")


def test_a_hub_killed_during_a_stop_finishes_that_too(scene: Scene) -> None:
    scene.hub.client.done("start-all")
    begun = scene.hub.client.post("/orchestration/stop-all", wait="false")
    operation = begun.json()["operation"]
    scene.hub.kill9()
    # Killed twice: what a convergence still owed must not be forgotten either.
    scene.hub.start().wait_listening()
    scene.hub.kill9()
    scene.hub.start().wait_ready()
    stopped = {("stopped", "exited")}
    eventually(
        lambda: (
            {(s["desired"], s["state"]) for s in scene.hub.client.services().values()} == stopped
        )
    )
    ended = scene.hub.client.get(f"/orchestration/operations/{operation}").json()
    assert ended["status"] == "interrupted"


def test_what_runs_is_untouched_by_the_hubs_own_comings_and_goings(scene: Scene) -> None:
    scene.hub.client.done("start-all")
    before = scene.witness.lives(scene.stack.project)
    scene.hub.kill9()
    scene.hub.start().wait_ready()
    scene.hub.stop()
    scene.hub.start().wait_ready()
    services = scene.hub.client.services()
    eventually(lambda: {s["health"] for s in scene.hub.client.services().values()} == {"healthy"})
    assert {s["desired"] for s in services.values()} == {"running"}
    assert scene.witness.lives(scene.stack.project) == before


def test_a_service_that_died_while_the_hub_was_away_is_started_again(scene: Scene) -> None:
    scene.hub.client.done("start-all")
    before = scene.witness.lives(scene.stack.project)
    scene.hub.kill9()
    scene.witness.kill(scene.stack.project, "lone")
    scene.hub.start().wait_ready()
    assert {s["health"] for s in scene.hub.client.services().values()} == {"healthy"}
    now = scene.witness.lives(scene.stack.project)
    lone = scene.stack.container("lone")
    assert now[lone] != before[lone]
    assert {n: v for n, v in now.items() if n != lone} == {
        n: v for n, v in before.items() if n != lone
    }
    converged = scene.hub.client.operations()[0]
    assert (converged["kind"], converged["targets"]) == ("converge", ["lone"])
