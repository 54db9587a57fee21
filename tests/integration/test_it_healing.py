"""Healing on the real engine: what dies or hangs comes back, and what a person ended stays down."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, after, serving
from tests.integration.it_wait import eventually

Json = dict[str, Any]
QUICK = {"heal7.probe.interval": "500ms", "heal7.probe.timeout": "500ms"}
BRISK = {**QUICK, "heal7.recovery.reset": "1s"}


@pytest.fixture(scope="module")
def home(make_stack: MakeStack, image: str, free_port: Ports) -> Stack:
    return make_stack(
        {
            "root": serving(image, free_port(), labels=BRISK),
            "leaf": serving(image, free_port(), labels=BRISK, depends_on=after("root")),
        }
    )


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, home: Stack) -> Iterator[HubProcess]:
    running = make_hub(home).start().wait_ready()
    running.client.done("start-all")
    yield running


def pid_of(witness: Witness, stack: Stack, service: str) -> int:
    return int(witness.one(stack.project, service)["State"]["Pid"])


def incidents(hub: HubProcess, **query: str) -> list[Json]:
    answer = hub.client._http.get("/incidents", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()
    return found


def ended(hub: HubProcess, service: str, count: int) -> Json:
    """The newest incident of the service, once it has `count` of them and none is open."""

    def over() -> bool:
        found = incidents(hub, service=service)
        return len(found) == count and all(i["closed_at"] for i in found)

    eventually(over, 30, f"{service} has {count} incidents, all closed")
    return incidents(hub, service=service)[0]


def healthy(hub: HubProcess, *services: str) -> bool:
    seen = hub.client.services()
    return all(seen[name]["health"] == "healthy" for name in services)


def test_a_killed_process_is_started_again_and_the_incident_says_why(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    eventually(lambda: healthy(hub, "root", "leaf"), 20, "all healthy")
    before = witness.lives(home.project)
    os.kill(pid_of(witness, home, "leaf"), signal.SIGKILL)
    incident = ended(hub, "leaf", 1)
    print(incident)
    assert incident["kind"] == "crash"
    assert incident["outcome"] == "recovered"
    assert incident["evidence"]["exit_code"] == 137
    assert incident["evidence"]["log_tail"][-1].startswith("ready")
    assert [(a["op"], a["outcome"]) for a in incident["actions"]] == [("start", "done")]
    now = witness.lives(home.project)
    assert now[home.container("root")] == before[home.container("root")]
    assert now[home.container("leaf")] != before[home.container("leaf")]
