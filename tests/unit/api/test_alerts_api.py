"""`/alerts` over HTTP: what is asked for arrives, in the reader's language, and no 5xx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controller.alerts.rules import Rules, with_terms
from controller.api import problems
from controller.api.alerts import AlertRoutes
from controller.api.events import tell_alert
from controller.api.schemas_alerts import AlertPage, AlertWhole, ChannelShape, SilenceShape
from controller.i18n import catalogue
from controller.model.alert import Rule
from controller.telemetry.bus import Bus
from tests.unit.alerts.receiver import Office, Receiver, opened, receiving
from tests.unit.alerts.watch import run_end

RULES = Rules(
    with_terms({rule: {"after_s": 0.0, "quiet_s": 0.0} for rule in Rule}), channels=("ops",)
)
HOSTILE = "<script>alert(1)</script>"


@dataclass
class Scene:
    office: Office
    client: httpx.AsyncClient


@pytest.fixture(autouse=True)
def sentences() -> None:
    catalogue()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
async def scene(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Scene]:
    async with opened(tmp_path, RULES, {"ops": receiver.address}) as office:
        app = FastAPI()
        problems.install(app)
        routes = AlertRoutes(office.desk, {"root", "other"}.__contains__)
        app.include_router(routes.router())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Scene(office, client)


async def test_an_alert_from_its_opening_to_its_end(scene: Scene) -> None:
    scene.office.senses.watch.down("root")
    await scene.office.settle()
    page = (await scene.client.get("/alerts?state=firing&service=root")).json()
    AlertPage.model_validate(page)
    (alert,) = page["alerts"]
    assert alert["title"] == "root is down"
    korean = await scene.client.get("/alerts", headers={"Accept-Language": "ko"})
    assert korean.json()["alerts"][0]["title"] == "root 서비스 중단"
    known = await scene.client.post(f"/alerts/{alert['id']}/ack", headers={"User-Agent": "curl/8"})
    assert known.json()["acked_by"] == "127.0.0.1 curl/8"
    assert (await scene.client.get("/alerts?state=firing")).json()["alerts"] == []
    scene.office.senses.watch.up("root")
    await scene.office.settle()
    whole = (await scene.client.get(f"/alerts/{alert['id']}")).json()
    AlertWhole.model_validate(whole)
    assert (whole["state"], whole["resolved_why"]) == ("resolved", "The service is well again.")
    assert {one["state"] for one in whole["deliveries"]} == {"sent"}
    again = await scene.client.post(f"/alerts/{alert['id']}/ack")
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")


async def test_a_silence_is_made_shown_and_taken_back(scene: Scene) -> None:
    body = {"duration": "8h", "service": "root", "rule": "service_down", "comment": HOSTILE}
    made = await scene.client.post("/alerts/silences", json=body)
    assert made.status_code == 201
    SilenceShape.model_validate(made.json())
    assert (await scene.client.get("/alerts/silences")).json() == [made.json()]
    scene.office.senses.watch.down("root")
    await scene.office.settle()
    (alert,) = (await scene.client.get("/alerts")).json()["alerts"]
    assert alert["silenced_until"] == made.json()["until"]
    where = f"/alerts/silences/{made.json()['id']}"
    assert (await scene.client.delete(where)).status_code == 204
    assert (await scene.client.delete(where)).status_code == 404
    assert (await scene.client.get("/alerts/silences")).json() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "duration"),
        ({"duration": "soon"}, "duration"),
        ({"duration": 0}, "duration"),
        ({"duration": "31d"}, "duration"),
        ({"duration": "1h", "rule": "nosuch"}, "rule"),
        ({"duration": "1h", "comment": "x" * 501}, "comment"),
        ({"duration": "1h", "extra": 1}, "extra"),
        ({"duration": True}, "duration"),
        ({"duration": [1]}, "duration"),
        ({"duration": {"a": 1}}, "duration"),
        ({"duration": "nan"}, "duration"),
        ({"duration": "1h", "comment": "\ud800"}, "comment"),
        ({"duration": "1h", "service": 7}, "service"),
        ([], "body"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused(scene: Scene, body: Any, said: str) -> None:
    answer = await scene.client.post(
        "/alerts/silences",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


async def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    for method, path in [
        ("GET", "/alerts/alt_none"),
        ("POST", "/alerts/alt_none/ack"),
        ("POST", "/alerts/channels/nosuch/test"),
        ("GET", "/alerts?service=nosuch"),
        ("DELETE", "/alerts/silences/%00%F0%9F%92%A9"),
        ("GET", f"/alerts/{HOSTILE.replace('/', '%2F')}"),
    ]:
        answer = await scene.client.request(method, path)
        assert (answer.status_code, path) == (404, path)
        assert answer.headers["content-type"] == "application/problem+json"
    unknown = await scene.client.post(
        "/alerts/silences", json={"duration": "1h", "service": "nosuch"}
    )
    assert unknown.status_code == 404
    assert (await scene.client.get("/alerts?state=nosuch")).status_code == 422
    assert (await scene.client.get("/alerts?cursor=nosuch")).json() == {"alerts": [], "next": None}


async def test_channels_tell_whether_messages_arrive_and_never_their_address(
    scene: Scene, receiver: Receiver
) -> None:
    (untried,) = (await scene.client.get("/alerts/channels")).json()
    ChannelShape.model_validate(untried)
    assert (untried["state"], untried["kind"]) == ("untried", "json://•••")
    assert (await scene.client.post("/alerts/channels/ops/test")).json()["state"] == "sent"
    receiver.status = 500
    failed = await scene.client.post("/alerts/channels/ops/test")
    assert failed.json()["state"] == "failed"
    told = await scene.client.get("/alerts/channels")
    assert told.json()[0]["state"] == "failing"
    assert "hunter2" not in told.text + failed.text


async def test_pages_follow_one_another(scene: Scene) -> None:
    for number in range(5):
        scene.office.desk.run_ended(run_end(f"run_{number}"))
        await scene.office.settle()
        (alert,) = scene.office.desk.open()
        await scene.office.desk.acknowledge(alert.id, "kim")
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await scene.client.get(f"/alerts?limit=2{cursor}")).json()
        seen += [alert["id"] for alert in page["alerts"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(set(seen)) == len(seen) == 5


async def test_every_change_is_an_event_in_the_listeners_language(scene: Scene) -> None:
    bus = Bus()
    listener = bus.subscribe()
    scene.office.senses.watch.down("root")
    await scene.office.settle()
    tell_alert(bus, scene.office.published[0], None)
    event = await listener.get()
    assert event is not None
    body = json.loads(event.render("ko"))
    assert (event.kind, body["title"], body["state"]) == ("alert", "root 서비스 중단", "firing")
