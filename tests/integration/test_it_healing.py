"""Healing on the real engine: what dies or hangs comes back, and what a person ended stays down."""

from __future__ import annotations

import os
import signal
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
    """A root, what needs it, and one that has no init: its main process can be frozen."""
    return make_stack(
        {
            "root": serving(image, free_port(), labels=BRISK),
            "leaf": serving(image, free_port(), labels=BRISK, depends_on=after("root")),
            "bare": serving(image, free_port(), labels=BRISK, init=False),
        }
    )


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, home: Stack) -> HubProcess:
    running = make_hub(home).start().wait_ready()
    running.client.done("start-all")
    return running


@pytest.fixture(autouse=True)
def all_well(hub: HubProcess) -> None:
    """Each test begins with a stack that is well, whatever the one before did."""
    hub.client.post("/orchestration/resume")
    hub.client.done("start-all")
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")


def pid_of(witness: Witness, stack: Stack, service: str) -> int:
    return int(witness.one(stack.project, service)["State"]["Pid"])


def the_open(hub: HubProcess, service: str) -> Json:
    """The service's open incident, once there is one."""
    return eventually(
        lambda: next(iter(hub.client.incidents(service=service, state="open")), None),
        20,
        f"{service} has an open incident",
    )


def the_end(hub: HubProcess, service: str, before: list[Json]) -> Json:
    """The one incident that was opened and closed since `before`."""
    known = {incident["id"] for incident in before}

    def over() -> Json | None:
        found = [i for i in hub.client.incidents(service=service) if i["id"] not in known]
        assert len(found) < 2, found
        return found[0] if found and found[0]["closed_at"] else None

    return eventually(over, 30, f"{service} has one more incident, and it is closed")


def acts(incident: Json) -> list[tuple[str, str]]:
    return [(act["op"], act["outcome"]) for act in incident["actions"]]


def test_a_killed_process_is_started_again_and_the_incident_says_why(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before, lives = hub.client.incidents(), witness.lives(home.project)
    os.kill(pid_of(witness, home, "leaf"), signal.SIGKILL)
    incident = the_end(hub, "leaf", before)
    assert incident["kind"] == "crash"
    assert incident["outcome"] == "recovered"
    assert incident["evidence"]["exit_code"] == 137
    assert incident["evidence"]["log_tail"][-1].startswith("ready")
    assert acts(incident) == [("start", "done")]
    assert incident["actions"][0]["operation"].startswith("op_")
    now = witness.lives(home.project)
    assert now.pop(home.container("leaf")) != lives.pop(home.container("leaf"))
    assert now == lives
    assert hub.client.services()["leaf"]["restarts"] >= 1


def test_docker_kill_is_a_fault_like_any_other(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before = hub.client.incidents()
    witness.container(home.project, "root").kill()
    assert the_end(hub, "root", before)["outcome"] == "recovered"


def test_a_frozen_process_is_killed_after_a_short_grace_and_started_again(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before, lives = hub.client.incidents(), witness.lives(home.project)
    os.kill(pid_of(witness, home, "bare"), signal.SIGSTOP)
    incident = the_end(hub, "bare", before)
    assert incident["kind"] == "hang"
    assert incident["outcome"] == "recovered"
    assert acts(incident) == [("restart", "done")]
    assert not incident["evidence"]["last_probes"][-1]["ok"]
    assert witness.lives(home.project)[home.container("bare")] != lives[home.container("bare")]


def test_what_a_person_stops_beside_the_hub_stays_down_and_is_told(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before = hub.client.incidents()
    witness.container(home.project, "leaf").stop()
    incident = the_open(hub, "leaf")
    assert incident["kind"] == "stopped_outside"
    assert acts(incident) == [("hold", "")]
    assert hub.client.services()["leaf"]["health"] == "held"
    stopped = witness.lives(home.project)
    # Whatever looks again does not change its mind.
    os.kill(pid_of(witness, home, "bare"), signal.SIGKILL)
    assert the_end(hub, "bare", before)["outcome"] == "recovered"
    leaf = home.container("leaf")
    assert witness.lives(home.project)[leaf] == stopped[leaf]
    assert hub.client.services()["leaf"]["health"] == "held"
    witness.container(home.project, "leaf").start()
    assert the_end(hub, "leaf", before)["outcome"] == "external"


def test_what_a_person_removes_beside_the_hub_is_made_anew_only_when_asked_for(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before = hub.client.incidents()
    witness.container(home.project, "leaf").remove(force=True)
    eventually(lambda: hub.client.services()["leaf"]["health"] == "held")
    incident = the_open(hub, "leaf")
    assert incident["kind"] == "stopped_outside"
    assert acts(incident)[-1] == ("hold", "")
    assert home.container("leaf") not in witness.lives(home.project)
    hub.client.done("services/leaf/start")
    assert the_end(hub, "leaf", before)["outcome"] == "operator"


def test_a_pause_beside_the_hub_is_held_until_it_ends(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before, lives = hub.client.incidents(), witness.lives(home.project)
    witness.container(home.project, "leaf").pause()
    assert the_open(hub, "leaf")["kind"] == "stopped_outside"
    witness.container(home.project, "leaf").unpause()
    assert the_end(hub, "leaf", before)["outcome"] == "external"
    assert witness.lives(home.project) == lives


def test_while_paused_the_hub_watches_and_tells_and_does_not_touch(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before = hub.client.incidents()
    assert hub.client.post("/orchestration/pause").json()["paused"] is True
    assert hub.client.get("/health").json()["paused"] is True
    os.kill(pid_of(witness, home, "leaf"), signal.SIGKILL)
    incident = the_open(hub, "leaf")
    eventually(lambda: acts(the_open(hub, "leaf")) == [("hold", "")], 10, "it says that it holds")
    assert incident["kind"] == "crash"
    assert witness.one(home.project, "leaf")["State"]["Status"] == "exited"
    hub.client.post("/orchestration/resume")
    ended = the_end(hub, "leaf", before)
    assert acts(ended) == [("hold", ""), ("start", "done")]
    assert len(ended["suppressed_alerts"]) == 1


def test_a_hub_that_was_killed_in_between_goes_on_where_it_was(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before = hub.client.incidents()
    os.kill(pid_of(witness, home, "bare"), signal.SIGSTOP)
    eventually(lambda: hub.client.services()["bare"]["incident"], 20, "the hang is noticed")
    hub.kill9()
    hub.start().wait_ready()
    incident = the_end(hub, "bare", before)
    assert incident["outcome"] == "recovered"
    assert incident["restarts"] == 1


def test_what_died_while_the_hub_was_away_is_started_and_the_incident_says_so(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    before = hub.client.incidents()
    hub.kill9()
    witness.container(home.project, "bare").stop()
    os.kill(pid_of(witness, home, "leaf"), signal.SIGKILL)
    eventually(
        lambda: witness.one(home.project, "leaf")["State"]["Status"] == "exited", 10, "leaf died"
    )
    hub.start().wait_ready()
    incident = the_end(hub, "leaf", before)
    assert "the hub had been away" in incident["cause"]
    assert acts(incident) == [("start", "done")]
    assert the_open(hub, "bare")["kind"] == "stopped_outside"
    assert witness.one(home.project, "bare")["State"]["Status"] == "exited"
