"""Stacks whose images are not on the machine: the hub builds and pulls them, tells what it does
meanwhile, and touches nothing that runs before the new image is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller import clock
from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import PROJECT, Json, Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_registry import Registry, running_registry
from tests.integration.it_stack import PYTHON, Stack, serving
from tests.integration.it_wait import eventually


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack of one service that is built, one that is pulled, and one that is here already."""

    stack: Stack
    hub: HubProcess
    witness: Witness
    registry: Registry
    image: str
    superseded: list[str]
    """Images that had a name."""

    @property
    def app(self) -> Path:
        return self.stack.folder / "app"

    def dockerfile(self, *lines: str) -> None:
        (self.app / "Dockerfile").write_text("\n".join((f"FROM {self.image}", *lines, "")))

    def redefine(self, service: str, **more: Any) -> None:
        """Change the compose file and let the hub come up anew with it."""
        self.stack.services[service] |= more
        self.stack.write()
        self.hub.stop()
        self.hub.start().wait_ready()

    def life(self, service: str) -> tuple[str, str]:
        return self.witness.lives(self.stack.project)[self.stack.container(service)]

    def said(self) -> str:
        return self.witness.run(self.stack.project, "built", "cat /app/word")


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as made:
        yield made


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack,
    make_hub: MakeHub,
    free_port: Ports,
    image: str,
    witness: Witness,
    registry: Registry,
) -> Iterator[Scene]:
    stack = make_stack({})
    label = {"heal7.managed": "true"}
    built = serving("", free_port()) | {"build": {"context": "./app", "args": {"WHO": "me"}}}
    del built["image"]
    # Long enough for how far it is to be told several times.
    pulled = registry.put(f"slow-{stack.project}", "1", "one", padding=120_000)
    stack.services = {
        "built": built,
        "pulled": {"image": pulled, "labels": label, "init": True, "restart": "always"},
        "here": serving(image, free_port()),
    }
    stack.write()
    found = Scene(stack, make_hub(stack), witness, registry, image, [])
    found.app.mkdir()
    (found.app / "word").write_text("one")
    (found.app / "secret.txt").write_text("not for the image")
    (found.app / ".dockerignore").write_text("*.txt\n")
    found.dockerfile("ARG WHO", "ENV BUILT_BY=$WHO", "COPY . /app")
    found.hub.start().wait_ready()
    yield found
    found.hub.stop()
    witness.remove_containers(stack.project)
    label = f"{PROJECT}={stack.project}"
    witness.remove_images(label, f"{stack.project}-built", pulled, *found.superseded)


@pytest.fixture(scope="module")
def up(scene: Scene) -> Json:
    """The dry run and the results of the first start of everything, and its operation."""
    plan = scene.hub.client.plan("start-all")
    with scene.hub.client.events() as stream:
        results = scene.hub.client.done("start-all")
        events = stream.until(lambda e: e.kind == "operation" and e.data["status"] != "running")
    return {"plan": plan, "results": results, "events": events}


def test_a_dry_run_tells_what_would_be_built_and_pulled(scene: Scene, up: Json) -> None:
    steps = [(step["op"], step["service"], step["cause"]) for step in up["plan"]["plan"]]
    name = f"{scene.stack.project}-built"
    assert ("build_image", "built", f"the image {name} is not on this machine") in steps
    assert "pull_image" in [op for op, service, _ in steps if service == "pulled"]
    assert not [op for op, service, _ in steps if service == "here" and "image" in op]


def test_missing_images_are_built_and_pulled_and_everything_runs(scene: Scene, up: Json) -> None:
    assert {r["outcome"] for r in up["results"].values()} == {"started"}
    assert {s["health"] for s in scene.hub.client.services().values()} == {"healthy"}
    container = scene.witness.one(scene.stack.project, "built")
    assert "BUILT_BY=me" in container["Config"]["Env"]
    assert scene.said() == "one"
    listed = scene.witness.run(scene.stack.project, "built", "ls /app")
    assert listed.split() == ["Dockerfile", "word"]
    labels = scene.witness.api.images.get(f"{scene.stack.project}-built").labels
    assert labels["com.docker.compose.service"] == "built"


def test_what_is_under_way_is_told_live(up: Json) -> None:
    told = {
        (step["op"], step["progress"])
        for event in up["events"]
        if event.kind == "operation"
        for step in event.data["steps"]
        if step["progress"]
    }
    assert "pull_image" in {op for op, _ in told}, [event.data for event in up["events"]][-1]


def test_a_build_that_is_asked_for_changes_no_container_until_the_next_start(
    scene: Scene, up: Json
) -> None:
    before = scene.life("built")
    (scene.app / "word").write_text("two")
    results = scene.hub.client.done("services/built/build")
    assert results["built"]["outcome"] == "built"
    assert scene.life("built") == before
    plan = scene.hub.client.plan("start-all")
    assert {s["cause"] for s in plan["plan"] if s["op"] == "create"} == {"its image changed"}
    results = scene.hub.client.done("start-all")
    assert {n: r["outcome"] for n, r in results.items()} == {
        "built": "recreated",
        "pulled": "already_running",
        "here": "already_running",
    }
    assert scene.said() == "two"


