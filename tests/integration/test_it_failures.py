"""Everything that can go wrong with a start, at once in one stack: each service says its own cause,
what depends on it is blocked, the rest runs, and once the cause is gone the next try succeeds.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import CRASHES, PYTHON, Stack, after, serving
from tests.integration.it_wait import eventually

Json = dict[str, Any]
FAILING = {
    "no-image",
    "port-of-container",
    "port-of-process",
    "crashes",
    "bad-command",
    "never-well",
    "name-taken",
}
_SANE_MS = 20_000


@dataclass(frozen=True, slots=True)
class Scene:
    """The stack with all that is in its way; `foreign` is the container whose name it wants."""

    stack: Stack
    hub: HubProcess
    ports: dict[str, int]
    gate: Path
    missing_image: str
    foreign: str
    obstacles: ExitStack


@pytest.fixture(scope="module")
def scene(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> Iterator[Scene]:
    names = [*sorted(FAILING), "fine", "needs-crashes", "needs-image", "needs-needs"]
    ports = {name: free_port() for name in names}
    stack = make_stack({})
    gate = stack.folder / "gate"
    gate.mkdir(mode=0o755)
    missing_image = f"heal7-it-not-here:{stack.project}"
    gated: Json = {"volumes": [f"{gate}:/gate:ro"], "environment": {"GATE": "/gate/open"}}

    def service(name: str, **more: Any) -> Json:
        # Seen, not healed: what is tried again would not stay as it failed.
        labels = {"heal7.recovery.policy": "none", **more.pop("labels", {})}
        return serving(more.pop("image", image), ports[name], labels=labels, **more)

    stack.services = {
        "no-image": service("no-image", image=missing_image),
        "port-of-container": service("port-of-container"),
        "port-of-process": service("port-of-process"),
        "crashes": service("crashes", program=CRASHES, init=False, **gated),
        "bad-command": service("bad-command", **gated) | {"command": ["/gate/run"], "init": False},
        "never-well": service("never-well", labels={"heal7.probe.startup": "2s"}, **gated),
        "name-taken": service("name-taken", container_name=f"{stack.project}-wanted"),
        "fine": service("fine"),
        "needs-crashes": service("needs-crashes", depends_on=after("crashes", "fine")),
        "needs-image": service("needs-image", depends_on=["no-image"]),
        "needs-needs": service("needs-needs", depends_on=after("needs-image")),
    }
    stack.write()
    with ExitStack() as obstacles:
        foreign = _foreign(obstacles, image, f"{stack.project}-wanted")
        _foreign(obstacles, image, None, port=ports["port-of-container"])
        listener = obstacles.enter_context(socket.socket())
        listener.bind(("127.0.0.1", ports["port-of-process"]))
        listener.listen()
        hub = make_hub(stack).start().wait_ready()
        yield Scene(stack, hub, ports, gate, missing_image, foreign, obstacles)


def _foreign(at_end: ExitStack, image: str, name: str | None, port: int | None = None) -> str:
    """Start a container that is no business of the hub's; its id."""
    container = DockerContainer(image, name=name).with_command([PYTHON, "-c", "input()"])
    container.with_kwargs(stdin_open=True)
    if port is not None:
        container.with_bind_ports(8000, port)
    container.start()
    at_end.callback(container.stop)
    return str(container.get_wrapped_container().id)


@pytest.fixture(scope="module")
def first(scene: Scene) -> Json:
    """The answer of the first start-all."""
    return scene.hub.client.verb("start-all")


def test_the_whole_answer_tells_who_failed_who_was_blocked_and_who_runs(first: Json) -> None:
    assert first["success"] is False
    outcomes = {name: r["outcome"] for name, r in first["results"].items()}
    assert outcomes == {
        **dict.fromkeys(FAILING, "failed"),
        "fine": "started",
        "needs-crashes": "blocked",
        "needs-image": "blocked",
        "needs-needs": "blocked",
    }


