"""`heal7 run` as a script or a person meets it: what is sent, what is said, how it leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli import follow_run, render_runs
from controller.cli.follow_run import Watch
from tests.unit.cli.fakes import FakeHub, Heal7, run_step, workflow_run

BEGIN = "POST /workflows/saju_processing/runs"
ASK = "GET /workflows/runs/run_1"
HOLD = {
    "reason": "saju-service is not well and is being healed.",
    "since": "2026-01-02T03:04:05.300Z",
    "incident": "inc_1",
}
ERROR = {"reason": "It answered with status 503.", "status": 503, "detail": "busy\x1b[2J"}
UNDONE = {
    "status": "done",
    "attempts": 1,
    "started_at": "2026-01-02T03:04:06.000Z",
    "ended_at": "2026-01-02T03:04:06.100Z",
    "error": None,
    "hold": None,
}


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the zone of whoever reads them: here 9 hours east."""
    monkeypatch.setenv("TZ", "KST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake hub gives no events, so all is asked for; it need not be spared."""
    monkeypatch.setattr(follow_run, "POLL_S", 0.0)
    monkeypatch.setattr(follow_run, "TICK_S", 0.001)


def begun(fake_hub: FakeHub, *told: dict[str, Any]) -> None:
    steps = (run_step("calculate", "pending"), run_step("monitor", "pending", "calculate"))
    fake_hub.on(BEGIN, workflow_run("pending", *steps), status=202)
    fake_hub.on(ASK, *told)


DONE = workflow_run(
    "succeeded",
    run_step("calculate"),
    run_step("monitor", "succeeded", "calculate", attempts=2, held_ms=400),
    output={"pillars": "갑자"},
)


def test_a_run_is_followed_to_its_end(fake_hub: FakeHub, heal7: Heal7) -> None:
    steps = run_step("calculate"), run_step("monitor", "held", "calculate", hold=HOLD)
    asked_again = run_step("monitor", "retrying", "calculate", attempts=1, error=ERROR)
    begun(
        fake_hub,
        workflow_run("waiting", *steps, reason="It waits."),
        workflow_run("running", steps[0], asked_again | {"retry_at": "2026-01-02T03:04:07.000Z"}),
        DONE,
    )
    done = heal7("run", "saju_processing")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "saju_processing run_1: pending",
        "saju_processing run_1: waiting: It waits.",
        "calculate (saju-service calculate): succeeded in 120 ms",
        "monitor (saju-service calculate): held, waiting: saju-service is not well and is being "
        "healed (incident inc_1)",
        "saju_processing run_1: running",
        "monitor (saju-service calculate): retrying, attempt 1 of 3 failed: It answered with "
        "status 503. busy�[2J; asked again at 12:04:07",
        "saju_processing run_1: succeeded",
        "monitor (saju-service calculate): succeeded in 120 ms",
    ]
    assert (
        done.stdout
        == """\
✓ saju_processing: succeeded after 1.5 s

  run    run_1
  begun  2026-01-02 12:04:05
  by     127.0.0.1 heal7
  over   2026-01-02 12:04:06

   STEP       SERVICE       ACTION     STATUS     TRIES    TOOK    HELD
✓  calculate  saju-service  calculate  succeeded         120 ms
✓  monitor    saju-service  calculate  succeeded    2/3  120 ms  400 ms

Output
{
  "pillars": "갑자"
}
"""
    )
    assert json.loads(fake_hub.bodies[0]) == {"input": {}}
    assert "Idempotency-Key" not in fake_hub.headers[0]


def test_the_input_and_the_key_are_sent(fake_hub: FakeHub, heal7: Heal7, tmp_path: Path) -> None:
    path = tmp_path / "in.yaml"
    path.write_text("person: {name: 김}\n", "utf-8")
    fake_hub.on(BEGIN, DONE)
    arguments = ("--input", str(path), "-s", "person.year=1990", "--key", "k 1")
    assert heal7("run", "saju_processing", *arguments).returncode == 0
    assert json.loads(fake_hub.bodies[0]) == {"input": {"person": {"name": "김", "year": 1990}}}
    assert fake_hub.headers[0]["Idempotency-Key"] == "k 1"