def test_a_pull_that_is_asked_for_brings_the_newer_image(scene: Scene, up: Json) -> None:
    before = scene.life("pulled")
    scene.superseded.append(scene.witness.one(scene.stack.project, "pulled")["Image"])
    scene.registry.put(f"slow-{scene.stack.project}", "1", "two")
    assert scene.hub.client.done("services/pulled/pull")["pulled"]["outcome"] == "pulled"
    assert scene.life("pulled") == before
    assert scene.hub.client.done("start-all")["pulled"]["outcome"] == "recreated"


def test_a_failing_build_is_told_and_what_runs_goes_on(scene: Scene, up: Json) -> None:
    before = scene.life("built")
    scene.dockerfile("RUN echo the mill is broken && exit 7")
    body = scene.hub.client.verb("services/built/build")
    result = body["results"]["built"]
    assert (body["success"], result["outcome"]) == (False, "failed")
    assert ": RUN echo the mill is broken" in result["cause"]
    assert "code: 7" in result["cause"]
    assert result["detail"].splitlines()[-1] == "the mill is broken"
    # Also where the container would be replaced for it.
    scene.redefine("built", pull_policy="build", environment={"NEW": "1"})
    result = scene.hub.client.verb("start-all")["results"]["built"]
    assert result["outcome"] == "failed"
    assert result["detail"].splitlines()[-1] == "the mill is broken"
    assert scene.life("built") == before
    assert scene.hub.client.services()["built"]["health"] == "healthy"
    # Mended, it is replaced.
    scene.dockerfile("COPY . /app")
    assert scene.hub.client.done("start-all")["built"]["outcome"] == "recreated"
    assert "NEW=1" in scene.witness.one(scene.stack.project, "built")["Config"]["Env"]


def test_what_cannot_be_had_is_said_and_keeps_nothing_else_waiting(
    make_stack: MakeStack,
    make_hub: MakeHub,
    free_port: Ports,
    image: str,
    registry: Registry,
    witness: Witness,
) -> None:
    label = {"heal7.managed": "true"}

    def service(ref: str, **more: Any) -> Json:
        return {"image": f"{registry.address}/{ref}", "labels": label, **more}

    stack = make_stack(
        {
            "denied": service("denied:1"),
            "unknown": service("nobody:1"),
            "silent": service("silent:1"),
            "never": service("never:1", pull_policy="never"),
            "far": {"build": "../far", "labels": label},
            "fine": serving(image, free_port()),
        }
    )
    hub = make_hub(stack).start().wait_ready()
    begun = hub.client.post("/orchestration/start-all", wait="false").json()
    assert registry.waiting.wait(60)
    # While one registry keeps its engine waiting, the rest comes up and the hub answers.
    eventually(lambda: hub.client.services()["fine"]["health"] == "healthy")
    silent = hub.client.services()["silent"]
    assert silent["health"] == "starting"
    assert silent["operation"] == begun["id"]
    operation = hub.client.get(f"/orchestration/operations/{begun['id']}").json()
    assert operation["status"] == "running"
    hub.client.get("/livez")
    causes = eventually(lambda: _failed(hub, "denied", "unknown", "never", "far"))
    assert "denied" in causes["denied"]
    assert "manifest unknown" in causes["unknown"]
    assert "pull_policy is never" in causes["never"]
    assert f"{stack.compose_file}:" in causes["far"]
    assert "lies outside" in causes["far"]


def test_a_hub_that_is_killed_over_a_build_finishes_it_when_it_comes_back(
    make_stack: MakeStack, make_hub: MakeHub, image: str, witness: Witness
) -> None:
    inline = f"FROM {image}\nRUN echo sleeping {clock.new_id('x')} && sleep 3"
    service: Json = {
        "build": {"dockerfile_inline": inline},
        "command": [PYTHON, "-c", "input()"],
        "stdin_open": True,
        "labels": {"heal7.managed": "true"},
        "restart": "always",
    }
    stack = make_stack({"slow": service})
    hub = make_hub(stack).start().wait_ready()
    try:
        hub.client.post("/orchestration/start-all", wait="false")
        eventually(lambda: "sleeping" in hub.client.services()["slow"]["reason"])
        hub.kill9()
        hub.start().wait_ready()
        assert hub.client.services()["slow"]["health"] == "healthy"
        kinds = [operation["kind"] for operation in hub.client.operations()]
        assert kinds == ["converge", "start"]
    finally:
        hub.stop()
        witness.remove_containers(stack.project)
        witness.remove_images(f"{PROJECT}={stack.project}", f"{stack.project}-slow")


def _failed(hub: HubProcess, *names: str) -> dict[str, str] | None:
    """Why each of them failed, once all have."""
    services = hub.client.services()
    done = all(services[name]["health"] == "failed" for name in names)
    return {name: str(services[name]["reason"]) for name in names} if done else None
