"""Incidents, pause and rehearsals over HTTP: what is asked for arrives, no input makes it fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from healing_builders import CLOSED, NOW, OPEN, REHEARSAL

from controller.api import hub as hub_routes
from controller.api import problems, render_healing
from controller.api.healing import Healing
from controller.api.orchestration import Orchestration
from controller.api.schemas import Incident as IncidentShape
from controller.api.schemas import Paused, ServiceDetail, Status
from controller.api.schemas import Rehearsal as RehearsalShape
from controller.bootstrap.hub import Hub
from controller.config.load import load
from controller.errors import (
    ConflictError,
    EngineUnreachableError,
    NotFoundError,
    StoreError,
    UnknownServiceError,
)
from controller.i18n import catalogue
from controller.model.incident import Incident
from controller.model.recovery import Pause
from controller.model.rehearsal import Fault, Rehearsal
from controller.telemetry.metrics import Figures

ROOT = Path(__file__).parents[3]
CONFIG = load(ROOT / "config.yaml", {})
FIRST = CONFIG.stack.managed[0]
AGENT = {"User-Agent": "curl/8 more"}
BY = "127.0.0.1 curl/8"


def known(name: str) -> None:
    if name not in ("web", "db"):
        raise UnknownServiceError(f"There is no managed service {name!r}.", remedy="web, db")


@dataclass
class FakeHealing:
    """Answers from a list; keeps what it was asked."""

    kept: list[Incident] = field(default_factory=lambda: [OPEN, CLOSED])
    paused: Pause | None = None
    asked: list[Any] = field(default_factory=list)
    broken: bool = False

    async def pause(self, by: str) -> Pause:
        self._check()
        self.paused = Pause(NOW, by)
        return self.paused

    async def resume(self, by: str) -> None:
        self._check()
        self.asked.append(by)
        self.paused = None

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        self._check()
        self.asked.append((service, is_open, limit))
        return self.kept

    async def incident(self, incident_id: str) -> Incident:
        for incident in self.kept:
            if incident.id == incident_id:
                return incident
        raise NotFoundError(f"There is no incident {incident_id}.")

    def _check(self) -> None:
        if self.broken:
            raise StoreError("disk full", remedy="Free some space.")


@dataclass
class FakeRehearsals:
    asked: list[Any] = field(default_factory=list)
    sick: bool = False

    async def begin(self, service: str, fault: Fault, by: str, force: bool) -> Rehearsal:
        known(service)
        if self.sick and not force:
            raise ConflictError("web is unhealthy already.", remedy="Use force.")
        self.asked.append((service, fault, by, force))
        return replace(REHEARSAL, id="reh_2", service=service, fault=fault)

    async def get(self, rehearsal_id: str) -> Rehearsal:
        if rehearsal_id != REHEARSAL.id:
            raise NotFoundError(f"There is no rehearsal {rehearsal_id}.")
        return REHEARSAL

    def recent(self) -> Sequence[Rehearsal]:
        return [REHEARSAL]


@pytest.fixture(autouse=True)
def sentences() -> None:
    """The hub reads them before it listens; nobody may do so on the event loop."""
    catalogue()


@pytest.fixture
def healing() -> FakeHealing:
    return FakeHealing()


@pytest.fixture
def rehearsals() -> FakeRehearsals:
    return FakeRehearsals()


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def client(
    healing: FakeHealing, rehearsals: FakeRehearsals
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(Healing(known, healing, rehearsals).router())
    async with opened(app) as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["title"]
    assert body["detail"]
    return body


# -- incidents


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", (None, None, 50)),
        ("?service=web", ("web", None, 50)),
        ("?state=open", (None, True, 50)),
        ("?state=closed&limit=500", (None, False, 500)),
        ("?service=db&state=closed&limit=1", ("db", False, 1)),
    ],
)
async def test_the_list_is_filtered(
    client: httpx.AsyncClient, healing: FakeHealing, query: str, asked: Any
) -> None:
    answer = await client.get(f"/incidents{query}")
    assert answer.status_code == 200
    assert [i["id"] for i in answer.json()] == ["inc_open", "inc_closed"]
    assert healing.asked == [asked]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_incidents_are_told_in_the_callers_language(
    client: httpx.AsyncClient, language: str
) -> None:
    headers = {"Accept-Language": language}
    listed = (await client.get("/incidents", headers=headers)).json()
    assert listed == [render_healing.incident(i, language) for i in (OPEN, CLOSED)]
    one = (await client.get("/incidents/inc_closed", headers=headers)).json()
    assert one == listed[1]
    assert IncidentShape.model_validate(one, strict=True).model_dump() == one


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "state=ended", "state="])
async def test_wrong_filters(client: httpx.AsyncClient, query: str) -> None:
    assert problem(await client.get(f"/incidents?{query}"), 422)["faults"]


@pytest.mark.parametrize("name", ["nope", "", "%00", "가", "a" * 5000])
async def test_incidents_of_an_unknown_service(client: httpx.AsyncClient, name: str) -> None:
    body = problem(await client.get(f"/incidents?service={name}"), 404)
    assert body["type"] == "urn:heal7:problem:unknown-service"


@pytest.mark.parametrize("path", ["/incidents", "/rehearsals"])
@pytest.mark.parametrize("name", ["nope", "%00", "%ff", "a" * 5000])
async def test_there_is_no_such_one(client: httpx.AsyncClient, path: str, name: str) -> None:
    problem(await client.get(f"{path}/{name}"), 404)


# -- pause and resume


async def test_pause_and_resume_say_since_when_and_who(
    client: httpx.AsyncClient, healing: FakeHealing
) -> None:
    paused = await client.post("/orchestration/pause", headers=AGENT)
    assert (paused.status_code, paused.json()) == (
        200,
        {"paused": True, "since": "2026-03-01T12:00:00.000Z", "by": BY},
    )
    resumed = await client.post("/orchestration/resume", headers=AGENT)
    assert resumed.json() == {"paused": False, "since": None, "by": None}
    assert healing.asked == [BY]
    for answer in (paused, resumed):
        Paused.model_validate(answer.json(), strict=True)


async def test_what_cannot_be_stored_says_when_to_come_back(
    client: httpx.AsyncClient, healing: FakeHealing
) -> None:
    healing.broken = True
    for answer in (
        await client.post("/orchestration/pause"),
        await client.post("/orchestration/resume"),
        await client.get("/incidents"),
    ):
        assert problem(answer, 503)["remedy"] == "Free some space."
        assert answer.headers["retry-after"]
    assert healing.paused is None


# -- rehearsals


@pytest.mark.parametrize("fault", Fault)
async def test_a_rehearsal_begins(
    client: httpx.AsyncClient, rehearsals: FakeRehearsals, fault: Fault
) -> None:
    path = "/orchestration/services/web/rehearse"
    answer = await client.post(path, json={"fault": fault}, headers=AGENT)
    assert answer.status_code == 202
    assert answer.headers["location"] == "/rehearsals/reh_2"
    assert (answer.json()["service"], answer.json()["fault"]) == ("web", fault)
    assert rehearsals.asked == [("web", fault, BY, False)]


async def test_a_sick_stack_is_rehearsed_only_by_force(
    client: httpx.AsyncClient, rehearsals: FakeRehearsals
) -> None:
    rehearsals.sick = True
    path = "/orchestration/services/web/rehearse"
    assert problem(await client.post(path, json={"fault": "hang"}), 409)["remedy"] == "Use force."
    forced = await client.post(path, json={"fault": "hang", "force": True})
    assert forced.status_code == 202
    assert [asked[-1] for asked in rehearsals.asked] == [True]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'{"fault":"fire"}',
        b'{"fault":null}',
        b'{"fault":"crash","force":"yes"}',
        b'{"fault":"crash","forced":true}',
        b'{"fault":["crash"]}',
    ],
)
async def test_wrong_bodies(
    client: httpx.AsyncClient, rehearsals: FakeRehearsals, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    path = "/orchestration/services/web/rehearse"
    problem(await client.post(path, content=body, headers=headers), 422)
    assert rehearsals.asked == []


async def test_a_body_that_is_no_text(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    path = "/orchestration/services/web/rehearse"
    problem(await client.post(path, content=b"\xff", headers=headers), 400)


async def test_an_unknown_service_is_not_rehearsed(client: httpx.AsyncClient) -> None:
    path = "/orchestration/services/nope/rehearse"
    problem(await client.post(path, json={"fault": "crash"}), 404)


async def test_rehearsals_are_shown(client: httpx.AsyncClient) -> None:
    headers = {"Accept-Language": "ko"}
    one = (await client.get("/rehearsals/reh_1", headers=headers)).json()
    assert one == render_healing.rehearsal(REHEARSAL, "ko")
    assert (await client.get("/rehearsals", headers=headers)).json() == [one]
    RehearsalShape.model_validate(one)


# -- where they show elsewhere


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    return Hub(CONFIG, tmp_path)


async def detail(running: Hub, **ports: Any) -> dict[str, Any]:
    app = FastAPI()
    app.include_router(Orchestration(running.world, running.lifecycle, **ports).router())
    async with opened(app) as client:
        answer = await client.get(f"/orchestration/services/{FIRST}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    ServiceDetail.model_validate(body)
    assert set(body) == set(ServiceDetail.model_fields)
    return body


async def test_a_service_shows_its_incidents_settings_and_last_lines(
    hub: Hub, healing: FakeHealing
) -> None:
    async def last_lines(service: str) -> Sequence[str]:
        return (f"{service} says", "bye")

    shown = await detail(hub, healing=healing, last_lines=last_lines)
    assert shown["incidents"] == [render_healing.incident(i, "en") for i in (OPEN, CLOSED)]
    assert healing.asked == [(FIRST, None, 5)]
    assert shown["last_log_lines"] == [f"{FIRST} says", "bye"]
    declared = CONFIG.stack.services[FIRST]
    assert shown["config"]["probe"]["path"] == declared.probe.path
    assert shown["config"]["recovery"]["objective_s"] == declared.recovery.objective_s


async def test_a_service_is_shown_though_its_log_cannot_be_read(hub: Hub) -> None:
    async def nobody(service: str) -> Sequence[str]:
        raise EngineUnreachableError("It does not answer.")

    shown = await detail(hub, last_lines=nobody)
    assert (shown["last_log_lines"], shown["incidents"]) == (None, [])


@pytest.mark.parametrize("pause", [Pause(NOW, "curl"), None])
async def test_the_status_says_since_when_nothing_is_healed(
    hub: Hub, healing: FakeHealing, pause: Pause | None
) -> None:
    healing.paused = pause
    app = FastAPI()
    app.include_router(Orchestration(hub.world, hub.lifecycle, healing).router())
    async with opened(app) as client:
        shown = (await client.get("/orchestration/status")).json()
    assert shown["pause"] == (pause and {"since": "2026-03-01T12:00:00.000Z", "by": "curl"})
    Status.model_validate(shown)


@pytest.mark.parametrize("paused", [True, False])
async def test_health_says_whether_healing_is_paused(hub: Hub, paused: bool) -> None:
    app, figures = FastAPI(), Figures()
    figures.count_restart("web", "crash")
    app.include_router(hub_routes.router(hub.world, hub, "1", "digest", lambda: paused, figures))
    async with opened(app) as client:
        assert (await client.get("/health")).json()["paused"] is paused
        scraped = (await client.get("/metrics")).text
    assert f"heal7_paused {float(paused)}" in scraped
    assert 'heal7_service_restarts_total{cause="crash",service="web"} 1.0' in scraped