def test_a_missing_image_is_named(scene: Scene, first: Json) -> None:
    result = first["results"]["no-image"]
    assert scene.missing_image in result["cause"]
    assert result["duration_ms"] < _SANE_MS


@pytest.mark.parametrize("name", ["port-of-container", "port-of-process"])
def test_a_taken_port_is_named(scene: Scene, first: Json, name: str) -> None:
    result = first["results"][name]
    assert result["cause"] == f"Port {scene.ports[name]} is already in use by something else."
    assert result["duration_ms"] < _SANE_MS


def test_a_crash_tells_the_exit_code_and_the_last_words(first: Json) -> None:
    result = first["results"]["crashes"]
    assert "code 3" in result["cause"]
    assert "the ledger is locked" in result["cause"]
    assert result["detail"].splitlines() == ["opening the ledger", "the ledger is locked"]
    assert result["duration_ms"] < _SANE_MS


def test_a_command_that_cannot_run_is_named(first: Json) -> None:
    assert "command cannot be run" in first["results"]["bad-command"]["cause"]
    assert "/gate/run" in first["results"]["bad-command"]["cause"]


def test_a_service_that_never_gets_well_tells_its_last_answer(first: Json) -> None:
    cause = first["results"]["never-well"]["cause"]
    assert "within 2 s" in cause
    assert "HTTP 503" in cause


def test_a_taken_name_is_told_and_its_owner_left_alone(
    scene: Scene, first: Json, witness: Witness
) -> None:
    assert f"{scene.stack.project}-wanted" in first["results"]["name-taken"]["cause"]
    owner = witness.api.containers.get(scene.foreign)
    assert owner.status == "running"
    assert owner.name == f"{scene.stack.project}-wanted"


def test_the_blocked_name_their_dependency_and_were_never_started(
    scene: Scene, first: Json, witness: Witness
) -> None:
    results = first["results"]
    assert "crashes failed" in results["needs-crashes"]["cause"]
    assert "no-image failed" in results["needs-image"]["cause"]
    assert "needs-image failed" in results["needs-needs"]["cause"]
    for name in ("needs-crashes", "needs-image", "needs-needs"):
        assert witness.one(scene.stack.project, name)["State"]["Status"] == "created"


def test_the_status_keeps_saying_why(scene: Scene, first: Json) -> None:
    services = scene.hub.client.services()
    for name in FAILING - {"never-well"}:
        assert services[name]["health"] == "failed", name
        assert services[name]["desired"] == "running"
        # The sentence lives on without its last line; healing says what it does about it.
        assert first["results"][name]["cause"].split(" Last line")[0] in services[name]["reason"]
    assert services["never-well"]["health"] == "unhealthy"
    assert services["needs-crashes"]["health"] == "blocked"
    assert "crashes" in services["needs-crashes"]["reason"]


def test_once_the_causes_are_gone_the_next_start_succeeds(
    scene: Scene, first: Json, witness: Witness, image: str
) -> None:
    assert first["success"] is False
    fine = witness.one(scene.stack.project, "fine")["State"]["StartedAt"]
    scene.obstacles.close()
    witness.api.images.get(image).tag(scene.missing_image)
    try:
        run = scene.gate / "run"
        run.write_text(f"#!/bin/sh\nunset GATE\nexec {PYTHON} -m http.server 8000 -d /gate\n")
        run.chmod(0o755)
        (scene.gate / "health").write_text("well")
        (scene.gate / "open").touch()
        results = scene.hub.client.done("start-all")
        assert results["fine"]["outcome"] == "already_running"
        services = scene.hub.client.services()
        assert {s["health"] for s in services.values()} == {"healthy"}
        assert witness.one(scene.stack.project, "fine")["State"]["StartedAt"] == fine
        wanted = witness.one(scene.stack.project, "name-taken")
        assert wanted["Name"] == f"/{scene.stack.project}-wanted"
        eventually(lambda: scene.hub.client.idle())
    finally:
        scene.hub.stop()
        witness.remove_containers(scene.stack.project)
        witness.api.images.remove(scene.missing_image, noprune=True)
