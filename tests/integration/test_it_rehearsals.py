"""Rehearsals on the real engine: each fault is injected, healed, measured and undone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, after, serving
from tests.integration.it_wait import eventually

Json = dict[str, Any]
LABELS = {
    "heal7.probe.interval": "300ms",
    "heal7.probe.timeout": "300ms",
    "heal7.recovery.reset": "1s",
}


@pytest.fixture(scope="module")
def home(make_stack: MakeStack, image: str, free_port: Ports) -> Stack:
    return make_stack(
        {
            "root": serving(image, free_port(), labels=LABELS),
            "leaf": serving(image, free_port(), labels=LABELS, depends_on=after("root")),
        }
    )


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, home: Stack) -> HubProcess:
    running = make_hub(home).start().wait_ready()
    running.client.done("start-all")
    return running


def rehearse(hub: HubProcess, service: str, fault: str, **more: bool) -> Json:
    """The rehearsal's end."""
    path = f"/orchestration/services/{service}/rehearse"
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")
    answer = hub.client.send(path, {"fault": fault, **more})
    assert answer.status_code == 202, answer.text
    where = answer.headers["Location"]

    def over() -> Json | None:
        view: Json = hub.client.get(where).json()
        return view if view["ended_at"] else None

    return eventually(over, 90, f"the rehearsal of {fault} ends")


@pytest.mark.parametrize(
    ("fault", "kind", "outcome"),
    [
        ("crash", "crash", "recovered"),
        ("hang", "hang", "recovered"),
        ("slow", "hang", "recovered"),
        ("stop", "stopped_outside", "operator"),
    ],
)
def test_each_fault_is_noticed_healed_and_reported(
    hub: HubProcess, home: Stack, witness: Witness, fault: str, kind: str, outcome: str
) -> None:
    report = rehearse(hub, "root", fault)
    assert report["stage"] == "passed", report
    assert 0 <= report["detected_ms"] <= report["healed_ms"]
    incident = hub.client.get(f"/incidents/{report['incident']}").json()
    assert (incident["kind"], incident["outcome"]) == (kind, outcome)
    assert incident["rehearsal"] == report["id"]
    assert witness.helpers(home.project) == []
    services = hub.client.services()
    eventually(
        lambda: all(s["health"] == "healthy" for s in hub.client.services().values()), 20, services
    )


def test_a_sick_or_paused_stack_is_not_made_worse(hub: HubProcess) -> None:
    path = "/orchestration/services/leaf/rehearse"
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")
    hub.client.post("/orchestration/pause")
    refused = hub.client.send(path, {"fault": "crash"})
    hub.client.post("/orchestration/resume")
    assert refused.status_code == 409
    assert "paused" in refused.json()["detail"]
    assert "force" in refused.json()["remedy"]


def test_only_one_at_a_time(hub: HubProcess) -> None:
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")
    first = hub.client.send("/orchestration/services/root/rehearse", {"fault": "hang"}).json()
    second = hub.client.send("/orchestration/services/leaf/rehearse", {"fault": "crash"})
    assert second.status_code == 409
    assert first["id"] in second.json()["remedy"]
    eventually(lambda: hub.client.get(f"/rehearsals/{first['id']}").json()["ended_at"], 60, "over")


def test_a_hub_killed_in_a_rehearsed_stop_does_not_leave_the_service_down(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")
    begun = hub.client.send("/orchestration/services/leaf/rehearse", {"fault": "stop"}).json()

    def down() -> bool:
        return str(witness.one(home.project, "leaf")["State"]["Status"]) == "exited"

    eventually(down, 20, "the rehearsal stopped it")
    hub.kill9()
    hub.start().wait_ready()
    ended = hub.client.get(f"/rehearsals/{begun['id']}").json()
    assert ended["stage"] == "aborted"
    eventually(lambda: not down(), 20, "it is started again")
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")
    assert hub.client.services()["leaf"]["health"] == "healthy"
