"""A definition changes: nothing is touched until a person asks, then only what changed is replaced,
and no data is lost with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, serving

_READ = "cat /named/note /bare/note"


@dataclass(frozen=True, slots=True)
class Scene:
    stack: Stack
    hub: HubProcess
    witness: Witness

    def redefine(self, service: str, **environment: str) -> None:
        """Change the compose file and let the hub come up anew with it."""
        self.stack.services[service]["environment"] = environment
        self.stack.write()
        self.hub.stop()
        self.hub.start().wait_ready()

    def environment(self, service: str) -> list[str]:
        found: list[str] = self.witness.one(self.stack.project, service)["Config"]["Env"]
        return found


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> Scene:
    services = {
        "changing": serving(image, free_port(), volumes=["kept:/named", "/bare"]),
        "steady": serving(image, free_port()),
    }
    stack = make_stack(services, volumes={"kept": {}})
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    for place in ("/named", "/bare"):
        witness.run(stack.project, "changing", f"echo {place} > {place}/note")
    return Scene(stack, hub, witness)


def test_a_running_container_is_left_alone_until_somebody_starts_it(scene: Scene) -> None:
    project, witness = scene.stack.project, scene.witness
    before = witness.lives(project)
    scene.redefine("changing", GREETING="one")
    assert witness.lives(project) == before
    plan = scene.hub.client.plan("start-all")
    assert plan["settled"] == {"steady": "already_running"}
    assert {step["service"] for step in plan["plan"]} == {"changing"}
    created = next(step for step in plan["plan"] if step["op"] == "create")
    assert created["cause"] == "its definition changed"
    assert witness.lives(project) == before

    results = scene.hub.client.done("start-all")
    assert results["changing"]["outcome"] == "recreated"
    assert results["steady"]["outcome"] == "already_running"
    now = witness.lives(project)
    name, steady = scene.stack.container("changing"), scene.stack.container("steady")
    assert set(now) == set(before)
    assert now[name][0] != before[name][0]
    assert now[steady] == before[steady]
    assert "GREETING=one" in scene.environment("changing")


def test_named_and_anonymous_volumes_go_over_to_the_replacement(scene: Scene) -> None:
    project, witness = scene.stack.project, scene.witness
    for greeting in ("two", "three"):
        mounts = _volumes(witness, project)
        scene.redefine("changing", GREETING=greeting)
        assert scene.hub.client.done("start-all")["changing"]["outcome"] == "recreated"
        assert witness.run(project, "changing", _READ).split() == ["/named", "/bare"]
        assert _volumes(witness, project) == mounts


def _volumes(witness: Witness, project: str) -> dict[str, str]:
    mounts = witness.one(project, "changing")["Mounts"]
    return {m["Destination"]: m["Name"] for m in mounts if m["Type"] == "volume"}


def test_a_new_image_replaces_too(scene: Scene, image: str) -> None:
    project, witness = scene.stack.project, scene.witness
    steady = witness.lives(project)[scene.stack.container("steady")]
    before = witness.one(project, "changing")["Image"]
    container = witness.api.containers.get(witness.one(project, "changing")["Id"])
    repository, tag = "heal7-it-changing", project
    try:
        witness.api.images.get(image).tag(repository, tag=tag)
        scene.stack.services["changing"]["image"] = f"{repository}:{tag}"
        scene.stack.write()
        scene.hub.stop()
        scene.hub.start().wait_ready()
        scene.hub.client.done("start-all")
        # Under the same tag there is another image now, as after a build.
        container = witness.api.containers.get(witness.one(project, "changing")["Id"])
        container.commit(repository, tag=tag)
        plan = scene.hub.client.plan("start-all")
        assert {s["cause"] for s in plan["plan"] if s["op"] == "create"} == {"its image changed"}
        assert scene.hub.client.done("start-all")["changing"]["outcome"] == "recreated"
        assert witness.one(project, "changing")["Image"] != before
        assert witness.lives(project)[scene.stack.container("steady")] == steady
        assert witness.run(project, "changing", _READ).split() == ["/named", "/bare"]
    finally:
        scene.hub.stop()
        witness.remove_containers(project)
        witness.api.images.remove(f"{repository}:{tag}")
