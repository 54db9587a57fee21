"""A service in several containers: each is watched and healed by itself, and a name means all."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import PORT, WORKER, Service, Stack, after, serving
from tests.integration.it_wait import eventually

WEB = ("web-1", "web-2", "web-3")


@dataclass(frozen=True, slots=True)
class Scene:
    stack: Stack
    hub: HubProcess
    witness: Witness

    def redefine(self, **keys: Any) -> None:
        """Change the service and let the hub come up anew with it."""
        self.stack.services["web"].update(keys)
        self.stack.write()
        self.hub.stop()
        self.hub.start().wait_ready()

    def life(self, key: str) -> tuple[str, str]:
        return self.witness.lives(self.stack.project)[f"{self.stack.project}-{key}"]

    def running(self) -> set[str]:
        found = self.witness.inspected(self.stack.project)
        names = [raw["Name"] for raw in found if raw["State"]["Status"] == "running"]
        return {name.removeprefix(f"/{self.stack.project}-") for name in names}

    def health(self) -> dict[str, str]:
        return {name: one["health"] for name, one in self.hub.client.services().items()}


def _several(image: str, port: int, **more: Any) -> Service:
    """Nobody reaches them but at their own addresses."""
    service = serving(image, port, **more)
    service["labels"]["heal7.port"] = str(PORT)
    del service["ports"]
    return service


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> Scene:
    services = {
        "root": serving(image, free_port()),
        "web": _several(
            image, free_port(), program=WORKER, deploy={"replicas": 3}, depends_on=after("root")
        ),
        "user": serving(image, free_port(), depends_on=after("web")),
    }
    workflows = {"go": {"steps": [{"service": "web", "action": "go", "input": {}}]}}
    stack = make_stack(services, workflows=workflows)
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    return Scene(stack, hub, witness)


def test_all_are_made_in_order_and_compose_tools_know_them(scene: Scene) -> None:
    project, witness = scene.stack.project, scene.witness
    assert scene.health() == dict.fromkeys(("root", *WEB, "user"), "healthy")
    labels = "com.docker.compose."
    made = [raw for raw in witness.inspected(project) if "-web-" in raw["Name"]]
    numbers = {raw["Config"]["Labels"][f"{labels}container-number"] for raw in made}
    assert numbers == {"1", "2", "3"}
    assert {raw["Config"]["Labels"][f"{labels}service"] for raw in made} == {"web"}
    started = {raw["Name"]: raw["State"]["StartedAt"] for raw in witness.inspected(project)}
    assert started[f"/{project}-user-1"] > max(started[raw["Name"]] for raw in made)
    asked = ["docker-compose", "-p", project, "-f", str(scene.stack.compose_file), "ps", "-q"]
    listed = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=True)
    assert set(listed.stdout.split()) == {raw["Id"] for raw in witness.inspected(project)}


def test_one_is_healed_and_the_others_live_on(scene: Scene) -> None:
    before = {key: scene.life(key) for key in WEB}
    found = scene.witness.inspected(scene.stack.project)
    (struck,) = [raw for raw in found if raw["Name"].endswith("-web-2")]
    subprocess.run(["docker", "kill", struck["Id"]], capture_output=True, check=True, timeout=60)
    eventually(lambda: scene.life("web-2") != before["web-2"], 30, "another life")
    eventually(lambda: scene.health()["web-2"] == "healthy", 30, "healed")
    assert {key: scene.life(key) for key in ("web-1", "web-3")} == {
        key: before[key] for key in ("web-1", "web-3")
    }
    assert [i["service"] for i in scene.hub.client.incidents()] == ["web-2"]


def test_a_step_goes_to_one_that_is_well(scene: Scene) -> None:
    client = scene.hub.client
    client.done("services/web-1/stop")
    begun = client.send("/workflows/go/runs", {"input": {}}).json()["id"]
    ended = ("succeeded", "failed", "compensated")
    run = eventually(
        lambda: (
            found
            if (found := client.get(f"/workflows/runs/{begun}").json())["status"] in ended
            else None
        ),
        30,
    )
    assert run["status"] == "succeeded", run
    words = quote(f'"did {begun}:web"')
    lines = eventually(lambda: client.get(f"/logs?q={words}").json()["entries"])
    assert [line["service"] for line in lines] == ["web-2"]
    client.done("services/web-1/start")


def test_who_stops_one_beside_the_hub_means_that_one(scene: Scene) -> None:
    name = f"{scene.stack.project}-web-3"
    subprocess.run(["docker", "stop", "-t", "1", name], capture_output=True, check=True, timeout=60)
    eventually(lambda: scene.health()["web-3"] == "held", 30, "seen as a wish")
    assert scene.health()["web-1"] == "healthy"
    assert set(scene.hub.client.done("services/web-3/start")) == {"web-3", "root"}


def test_they_restart_one_after_the_other(scene: Scene) -> None:
    """Each ends only when the one before it is well in its new life."""
    before = {key: scene.life(key) for key in WEB}
    user = scene.life("user-1")
    scene.hub.client.done("services/web/restart")
    found = {raw["Name"].rpartition("-")[2]: raw["State"] for raw in _webs(scene)}
    for first, second in (("1", "2"), ("2", "3")):
        assert found[first]["StartedAt"] < found[second]["FinishedAt"] < found[second]["StartedAt"]
    assert all(scene.life(key) != before[key] for key in WEB)
    assert scene.life("user-1") == user


def _webs(scene: Scene) -> list[Any]:
    return [r for r in scene.witness.inspected(scene.stack.project) if "-web-" in r["Name"]]


def test_the_name_of_the_service_means_all_of_them(scene: Scene) -> None:
    client = scene.hub.client
    assert set(client.done("services/web/stop")) == set(WEB)
    assert scene.running() == {"root-1", "user-1"}
    before = {key: scene.life(key) for key in WEB}
    assert set(WEB) <= set(client.done("services/web/restart"))
    assert all(scene.life(key) != before[key] for key in WEB)
    answer = client.get("/orchestration/services/web")
    assert answer.status_code == 404
    assert "web-1, web-2, web-3" in answer.text
    found = client.get("/logs?service=web&limit=200").json()["entries"]
    assert {entry["service"] for entry in found} == set(WEB)


def test_fewer_end_those_that_are_too_many_and_no_others(scene: Scene) -> None:
    before = {key: scene.life(key) for key in WEB}
    scene.redefine(deploy={"replicas": 2})
    assert scene.running() == {"root-1", "web-1", "web-2", "web-3", "user-1"}
    results = scene.hub.client.done("start-all")
    assert results["web-3"]["outcome"] == "removed"
    assert scene.running() == {"root-1", "web-1", "web-2", "user-1"}
    assert scene.life("web-1") == before["web-1"]
    scene.redefine(deploy={})
    scene.hub.client.done("start-all")
    assert scene.running() == {"root-1", "web-1", "user-1"}
    assert scene.life("web-1") == before["web-1"]
    assert set(scene.health()) == {"root", "web", "user"}


def test_none_at_all_and_more_again(scene: Scene, free_port: Ports) -> None:
    scene.stack.services["user"].pop("depends_on")
    scene.redefine(scale=0)
    scene.hub.client.done("start-all")
    assert scene.running() == {"root-1", "user-1"}
    first = free_port()
    scene.redefine(scale=2, ports=[f"127.0.0.1:{first}-{first + 1}:{PORT}"])
    scene.hub.client.done("start-all")
    assert scene.running() == {"root-1", "web-1", "web-2", "user-1"}
    published = {
        raw["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]["HostPort"]
        for raw in scene.witness.inspected(scene.stack.project)
        if "-web-" in raw["Name"]
    }
    assert published == {str(first), str(first + 1)}
