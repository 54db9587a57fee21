"""The engine goes away and comes back: the hub keeps answering, says what it does not know, refuses
what it cannot do, and afterwards sees what happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.clock import monotonic
from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient, HubProcess, Json
from tests.integration.it_proxy import SocketProxy
from tests.integration.it_stack import Stack, serving
from tests.integration.it_wait import eventually


@dataclass(frozen=True, slots=True)
class Scene:
    stack: Stack
    hub: HubProcess
    proxy: SocketProxy

    @property
    def client(self) -> HubClient:
        return self.hub.client

    def healths(self) -> set[str]:
        return {service["health"] for service in self.client.services().values()}

    def engine(self) -> str:
        return str(self.client.get("/health").json()["engine"])


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack,
    make_hub: MakeHub,
    free_port: Ports,
    image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    stack = make_stack({name: serving(image, free_port()) for name in ("one", "two")})
    proxy = SocketProxy(Path(tmp_path_factory.mktemp("engine")) / "docker.sock")
    hub = make_hub(stack, DOCKER_HOST=proxy.url)
    yield Scene(stack, hub, proxy)
    proxy.cut()


def test_a_hub_without_engine_serves_and_starts_the_stack_when_it_comes(scene: Scene) -> None:
    scene.hub.start().wait_listening()
    assert scene.engine() == "unreachable"
    assert scene.client.get("/health").json()["status"] == "degraded"
    assert scene.client.get("/readyz").status_code == 503
    assert scene.healths() == {"unknown"}
    scene.proxy.open()
    scene.hub.wait_ready()
    scene.client.done("start-all")
    assert scene.healths() == {"healthy"}


def test_status_is_told_from_memory(scene: Scene) -> None:
    before = scene.proxy.requests
    for _ in range(300):
        scene.client.services()
    # Pings and a full pass may fall into the time, but nothing that grows with the questions.
    assert scene.proxy.requests - before < 30


def test_an_engine_that_hangs_delays_no_answer(scene: Scene) -> None:
    scene.proxy.hang()
    begun = monotonic()
    for _ in range(50):
        scene.client.services()
    assert monotonic() - begun < 5
    eventually(lambda: scene.healths() == {"unknown"})
    begun = monotonic()
    assert scene.client.post("/orchestration/stop-all").status_code == 503
    assert monotonic() - begun < 10
    assert scene.engine() == "unreachable"
    scene.proxy.flow()
    eventually(lambda: scene.healths() == {"healthy"})


def test_an_engine_that_is_gone_is_said_refused_and_found_again(
    scene: Scene, witness: Witness
) -> None:
    before = witness.lives(scene.stack.project)
    scene.proxy.cut()
    eventually(lambda: scene.healths() == {"unknown"})
    for service in scene.client.services().values():
        assert "engine does not answer" in service["reason"]
        assert service["desired"] == "running"
    for verb in ("start-all", "stop-all", "services/one/restart"):
        refused = scene.client.post(f"/orchestration/{verb}")
        assert refused.status_code == 503
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["remedy"]
    assert scene.client.post("/orchestration/start-all", dry_run="true").status_code == 503
    assert {s["desired"] for s in scene.client.services().values()} == {"running"}
    witness.kill(scene.stack.project, "one")
    scene.proxy.open()
    eventually(lambda: scene.engine() == "connected")
    ended = eventually(lambda: _ended(scene.client, "one"))
    assert ended["kind"] == "crash"
    assert "the engine had been away" in ended["cause"]
    assert "signal 9" in ended["cause"]
    assert scene.client.services()["two"]["health"] == "healthy"
    two = scene.stack.container("two")
    assert witness.lives(scene.stack.project)[two] == before[two]


def _ended(client: HubClient, name: str) -> Json | None:
    found = client.incidents(service=name, state="closed")
    return found[0] if found else None


def test_an_engine_lost_in_the_middle_of_a_start_leaves_the_outcome_unknown_not_wrong(
    scene: Scene, witness: Witness
) -> None:
    scene.client.done("stop-all")
    begun = scene.client.post("/orchestration/start-all", wait="false").json()["operation"]
    scene.proxy.cut()
    where = f"/orchestration/operations/{begun}"
    eventually(lambda: scene.client.get(where).json()["status"] != "running")
    ended = scene.client.get(where).json()
    outcomes = {r["outcome"] for r in ended["results"].values()}
    assert outcomes <= {"unknown", "started"}
    assert ended["status"] == ("failed" if "unknown" in outcomes else "succeeded")
    scene.proxy.open()
    scene.hub.wait_ready()
    scene.client.done("start-all")
    assert scene.healths() == {"healthy"}
    assert len(witness.inspected(scene.stack.project)) == len(scene.stack.services)
