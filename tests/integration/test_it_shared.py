"""Containers in another's namespaces or on its volumes, where somebody else makes that anew."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import IDLE, PYTHON, Service, Stack, serving
from tests.integration.it_wait import eventually


def _idle(image: str, **more: object) -> Service:
    labels = {"heal7.managed": "true"}
    return {"image": image, "command": [PYTHON, "-c", IDLE], "labels": labels, **more}


def _remade_by_compose(stack: Stack, service: str) -> None:
    """As a person does who knows nothing of the hub."""
    command = ["docker-compose", "-p", stack.project, "-f", str(stack.compose_file)]
    done = subprocess.run(
        [*command, "up", "-d", "--no-deps", "--force-recreate", "--renew-anon-volumes", service],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _all_well(hub: HubProcess) -> bool:
    return {s["health"] for s in hub.client.services().values()} == {"healthy"}


@pytest.mark.parametrize("key", ["network_mode", "ipc", "pid"])
def test_who_lives_in_the_namespace_of_a_container_that_is_gone_moves(
    make_stack: MakeStack,
    make_hub: MakeHub,
    free_port: Ports,
    image: str,
    witness: Witness,
    key: str,
) -> None:
    # An own network of the child's would be as good, but for one that has the parent's.
    shared = {key: "service:net", **({} if key == "network_mode" else {"networks": ["default"]})}
    lent = {"ipc": "shareable"} if key == "ipc" else {}
    stack = make_stack({"net": serving(image, free_port(), **lent), "app": _idle(image, **shared)})
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    setting = {"network_mode": "NetworkMode", "ipc": "IpcMode", "pid": "PidMode"}[key]
    before = witness.one(stack.project, "app")
    _remade_by_compose(stack, "net")

    def moved() -> bool:
        net, app = (witness.one(stack.project, name) for name in ("net", "app"))
        bound = app["HostConfig"][setting] == f"container:{net['Id']}"
        return bool(bound and app["State"]["Running"])

    eventually(moved, 30, "the hub makes the child anew")
    eventually(lambda: _all_well(hub), 30, "both are well")
    assert witness.one(stack.project, "app")["Id"] != before["Id"]
    eventually(lambda: hub.client.incidents(service="app")[0]["state"] == "closed")
    told = hub.client.incidents(service="app")[0]
    # A process dies with the pid namespace that it lives in, and is started anew.
    tries = [(e["op"], e["outcome"]) for e in told["actions"] if e["op"] in ("replace", "start")]
    assert tries == [("start" if key == "pid" else "replace", "done")], told


def test_a_hub_that_comes_back_sees_it_too(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    stack = make_stack(
        {"net": serving(image, free_port()), "app": _idle(image, network_mode="service:net")}
    )
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    hub.stop()
    _remade_by_compose(stack, "net")
    lost = witness.one(stack.project, "app")["HostConfig"]["NetworkMode"]
    assert lost != f"container:{witness.one(stack.project, 'net')['Id']}"
    hub.start().wait_ready()

    def moved() -> bool:
        bound: str = witness.one(stack.project, "app")["HostConfig"]["NetworkMode"]
        return bound == f"container:{witness.one(stack.project, 'net')['Id']}"

    eventually(moved, 30, "the hub makes the child anew")
    eventually(lambda: _all_well(hub), 30, "both are well")


def test_who_borrows_volumes_gets_those_of_the_new_container(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    stack = make_stack(
        {
            "db": serving(image, free_port(), volumes=["/data"]),
            "backup": _idle(image, volumes_from=["db:ro"], volumes=["/own"]),
        }
    )
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")

    def volumes(service: str) -> dict[str, str]:
        mounts = witness.one(stack.project, service)["Mounts"]
        return {mount["Destination"]: mount["Name"] for mount in mounts}

    before = volumes("backup")
    assert before["/data"] == volumes("db")["/data"]
    _remade_by_compose(stack, "db")
    assert volumes("db")["/data"] != before["/data"]
    eventually(
        lambda: volumes("backup")["/data"] == volumes("db")["/data"], 30, "it mounts the new one"
    )
    assert volumes("backup")["/own"] == before["/own"], "its own data moves along"
    eventually(lambda: _all_well(hub), 30, "both are well")
