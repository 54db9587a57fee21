"""`heal7 alerts …`: what is asked of the hub, what a person reads, and what a script gets."""

from __future__ import annotations

import json

from tests.unit.cli.fakes import Answer, FakeHub, Heal7


def alert(number: int = 1, **more: object) -> dict[str, object]:
    return {
        "id": f"alt_{number}",
        "rule": "gave_up",
        "severity": "critical",
        "state": "firing",
        "service": "saju-service",
        "title": "saju-service: healing has given up",
        "cause": "Healing has given up; somebody has to look.",
        "since": "2026-11-25T03:12:04.118Z",
        "folded": ["ai-monitoring-service"],
        **more,
    }


def delivery(**more: object) -> dict[str, object]:
    return {
        "channel": "ops",
        "news": "opened",
        "state": "sent",
        "ended_at": "2026-11-25T03:12:05.000Z",
        "error": None,
        **more,
    }


def test_alone_it_lists_what_is_open(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /alerts?limit=50&state=firing", {"alerts": [alert()], "next": None})
    known = alert(2, state="acknowledged", severity="warning", folded=[])
    fake_hub.on("GET /alerts?limit=50&state=acknowledged", {"alerts": [known], "next": None})
    said = heal7("alerts")
    assert said.returncode == 0, said.stderr
    assert "alt_1: Healing has given up" in said.stdout
    assert "because of it: ai-monitoring-service" in said.stdout
    assert said.stdout.index("alt_1") < said.stdout.index("alt_2")
    assert heal7("alerts", "list").stdout == said.stdout
    assert len(json.loads(heal7("alerts", "--json").stdout)["alerts"]) == 2


def test_filters_are_passed_on_and_typing_errors_are_not(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /alerts?limit=5&service=web&state=resolved", {"alerts": [], "next": None})
    said = heal7("alerts", "list", "--state", "resolved", "-s", "web", "-n", "5")
    assert said.stdout.strip() == "No alerts."
    assert heal7("alerts", "--state", "closed").returncode == 2


def test_one_alert_with_everybody_who_was_told(fake_hub: FakeHub, heal7: Heal7) -> None:
    told = [delivery(), delivery(channel="mail", state="waiting", error="\x1b[2Jrefused")]
    fake_hub.on("GET /alerts/alt_1", alert(deliveries=told, acked_by="kim"))
    said = heal7("alerts", "show", "alt_1")
    assert "acknowledged by: kim" in said.stdout
    assert "refused" in said.stdout
    assert "\x1b" not in said.stdout


def test_events_tell_of_alerts(fake_hub: FakeHub, heal7: Heal7) -> None:
    told = f"id: 1\nevent: alert\ndata: {json.dumps(alert())}\n\n".encode()
    fake_hub.on("GET /events", Answer(stream=told, content_type="text/event-stream"))
    said = heal7("events", "-n", "1")
    assert "critical firing: saju-service: healing has given up (alt_1)" in said.stdout


def test_acknowledging_several(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("POST /alerts/alt_1/ack", alert(1, state="acknowledged"))
    fake_hub.problem("POST /alerts/alt_2/ack", 404, title="Not found", detail="no alert 'alt_2'")
    said = heal7("alerts", "ack", "alt_1", "alt_2")
    assert said.returncode == 1
    assert "no alert 'alt_2'" in said.stderr


def test_a_silence_is_made_shown_and_ended(fake_hub: FakeHub, heal7: Heal7) -> None:
    made = {"id": "sil_1", "service": "web", "rule": None, "until": "2026-11-25T11:00:00.000Z"}
    fake_hub.on("POST /alerts/silences", {**made, "by": "kim", "comment": "deploy"}, status=201)
    fake_hub.on("GET /alerts/silences", [{**made, "by": "kim", "comment": "deploy"}])
    fake_hub.on("DELETE /alerts/silences/sil_1", Answer("", 204))
    said = heal7("alerts", "silence", "8h", "-s", "web", "-c", "deploy")
    assert "Nobody is told of web until" in said.stdout
    assert json.loads(fake_hub.bodies[0]) == {
        "duration": "8h",
        "service": "web",
        "rule": None,
        "comment": "deploy",
    }
    assert "sil_1: deploy" in heal7("alerts", "silences").stdout
    assert "sil_1 is over" in heal7("alerts", "unsilence", "sil_1").stdout


def test_channels_and_their_test(fake_hub: FakeHub, heal7: Heal7) -> None:
    ops = {"name": "ops", "kind": "slack://•••", "state": "failing", "error": "500", "waiting": 2}
    fake_hub.on("GET /alerts/channels", [ops])
    fake_hub.on("POST /alerts/channels/ops/test", delivery(), delivery(state="failed", error="401"))
    assert "failing" in heal7("alerts", "channels").stdout
    assert "It arrived at ops." in heal7("alerts", "test", "ops").stdout
    failed = heal7("alerts", "test", "ops")
    assert failed.returncode == 1
    assert "did not arrive at ops: 401" in failed.stderr
