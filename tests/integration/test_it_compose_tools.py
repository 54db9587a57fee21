"""The hub beside docker-compose 1.29: either takes up what the other made."""

from __future__ import annotations

import subprocess

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_stack import Stack, serving
from tests.integration.it_wait import eventually


def _compose(stack: Stack, *words: str) -> str:
    """Run docker-compose on the stack's project; what it printed."""
    done = subprocess.run(
        ["docker-compose", "-p", stack.project, "-f", str(stack.compose_file), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pair(make_stack: MakeStack, free_port: Ports, image: str) -> Stack:
    db = serving(image, free_port(), volumes=["data:/var/db"])
    web = serving(image, free_port(), depends_on=["db"])
    return make_stack({"db": db, "web": web}, volumes={"data": {}})


def test_a_stack_that_compose_started_is_adopted_untouched(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    stack = _pair(make_stack, free_port, image)
    _compose(stack, "up", "-d")
    before = witness.lives(stack.project)
    assert len(before) == 2
    hub = make_hub(stack).start().wait_ready()
    healthy = {("running", "running", "healthy")}
    eventually(
        lambda: (
            {(s["desired"], s["state"], s["health"]) for s in hub.client.services().values()}
            == healthy
        )
    )
    assert witness.lives(stack.project) == before
    assert hub.client.operations() == []
    hub.client.done("stop-all")
    assert {raw["State"]["Status"] for raw in witness.inspected(stack.project)} == {"exited"}
    # From here on they are the hub's: one start makes them as it would have, each still once.
    hub.client.done("start-all")
    assert set(witness.lives(stack.project)) == {stack.container("db"), stack.container("web")}


def test_compose_lists_tails_and_takes_down_what_the_hub_made(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    stack = _pair(make_stack, free_port, image)
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    listed = _compose(stack, "ps")
    for name in stack.services:
        assert stack.container(name) in listed
    assert listed.count(" Up ") == 2
    assert "ready" in _compose(stack, "logs", "--no-color", "db")
    assert "python" in _compose(stack, "top", "web")
    _compose(stack, "down")
    picture = witness.picture(stack.project)
    assert picture["containers"] == []
    assert picture["networks"] == []
    assert picture["volumes"] == [f"{stack.project}_data"], "data outlives down"
    eventually(
        lambda: {s["state"] for s in hub.client.services().values()} == {"missing"},
    )
    # And the hub makes it all anew, the network too.
    hub.client.done("start-all")
