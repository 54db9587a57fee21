"""Incidents, pause, resume and rehearsals as a script or a person meets them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.cli import rehearse, render_healing
from controller.cli.client import HubClient
from controller.cli.errors import HubUnreachable
from controller.cli.rehearse import Trial
from tests.unit.cli.fakes import FakeHub, Heal7, incident, rehearsal, service

LIST = "GET /incidents?limit=20"
BEGIN = "POST /orchestration/services/saju-service/rehearse"


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the zone of whoever reads them: here 9 hours east."""
    monkeypatch.setenv("TZ", "KST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# -- incidents


def test_incidents_are_a_table_within_80_columns(fake_hub: FakeHub, heal7: Heal7) -> None:
    still = {"state": "open", "outcome": None, "closed_at": None, "recover_ms": None}
    fake_hub.on(
        LIST,
        [
            incident("inc_2", service="ai-monitoring-service", kind="stopped_outside", **still),
            incident("inc_1"),
        ],
    )
    done = heal7("incidents")
    assert done.returncode == 0
    shown = done.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[0].split() == ["WHEN", "SERVICE", "KIND", "OUTCOME", "RECOVERED"]
    assert shown[1].split()[:6] == [
        "…",
        "01-02",
        "12:04:05",
        "ai-monitoring-service",
        "stopped",
        "outside",
    ]
    assert shown[3].startswith("✓  01-02 12:04:05  saju-service")
    assert shown[3].endswith("2.4 s")
    assert shown[4] == "    inc_1: Ended by signal 9 (exit code 137)."
    assert "DETECTED" in heal7("incidents", COLUMNS="120").stdout


def test_no_incidents_is_said(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(LIST, [])
    assert heal7("incidents").stdout == "No incidents.\n"


def test_incidents_json_is_the_answer_of_the_hub(fake_hub: FakeHub, heal7: Heal7) -> None:
    answer = [incident("inc_1", cause="종료되었습니다.")]
    fake_hub.on(LIST, answer)
    assert json.loads(heal7("incidents", "--json").stdout) == answer


def test_incidents_are_filtered_by_the_hub(fake_hub: FakeHub, heal7: Heal7) -> None:
    request = "GET /incidents?limit=7&service=a%26b&state=open"
    fake_hub.on(request, [])
    assert heal7("incidents", "-s", "a&b", "--open", "-n", "7").returncode == 0
    assert fake_hub.asked == [request]


def test_an_answer_of_another_form_is_no_hub(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(LIST, {"not": "a list"})
    done = heal7("incidents")
    assert (done.returncode, done.stdout) == (3, "")
    assert "not a HEAL7 hub" in done.stderr


STORY = incident(
    "inc_1",
    restarts=2,
    root="inc_0",
    rehearsal="reh_1",
    runs_held=["run_1", "run_2"],
    evidence={
        "container_id": "0123456789abcdef",
        "exit_code": 137,
        "oom_killed": True,
        "engine_error": "",
        "last_probes": [
            {"at": "2026-01-02T03:04:04.000Z", "ok": True, "said": "HTTP 200", "response_ms": 3.6},
            {"at": "2026-01-02T03:04:06.000Z", "ok": False, "said": "refused", "response_ms": None},
        ],
        "log_tail": ["listening", "\x1b[2Jbye\x07\tnow"],
    },
    actions=[
        {
            "at": "2026-01-02T03:04:05.400Z",
            "op": "hold",
            "cause": "Two others are being restarted.",
            "outcome": "",
            "ended_at": None,
            "failure": None,
            "detail": None,
            "operation": None,
        },
        {
            "at": "2026-01-02T03:04:06.000Z",
            "op": "restart",
            "cause": "Its container ended.",
            "outcome": "failed",
            "ended_at": "2026-01-02T03:04:07.000Z",
            "failure": "Port 8012 is taken.",
            "detail": "bind:\x1b]0;x\x07 in use\nsecond line",
            "operation": "op_1",
        },
    ],
)


def test_the_whole_story_of_one(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /incidents/inc_1", STORY)
    done = heal7("incidents", "inc_1")
    assert (
        done.stdout
        == """\
✓ saju-service: crash, recovered
    Ended by signal 9 (exit code 137).

  incident   inc_1
  began      2026-01-02 12:04:05
  detected   after 310 ms
  recovered  after 2.4 s
  over       2026-01-02 12:04:07
  restarts   2
  caused by  inc_0
  rehearsal  reh_1
  runs held  run_1, run_2

What was done
–  12:04:05  hold
    Two others are being restarted.
✗  12:04:06  restart  failed  12:04:07
    Its container ended.
    Port 8012 is taken.
    bind:�]0;x� in use
    second line

What was seen
  container  0123456789ab
  exit code  137
  memory     killed for using more than allowed

Its last probes
✓  12:04:04  HTTP 200  3.6 ms
✗  12:04:06  refused

Its last lines
    listening
    �[2Jbye� now
"""
    )
    assert json.loads(heal7("incidents", "inc_1", "--json").stdout) == STORY


def test_an_incident_that_is_not_there_is_a_problem(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.problem("GET /incidents/..%2Fhealth", 404, title="Not found", detail="No such one.")
    done = heal7("incidents", "../health")
    assert done.returncode == 1
    assert "Not found: No such one." in done.stderr


def test_an_incident_of_another_version_is_still_readable() -> None:
    for told in ({}, {"id": "x", "opened_at": "soon", "evidence": None, "actions": [{}]}):
        assert render_healing.story(told, 80, utf8=False)
        assert render_healing.incidents([told], 80, utf8=False)


# -- pause and resume


@pytest.mark.parametrize(("verb", "said"), [("pause", "heals nothing"), ("resume", "heals again")])
def test_pause_and_resume(fake_hub: FakeHub, heal7: Heal7, verb: str, said: str) -> None:
    answer = {"paused": verb == "pause", "since": None, "by": None}
    fake_hub.on(f"POST /orchestration/{verb}", answer)
    done = heal7(verb)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert json.loads(heal7(verb, "--json").stdout) == answer


def test_ps_tells_of_a_pause_and_of_open_incidents(fake_hub: FakeHub, heal7: Heal7) -> None:
    sick = service("a", health="failed", reason="It ended.", incident="inc_1")
    better = service("b", incident="inc_2")
    answer = {
        "running": 2,
        "healthy": 1,
        "services": [sick, better, service("c", incident=None)],
        "pause": {"since": "2026-01-02T03:04:05.000Z", "by": "127.0.0.1 curl"},
    }
    fake_hub.on("GET /orchestration/status", answer)
    said = " ".join(heal7("ps").stdout.split())
    assert "Paused since 2026-01-02 12:04:05 by 127.0.0.1 curl" in said
    assert "It ended. Open incident: `heal7 incidents inc_1`." in said
    assert "Open incident: `heal7 incidents inc_2`." in said
    assert said.count("Open incident") == 2
    fake_hub.on("GET /orchestration/status", answer | {"pause": None})
    assert "Paused" not in heal7("ps").stdout


# -- rehearsals


def begun(fake_hub: FakeHub, *stages: str, **facts: Any) -> None:
    fake_hub.on(BEGIN, rehearsal("reh_1", "injecting", **facts), status=202)
    fake_hub.on("GET /rehearsals/reh_1", *(rehearsal("reh_1", s, **facts) for s in stages))


def test_a_rehearsal_is_followed_to_its_end(fake_hub: FakeHub, heal7: Heal7) -> None:
    begun(fake_hub, "detecting", "detecting", "healing", "dependants", "passed")
    done = heal7("rehearse", "saju-service", "crash", "--yes")
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout
        == """\
✓ crash of saju-service: passed
    It is passed.

                                  AFTER  OBJECTIVE
✓  detected                      310 ms
✓  healed                         2.4 s     30.0 s
✓  paperwork-service well again   3.1 s     30.0 s

Its story: heal7 incidents inc_1
"""
    )
    assert done.stderr.splitlines() == [
        f"{stage}: It is {stage}."
        for stage in ("injecting", "detecting", "healing", "dependants", "passed")
    ]
    assert json.loads(fake_hub.bodies[0]) == {"fault": "crash", "force": False}


@pytest.mark.parametrize("stage", ["failed", "aborted"])
def test_a_rehearsal_that_did_not_pass_is_1(fake_hub: FakeHub, heal7: Heal7, stage: str) -> None:
    begun(fake_hub, stage, healed_ms=42_000, dependants_ms={"web": None})
    done = heal7("rehearse", "saju-service", "hang", "--yes", "--force")
    assert done.returncode == 1
    assert "✗  healed            42.0 s     30.0 s" in done.stdout
    assert "✗  web well again  not seen     30.0 s" in done.stdout
    assert json.loads(fake_hub.bodies[0]) == {"fault": "hang", "force": True}


def test_rehearse_json_is_the_rehearsal_alone(fake_hub: FakeHub, heal7: Heal7) -> None:
    begun(fake_hub, "healing", "failed")
    done = heal7("rehearse", "saju-service", "slow", "-y", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == rehearsal("reh_1", "failed")


def test_what_was_not_to_be_is_not_held_against_it() -> None:
    left_alone = rehearsal("reh_1", "passed", fault="stop", healed_ms=None, dependants_ms={})
    shown = [line.plain for line in render_healing.rehearsed(left_alone, 80, utf8=True)]
    assert "–  healed    not seen     30.0 s" in shown


def test_nobody_to_ask_is_a_wrong_use(fake_hub: FakeHub, heal7: Heal7) -> None:
    done = heal7("rehearse", "saju-service", "crash")
    assert done.returncode == 2
    assert "kills the main process of saju-service" in done.stderr
    assert "--yes" in done.stderr
    assert fake_hub.asked == []
    document = json.loads(heal7("rehearse", "saju-service", "crash", "--json").stdout)
    assert document["title"] == "The command cannot be used like this"


@pytest.mark.parametrize(("typed", "code", "asked"), [("y\n", 0, 2), ("n\n", 1, 0), ("\n", 1, 0)])
def test_a_person_is_asked_first(
    fake_hub: FakeHub,
    heal7: Heal7,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    asked: int,
) -> None:
    monkeypatch.setattr("controller.cli.session._somebody_there", lambda: True)
    begun(fake_hub, "passed")
    done = heal7("rehearse", "saju-service", "stop", stdin=typed)
    assert done.returncode == code
    assert "This stops saju-service beside the hub" in done.stderr
    assert len(fake_hub.asked) == asked
    assert ("Nothing has been done." in done.stderr) == (asked == 0)


def test_a_refusal_says_why(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.problem(BEGIN, 409, title="Not now", detail="It is sick.", remedy="Use --force.")
    done = heal7("rehearse", "saju-service", "crash", "--yes")
    assert done.returncode == 1
    assert done.stderr == "heal7: Not now: It is sick.\n  → Use --force.\n"


@pytest.mark.parametrize("arguments", [("a", "fire"), ("a",), ()])
def test_a_fault_that_does_not_exist(heal7: Heal7, arguments: tuple[str, ...]) -> None:
    assert heal7("rehearse", *arguments, "--yes").returncode == 2


def away(client: HubClient, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    get, left = client.get, [times]

    def flaky(path: str) -> dict[str, object]:
        left[0] -= 1
        if left[0] >= 0:
            raise HubUnreachable("The hub is not running.")
        return get(path)

    monkeypatch.setattr(client, "get", flaky)


def ignore(_value: object) -> None:
    """Neither progress nor pauses matter here."""


def test_a_hub_that_restarts_meanwhile_is_waited_for(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(fake_hub, "aborted")
    client, seen = HubClient(fake_hub.url), list[str | None]()
    away(client, monkeypatch, times=2)

    def show(now: Trial) -> None:
        drawn = "\n".join(t.plain for t in render_healing.rehearsing(now, 80, utf8=True))
        assert ("Waiting for it to come back." in drawn) == (now.away is not None)
        seen.append(now.away)

    done = rehearse.run(client, "saju-service", "crash", show, pause=ignore)
    assert done.stage == "aborted"
    assert seen == [None, *["The hub is not running."] * 2, None]


def test_a_hub_that_stays_away_is_given_up(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(fake_hub, "passed")
    client = HubClient(fake_hub.url)
    away(client, monkeypatch, times=99)
    with pytest.raises(HubUnreachable):
        rehearse.run(client, "saju-service", "crash", ignore, patience_s=-1.0, pause=ignore)
