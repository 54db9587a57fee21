"""Incidents, rehearsals and the pause as the API and the event stream show them."""

from __future__ import annotations

import json

import pytest
from healing_builders import CLOSED, NOW, OPEN, REHEARSAL

from controller.api import render_healing
from controller.api.events import BusNotices
from controller.model.recovery import Pause
from controller.telemetry.bus import Bus

AT = "2026-03-01T12:00:0"


def test_a_closed_incident_tells_the_whole_story() -> None:
    assert render_healing.incident(CLOSED, "en") == {
        "id": "inc_closed",
        "service": "db",
        "state": "closed",
        "kind": "oom",
        "cause": "Killed for using more memory than allowed (exit code 137).",
        "opened_at": f"{AT}0.000Z",
        "detected_at": f"{AT}0.250Z",
        "closed_at": f"{AT}4.000Z",
        "outcome": "recovered",
        "detect_ms": 250,
        "recover_ms": 4000,
        "restarts": 1,
        "evidence": {
            "container_id": "abc",
            "exit_code": 137,
            "oom_killed": True,
            "engine_error": "",
            "last_probes": [
                {
                    "at": f"{AT}0.000Z",
                    "ok": False,
                    "said": "connection to port 8000 refused",
                    "response_ms": None,
                }
            ],
            "log_tail": ["one", "둘"],
        },
        "actions": [
            {
                "at": f"{AT}1.000Z",
                "op": "hold",
                "cause": "Waiting for its turn.",
                "outcome": "",
                "ended_at": None,
                "failure": None,
                "detail": None,
                "operation": None,
            },
            {
                "at": f"{AT}2.000Z",
                "op": "restart",
                "cause": "restart was asked for",
                "outcome": "failed",
                "ended_at": f"{AT}3.000Z",
                "failure": "Port 8012 is already in use by something else.",
                "detail": "said",
                "operation": "op_1",
            },
        ],
        "suppressed_alerts": ["Waiting for its turn."],
        "runs_held": ["run_1"],
        "root": "inc_0",
        "rehearsal": "reh_1",
    }


def test_an_open_incident_claims_nothing_that_is_not_known() -> None:
    shown = render_healing.incident(OPEN, "ko")
    assert (shown["state"], shown["closed_at"], shown["outcome"]) == ("open", None, None)
    assert (shown["detect_ms"], shown["recover_ms"]) == (2500, None)
    assert shown["actions"] == shown["suppressed_alerts"] == shown["evidence"]["log_tail"] == []
    assert shown["cause"] == "점검이 3회 연속 실패했습니다. 최근: 1.0초 안에 응답 없음."


def test_a_rehearsal_tells_what_was_measured() -> None:
    assert render_healing.rehearsal(REHEARSAL, "en") == {
        "id": "reh_1",
        "service": "db",
        "fault": "crash",
        "stage": "passed",
        "verdict": "Answers its probes.",
        "objective_s": 30.0,
        "requested_at": f"{AT}0.000Z",
        "requested_by": "curl",
        "injected_at": f"{AT}1.000Z",
        "detected_ms": 120,
        "healed_ms": 900,
        "dependants_ms": {"web": 1500, "api": None},
        "incident": "inc_closed",
        "ended_at": f"{AT}5.000Z",
    }


async def test_listeners_hear_of_all_of_it() -> None:
    bus = Bus(0)
    listener, notices = bus.subscribe(None), BusNotices(bus)
    notices.incident(OPEN)
    notices.rehearsal(REHEARSAL)
    notices.paused(Pause(NOW, "curl"))
    notices.paused(None)
    heard = []
    for _ in range(4):
        event = await listener.get()
        assert event is not None
        body = json.loads(event.render("ko"))
        assert body.pop("at").endswith("Z")
        heard.append((event.kind, body))
    assert heard == [
        ("incident", render_healing.incident(OPEN, "ko")),
        ("rehearsal", render_healing.rehearsal(REHEARSAL, "ko")),
        ("hub", {"paused": True, "since": f"{AT}0.000Z", "by": "curl"}),
        ("hub", {"paused": False, "since": None, "by": None}),
    ]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_is_shown_is_json(language: str) -> None:
    for shown in (
        render_healing.incident(CLOSED, language),
        render_healing.incident(OPEN, language),
        render_healing.rehearsal(REHEARSAL, language),
    ):
        assert json.loads(json.dumps(shown)) == shown
