"""What happens outside the hub is seen soon, said with its reason, and streamed without gaps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import Event, HubProcess, Json
from tests.integration.it_stack import Stack, serving
from tests.integration.it_wait import eventually


@dataclass(frozen=True, slots=True)
class Scene:
    stack: Stack
    hub: HubProcess
    witness: Witness

    def is_(self, name: str, health: str) -> Json:
        """The service, as soon as its health is this."""

        def look() -> Json | None:
            service = self.hub.client.services()[name]
            return service if service["health"] == health else None

        return eventually(look, what=f"{name} {health}")

    def start_outside(self, name: str) -> None:
        self.witness.api.api.start(self.witness.one(self.stack.project, name)["Id"])


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> Scene:
    watched = {"heal7.recovery.policy": "none"}
    fast = {"heal7.probe.interval": "300ms", "heal7.probe.failures": "2", **watched}
    gated: Json = {"environment": {"GATE": "/tmp/open"}, "labels": fast}
    stack = make_stack(
        {
            "one": serving(image, free_port(), labels=watched),
            "two": serving(image, free_port(), **gated),
        }
    )
    hub = make_hub(stack).start().wait_ready()
    return Scene(stack, hub, witness)


@pytest.fixture
def running(scene: Scene) -> Scene:
    begun = scene.hub.client.post("/orchestration/start-all", wait="false")
    assert begun.status_code == 202
    eventually(lambda: scene.hub.client.services()["two"]["state"] == "running")
    scene.witness.run(scene.stack.project, "two", "touch /tmp/open")
    eventually(scene.hub.client.idle)
    scene.is_("two", "healthy")
    return scene


def test_a_killed_process_is_told_and_its_return_too(running: Scene) -> None:
    running.witness.kill(running.stack.project, "one")
    seen = running.is_("one", "failed")
    assert seen["state"] == "exited"
    assert seen["desired"] == "running"
    assert "signal 9" in seen["reason"]
    assert seen["port_open"] is False
    assert seen["uptime_s"] is None
    running.start_outside("one")
    back = running.is_("one", "healthy")
    assert back["state"] == "running"
    assert back["uptime_s"] is not None


def test_a_stop_from_outside_does_not_change_what_people_want(running: Scene) -> None:
    container = running.witness.one(running.stack.project, "one")["Id"]
    running.witness.api.api.stop(container, timeout=3)
    assert running.is_("one", "held")["desired"] == "running"


def test_a_paused_container_is_held_and_a_resumed_one_well_again(running: Scene) -> None:
    container = running.witness.one(running.stack.project, "one")["Id"]
    running.witness.api.api.pause(container)
    assert running.is_("one", "held")["state"] == "paused"
    running.witness.api.api.unpause(container)
    running.is_("one", "healthy")


def test_a_service_that_stops_answering_well_is_unhealthy_until_it_does(running: Scene) -> None:
    running.witness.run(running.stack.project, "two", "rm /tmp/open")
    seen = running.is_("two", "unhealthy")
    assert seen["state"] == "running"
    assert "HTTP 503" in seen["reason"]
    running.witness.run(running.stack.project, "two", "touch /tmp/open")
    running.is_("two", "healthy")


def test_a_container_removed_from_outside_is_missing_and_start_makes_it_anew(
    running: Scene,
) -> None:
    container = running.witness.one(running.stack.project, "one")["Id"]
    running.witness.api.api.remove_container(container, force=True)
    assert running.is_("one", "held")["state"] == "missing"
    assert running.hub.client.done("services/one/start")["one"]["outcome"] == "started"


def _turned(name: str, health: str, event: Event) -> bool:
    if event.kind != "service":
        return False
    service = event.data["service"]
    return (service["name"], service["health"]) == (name, health)


def test_the_stream_tells_each_change_and_resumes_where_it_was_left(running: Scene) -> None:
    client = running.hub.client
    with client.events() as stream:
        running.witness.kill(running.stack.project, "one")
        before = stream.until(lambda e: _turned("one", "failed", e))
    assert before[0].id > stream.start_id
    left_at = before[-1].id
    # Nobody listens now.
    client.done("services/one/start")
    client.done("services/two/stop")
    with client.events(last_event_id=left_at) as stream:
        missed = stream.until(lambda e: e.kind == "operation" and _stopped(e.data))
    assert [e.id for e in missed] == list(range(left_at + 1, left_at + 1 + len(missed)))
    assert any(_turned("one", "healthy", e) for e in missed)
    assert any(_turned("two", "stopped", e) for e in missed)
    operations = [e.data for e in missed if e.kind == "operation"]
    ended = {o["kind"]: o["status"] for o in operations if o["status"] != "running"}
    assert ended == {"start": "succeeded", "stop": "succeeded"}


def _stopped(operation: Json) -> bool:
    return bool(operation["kind"] == "stop" and operation["status"] != "running")