def test_standard_input(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(BEGIN, DONE)
    assert heal7("run", "saju_processing", "-i", "-", stdin='{"a": 1}').returncode == 0
    assert json.loads(fake_hub.bodies[0]) == {"input": {"a": 1}}


def test_an_input_that_cannot_be_read_is_never_sent(
    fake_hub: FakeHub, heal7: Heal7, tmp_path: Path
) -> None:
    path = tmp_path / "in.json"
    path.write_text('{\n"a": }', "utf-8")
    done = heal7("run", "saju_processing", "--input", str(path), "--json")
    assert done.returncode == 2
    assert f"{path}:2: not valid JSON" in done.stderr
    assert "not valid JSON" in json.loads(done.stdout)["detail"]
    assert fake_hub.asked == []


def test_every_fault_the_hub_finds_is_told(fake_hub: FakeHub, heal7: Heal7) -> None:
    faults = ["input.year: 'x' is not of type 'integer'", "input: 'name' is a required property"]
    fake_hub.problem(
        BEGIN, 422, title="The input is not valid", detail="; ".join(faults), faults=faults
    )
    done = heal7("run", "saju_processing")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"heal7: The input is not valid: {f}" for f in faults]


@pytest.mark.parametrize("status", ["failed", "compensated", "cancelled", "compensation_failed"])
def test_any_other_end_is_1_and_says_what_can_be_done(
    fake_hub: FakeHub, heal7: Heal7, status: str
) -> None:
    begun(fake_hub, workflow_run(status, reason="The step a failed."))
    done = heal7("run", "saju_processing")
    assert done.returncode == 1
    assert f"{status.replace('_', ' ')} after 1.5 s\n    The step a failed." in done.stdout
    verb = "resume" if status == "compensation_failed" else "retry"
    assert f"heal7 runs {verb} run_1" in done.stdout


