"""Alerts on the real engine: one cause is one alert, told once to a real receiver, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import CRASHES, Stack, after, serving
from tests.integration.it_wait import eventually, pause
from tests.unit.alerts.receiver import Receiver, receiving

Json = dict[str, Any]
QUICK = {"heal7.probe.interval": "500ms", "heal7.probe.timeout": "500ms"}
STUBBORN = {**QUICK, "heal7.recovery.max_restarts": "2", "heal7.recovery.backoff": "500ms"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """While this file is there, the root can start."""
    folder = tmp_path / "gate"
    folder.mkdir(mode=0o755)
    file = folder / "open"
    file.touch()
    return file


@pytest.fixture
def home(
    make_stack: MakeStack, image: str, free_port: Ports, gate: Path, receiver: Receiver
) -> Stack:
    gated: Json = {"volumes": [f"{gate.parent}:/gate:ro"], "environment": {"GATE": "/gate/open"}}
    return make_stack(
        {
            "root": serving(image, free_port(), program=CRASHES, labels=STUBBORN, **gated),
            "leaf": serving(image, free_port(), labels=QUICK, depends_on=after("root")),
        },
        alerts={
            "channels": {"ops": receiver.address},
            "rules": {
                "service_down": {"quiet": "1s"},
                "unhealthy": {"quiet": "1s"},
                "gave_up": {"quiet": "1s"},
            },
        },
    )


def test_a_dependency_that_healing_gives_up_on(
    make_hub: MakeHub, home: Stack, witness: Witness, gate: Path, receiver: Receiver
) -> None:
    hub = make_hub(home).start().wait_ready()
    hub.client.done("start-all")
    hub.client.done("restart-all")
    assert alerts(hub) == []

    gate.unlink()
    for service in ("root", "leaf"):
        os.kill(int(witness.one(home.project, service)["State"]["Pid"]), signal.SIGKILL)
    told = eventually(lambda: receiver.got, 40, "somebody is told")
    assert [one["title"] for one in told] == ["[CRITICAL] root: healing has given up"]
    assert "Also ill because of it: leaf" in told[0]["message"]
    (alert,) = alerts(hub)
    assert (alert["rule"], alert["service"], alert["folded"]) == ("gave_up", "root", ["leaf"])
    assert alert["state"] == "firing"

    # A hub that is killed and comes back knows that it was told, once that is noted.
    where = f"/alerts/{alert['id']}"
    noted = [{"news": "opened", "state": "sent"}]
    eventually(lambda: deliveries(hub, where) == noted, 10, "that it arrived is noted")
    hub.kill9()
    hub.start().wait_ready()
    pause(3)
    assert [one["id"] for one in alerts(hub)] == [alert["id"]]
    assert len(receiver.got) == 1

    gate.touch()
    hub.client.done("services/root/start")
    eventually(lambda: len(receiver.got) == 2, 20, "its end is told")
    assert receiver.titles[1] == "[RESOLVED] root: healing has given up"
    eventually(lambda: hub.client.services()["leaf"]["health"] == "healthy", 20, "leaf is well")
    whole = hub.client.get(where).json()
    assert (whole["state"], whole["resolved_why"]) == ("resolved", "The service is well again.")
    both = [{"news": "resolved", "state": "sent"}, *noted]
    eventually(lambda: deliveries(hub, where) == both, 10, "that its end arrived is noted")
    assert len(alerts(hub)) == 1
    assert f'id="{alert["id"]}"' in hub.client.get("/dashboard/alerts").text
    assert "hunter2secret" not in hub.client.get("/alerts/channels").text + hub.log.read_text()


def test_what_a_person_does_is_no_alert(
    make_hub: MakeHub, make_stack: MakeStack, image: str, free_port: Ports, witness: Witness
) -> None:
    """With rules far more nervous than anybody would have them."""
    nervous = {"after": "2s", "quiet": "1s"}
    flapping = {"count": 1, "window": "10m"}
    home = make_stack(
        {
            "root": serving(image, free_port(), labels=QUICK),
            "leaf": serving(image, free_port(), labels=QUICK, depends_on=after("root")),
        },
        alerts={"rules": {"service_down": nervous, "unhealthy": nervous, "flapping": flapping}},
    )
    hub = make_hub(home).start().wait_ready()
    hub.client.done("start-all")
    hub.client.done("restart-all")
    rehearsed = hub.client.send("/orchestration/services/root/rehearse", {"fault": "crash"}).json()
    where = f"/rehearsals/{rehearsed['id']}"
    eventually(lambda: hub.client.get(where).json()["ended_at"], 60, "it was rehearsed")
    witness.container(home.project, "root").stop()
    eventually(lambda: hub.client.services()["root"]["health"] == "held", 20, "it is held")
    pause(3)
    assert alerts(hub) == []


def deliveries(hub: HubProcess, where: str) -> list[Json]:
    """Newest first: what was told, and whether it arrived."""
    found = hub.client.get(where).json()["deliveries"]
    return [{name: one[name] for name in ("news", "state")} for one in found]


def alerts(hub: HubProcess) -> list[Json]:
    """All there ever were."""
    answer = hub.client.get("/alerts")
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["alerts"]
    return found
