"""A network whose declaration changes under containers that run on it, and on which others are."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any

import docker
import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Json, Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import IDLE, PYTHON, Stack, serving

# No two tests may have the same addresses: networks go when all tests of a session are over.
_third = itertools.count(1)


def _network() -> dict[str, Any]:
    return {"ipam": {"config": [{"subnet": f"10.213.{next(_third)}.0/24"}]}}


def _subnet(stack: Stack) -> str:
    subnet: str = stack.networks["default"]["ipam"]["config"][0]["subnet"]
    return subnet


@pytest.fixture
def scene(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str
) -> tuple[Stack, HubProcess]:
    web = serving(image, free_port(), depends_on=["db"])
    stack = make_stack({"web": web, "db": serving(image, free_port())})
    stack.networks = {"default": _network()}
    stack.write()
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    return stack, hub


@pytest.fixture
def guest(scene: tuple[Stack, HubProcess], image: str, witness: Witness) -> Iterator[Any]:
    """A container of somebody else's on the stack's network, as a proxy would be."""
    stack, _ = scene
    engine = docker.from_env()
    made = engine.containers.run(
        image, [PYTHON, "-c", IDLE], detach=True, name=f"{stack.project}-guest"
    )
    try:
        engine.networks.get(f"{stack.project}_default").connect(made, aliases=["proxy"])
        yield made
    finally:
        made.remove(force=True)
        engine.close()


def _again(stack: Stack, hub: HubProcess, network: dict[str, Any]) -> None:
    stack.networks = {"default": network}
    stack.write()
    hub.stop()
    hub.start().wait_ready()


def _at(witness: Witness, stack: Stack, service: str) -> str:
    attached: Json = witness.one(stack.project, service)["NetworkSettings"]["Networks"]
    return str(attached[f"{stack.project}_default"]["IPAddress"])


def test_all_that_is_on_a_changed_network_comes_up_on_the_new_one_and_guests_are_put_back(
    scene: tuple[Stack, HubProcess], guest: Any, witness: Witness
) -> None:
    stack, hub = scene
    before, old = witness.lives(stack.project), _subnet(stack)
    _again(stack, hub, _network())
    # Coming back, the hub leaves alone what runs.
    assert witness.lives(stack.project) == before
    steps = hub.client.plan("start-all")["plan"]
    told = next(s["cause"] for s in steps if s["op"] == "recreate_network")
    assert "subnet" in told
    assert old in told
    results = hub.client.done("start-all")
    assert {r["outcome"] for r in results.values()} == {"recreated"}
    assert {s["health"] for s in hub.client.services().values()} == {"healthy"}
    assert all(_on(stack, _at(witness, stack, name)) for name in ("web", "db"))
    guest.reload()
    end = guest.attrs["NetworkSettings"]["Networks"][f"{stack.project}_default"]
    assert _on(stack, end["IPAddress"])
    assert "proxy" in end["Aliases"]
    results = hub.client.done("start-all")
    assert {r["outcome"] for r in results.values()} == {"already_running"}


def _on(stack: Stack, address: str) -> bool:
    return ip_address(address) in ip_network(_subnet(stack))


def test_a_network_that_cannot_be_made_is_made_as_it_was_and_all_come_up(
    scene: tuple[Stack, HubProcess], guest: Any, witness: Witness
) -> None:
    stack, hub = scene
    before, old = _at(witness, stack, "db"), stack.networks["default"]
    with _taken() as network:
        _again(stack, hub, network)
        answer = hub.client.verb("start-all")
        assert not answer["success"]
        assert "overlaps" in answer["results"]["db"]["cause"]
        assert answer["results"]["web"]["outcome"] == "recreated"
        assert {s["health"] for s in hub.client.services().values()} == {"healthy"}
        stack.networks = {"default": old}
        assert ip_network(_subnet(stack)) == ip_network(f"{before}/24", strict=False)
        assert _on(stack, _at(witness, stack, "db"))
        guest.reload()
        end = guest.attrs["NetworkSettings"]["Networks"][f"{stack.project}_default"]
        assert _on(stack, end["IPAddress"])


@contextmanager
def _taken() -> Iterator[dict[str, Any]]:
    """A declaration of addresses that somebody has."""
    network, engine = _network(), docker.from_env()
    pools = [docker.types.IPAMPool(one["subnet"]) for one in network["ipam"]["config"]]
    ipam = docker.types.IPAMConfig(pool_configs=pools)
    made = engine.networks.create(f"heal7-it-taken-{os.getpid()}", ipam=ipam)
    try:
        yield network
    finally:
        made.remove()
        engine.close()


def test_one_service_alone_does_not_turn_its_neighbours_out(
    scene: tuple[Stack, HubProcess], witness: Witness
) -> None:
    stack, hub = scene
    before = witness.lives(stack.project)
    _again(stack, hub, _network())
    hub.client.done("services/web/start")
    assert witness.lives(stack.project) == before


def test_containers_that_were_stopped_meanwhile_follow_to_a_network_that_somebody_made_anew(
    scene: tuple[Stack, HubProcess], witness: Witness
) -> None:
    stack, hub = scene
    hub.client.done("stop-all")
    name = f"{stack.project}_default"
    engine = docker.from_env()
    labels = engine.networks.get(name).attrs["Labels"]
    engine.networks.get(name).remove()
    pools = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(_subnet(stack))])
    made = engine.networks.create(name, labels=labels, ipam=pools)
    engine.close()
    hub.client.done("start-all")
    attached: Json = witness.one(stack.project, "web")["NetworkSettings"]["Networks"]
    assert attached[name]["NetworkID"] == made.id