def test_json_is_the_run_as_it_ended(fake_hub: FakeHub, heal7: Heal7) -> None:
    begun(fake_hub, DONE)
    done = heal7("run", "saju_processing", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == DONE


def test_without_waiting_it_says_how_to_go_on(fake_hub: FakeHub, heal7: Heal7) -> None:
    begun(fake_hub)
    done = heal7("run", "saju_processing", "--no-wait")
    assert (done.returncode, done.stderr) == (0, "")
    assert "heal7 runs run_1 --follow" in done.stdout
    assert "heal7 runs cancel run_1" in done.stdout
    assert fake_hub.asked == [BEGIN]


def test_a_time_that_is_over_leaves_the_run(fake_hub: FakeHub, heal7: Heal7) -> None:
    begun(fake_hub, workflow_run("running"))
    done = heal7("run", "saju_processing", "--timeout", "0", "--json")
    assert done.returncode == 1
    assert "Not over after 0 s: the run goes on in the hub." in done.stderr
    assert json.loads(done.stdout)["status"] in ("pending", "running")


def test_interrupted_it_says_how_to_go_on(
    fake_hub: FakeHub, heal7: Heal7, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(follow_run, "follow", interrupted)
    begun(fake_hub)
    done = heal7("run", "saju_processing")
    assert (done.returncode, done.stdout) == (130, "")
    assert "Left: the run goes on in the hub." in done.stderr
    assert "`heal7 runs cancel run_1` cancels it" in done.stderr


def test_an_unreachable_hub_is_3(heal7: Heal7) -> None:
    assert heal7("run", "saju_processing", "--hub", "http://127.0.0.1:9").returncode == 3


def test_a_name_never_reaches_another_endpoint(fake_hub: FakeHub, heal7: Heal7) -> None:
    assert heal7("run", "../health?").returncode == 1
    assert fake_hub.asked == ["POST /workflows/..%2Fhealth%3F/runs"]


# -- the drawing while it goes on


def frame(run: dict[str, Any], *, height: int = 50, **facts: Any) -> list[str]:
    watch = Watch(run, **facts)
    return [line.plain for line in render_runs.following(watch, 100, height, utf8=True)]


PARALLEL = (
    run_step("calculate"),
    run_step("monitor", "running", "calculate", service="ai-monitoring-service", action=None),
    run_step("check", "held", "calculate", hold=HOLD),
    run_step("report", "pending", "monitor", "check"),
)


def test_parallel_steps_are_branches_and_times_go_on() -> None:
    assert frame(workflow_run("running", *PARALLEL), since_s=0.5) == [
        "… saju_processing run_1: running, 2.0 s",
        "",
        "   STEP        SERVICE                ACTION                   STATUS       TOOK  AFTER",
        "✓  calculate   saju-service           calculate                succeeded  120 ms",
        "…  ├─ monitor  ai-monitoring-service  POST /actions/calculate  running     1.9 s",
        "!  └─ check    saju-service           calculate                held",
        "    waiting: saju-service is not well and is being healed (incident inc_1)",
        "–  report      saju-service           calculate                pending            "
        "monitor, check",
    ]


def test_the_undo_path_is_drawn_in_the_order_in_which_it_is_gone() -> None:
    later = UNDONE | {"started_at": "2026-01-02T03:04:06.200Z", "ended_at": None}
    shown = frame(
        workflow_run(
            "compensating",
            run_step("a", compensation=later | {"status": "held", "hold": HOLD}),
            run_step("b", "failed", "a", error=ERROR, compensation=UNDONE),
        )
    )
    undo = shown[shown.index("Undoing, the last step first") + 1 :]
    assert undo == [
        "   STEP  SERVICE       STATUS        AT",
        "✓  b     saju-service  done    12:04:06",
        "!  a     saju-service  held",
        "    waiting: saju-service is not well and is being healed (incident inc_1)",
    ]


def test_a_low_terminal_shows_where_something_happens() -> None:
    many = [run_step(f"s{i}", "running" if i == 50 else "pending") for i in range(99)]
    shown = frame(workflow_run("running", *many), height=10)
    assert len(shown) <= 10
    assert any("s50" in line and "running" in line for line in shown)
    assert shown[-1] == "98 steps pending or done, not shown."


def test_a_hub_that_is_away_is_said_in_both_forms() -> None:
    run, seen = workflow_run("running"), dict[tuple[str, str], str]()
    gone = Watch(run, away="The hub is not running.")
    assert frame(run, away=gone.away)[-1] == "The hub is not running. Waiting for it to come back."
    assert render_runs.changes(seen, Watch(run)) == ["saju_processing run_1: running"]
    assert render_runs.changes(seen, gone) == [
        "The hub is not running. Waiting for it to come back."
    ]
    assert render_runs.changes(seen, gone) == []
    assert render_runs.changes(seen, Watch(run)) == ["The hub is back."]


def test_undoing_is_said_line_by_line() -> None:
    seen: dict[tuple[str, str], str] = {}
    tried = UNDONE | {"status": "retrying", "error": ERROR}
    told = render_runs.changes(
        seen, Watch(workflow_run("compensating", run_step("a", compensation=tried)))
    )
    assert told[-1].startswith("undo of a (saju-service): retrying, It answered with status 503.")


def test_a_run_of_another_version_is_still_readable() -> None:
    for odd in ({}, {"steps": [{}]}, {"steps": None, "created_at": "soon", "error": {}}):
        assert frame(odd)
        assert render_runs.story(odd, 80, utf8=False)
        assert render_runs.runs([odd], 80, more=False, utf8=False)
        assert render_runs.changes({}, Watch(odd))


def test_a_long_output_is_cut_and_says_how_to_see_all() -> None:
    shown = [line.plain for line in render_runs.pretty(list(range(100)), "run_1")]
    assert len(shown) == 41
    assert shown[-1] == "… 62 more lines; all of it: heal7 runs run_1 --json"
    wide = [line.plain for line in render_runs.pretty("\x1b" + "x" * 9999, "run_1")]
    assert len(wide[0]) == 401
    assert wide[-1] == "… Cut; all of it: heal7 runs run_1 --json"
