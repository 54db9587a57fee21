"""compose/compose.yaml made by the hub and by docker-compose 1.29: the engine must see the same.

The file is the product's own, with another project and other ports.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import SERVICE, Witness
from tests.integration.it_hub import ROOT, Json
from tests.integration.it_stack import Stack

NAMES = list(yaml.safe_load((ROOT / "compose/compose.yaml").read_text())["services"])
_OWN_LABELS = ("com.docker.compose.", "heal7.build", "heal7.base")
_SAME_IN_HOST_CONFIG = (
    "CapAdd",
    "CapDrop",
    "SecurityOpt",
    "ReadonlyRootfs",
    "Init",
    "Memory",
    "MemoryReservation",
    "NanoCpus",
    "PortBindings",
    "Privileged",
    "Ulimits",
    "ExtraHosts",
    "GroupAdd",
)
_SAME_IN_CONFIG = (
    "User",
    "Image",
    "WorkingDir",
    "ExposedPorts",
    "StopSignal",
    "Tty",
    "OpenStdin",
    "Healthcheck",
    "Domainname",
)

Pair = tuple[dict[str, Json], dict[str, Json]]


def _variant(stack: Stack, free_port: Ports) -> None:
    model: dict[str, Any] = yaml.safe_load((ROOT / "compose/compose.yaml").read_text())
    for service in model["services"].values():
        service.pop("build")
        target = service["ports"][0].rsplit(":", 1)[1]
        service["ports"] = [f"127.0.0.1:{free_port()}:{target}"]
    stack.services, stack.volumes = model["services"], model["volumes"]
    stack.write()


@pytest.fixture(scope="module")
def made(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, witness: Witness
) -> Iterator[Pair]:
    """By service: the hub's containers (which run well) and docker-compose's (created only)."""
    ours, theirs = make_stack({}), make_stack({})
    _variant(ours, free_port)
    theirs.services, theirs.volumes = ours.services, ours.volumes
    theirs.write()
    hub = make_hub(ours).start().wait_ready()
    hub.client.done("start-all")
    services = hub.client.services()
    assert {s["health"] for s in services.values()} == {"healthy"}
    subprocess.run(
        ["docker-compose", "-p", theirs.project, "-f", theirs.compose_file, "up", "--no-start"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    yield _by_service(witness, ours), _by_service(witness, theirs)
    hub.stop()


def _by_service(witness: Witness, stack: Stack) -> dict[str, Json]:
    """The stack's containers, with the project's name taken out of every value."""
    found = {}
    for raw in witness.inspected(stack.project):
        text = yaml.safe_dump(raw).replace(stack.project, "PROJECT")
        plain: Json = yaml.safe_load(text)
        found[plain["Config"]["Labels"][SERVICE]] = plain
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_sees_the_same_container(made: Pair, name: str) -> None:
    ours, theirs = made[0][name], made[1][name]
    for key in _SAME_IN_CONFIG:
        assert ours["Config"].get(key) == theirs["Config"].get(key), key
    for key in _SAME_IN_HOST_CONFIG:
        assert (ours["HostConfig"].get(key) or None) == (theirs["HostConfig"].get(key) or None), key
    for part in (_process, _environment, _labels, _mounts, _tmpfs, _networks):
        assert part(ours) == part(theirs), part.__name__


def _process(raw: Json) -> Json:
    return {key: raw[key] for key in ("Path", "Args")}


def _environment(raw: Json) -> list[str]:
    return sorted(raw["Config"]["Env"])


def _labels(raw: Json) -> dict[str, str]:
    labels: dict[str, str] = raw["Config"]["Labels"]
    return {k: v for k, v in labels.items() if not k.startswith(_OWN_LABELS)}


def _mounts(raw: Json) -> list[tuple[object, ...]]:
    keys = ("Type", "Name", "Destination", "RW")
    return sorted(tuple(mount.get(key) for key in keys) for mount in raw["Mounts"])


def _tmpfs(raw: Json) -> Json:
    return raw["HostConfig"].get("Tmpfs") or {}


def _networks(raw: Json) -> dict[str, set[str]]:
    """Names by which others find it, its own id (which every tool adds) left out."""
    own = raw["Id"][:12]
    return {
        name: {alias for alias in place["Aliases"] or () if alias != own}
        for name, place in raw["NetworkSettings"]["Networks"].items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_labels_by_which_compose_tools_know_it_are_set(made: Pair, name: str) -> None:
    ours, theirs = made[0][name]["Config"]["Labels"], made[1][name]["Config"]["Labels"]
    prefix = "com.docker.compose."
    for key in ("project", "service", "container-number", "oneoff"):
        assert ours[prefix + key] == theirs[prefix + key], key
    assert ours[prefix + "project.config_files"].endswith("/compose.yaml")
    assert ours[prefix + "image"] == made[0][name]["Image"]
    assert len(ours[prefix + "config-hash"]) == 64


@pytest.mark.parametrize("name", NAMES)
def test_the_hub_is_the_one_that_restarts(made: Pair, name: str) -> None:
    assert made[0][name]["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
    assert made[1][name]["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
