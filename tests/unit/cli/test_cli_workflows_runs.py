"""Runs and workflows as a script or a person meets them: listed, shown, acted on, moved."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli import follow_run
from controller.cli.client import HubClient
from controller.cli.errors import HubUnreachable
from tests.unit.cli.fakes import (
    Answer,
    FakeHub,
    Heal7,
    defined_step,
    run_step,
    workflow,
    workflow_run,
)

LIST = "GET /workflows/runs?limit=20"
ONE = "GET /workflows/runs/run_1"


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


def line(identity: str, status: str, **facts: Any) -> dict[str, Any]:
    whole = workflow_run(status, id=identity) | facts
    return {k: v for k, v in whole.items() if k not in ("input", "output", "steps", "error", "key")}


def page(*lines: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"runs": list(lines), "next": cursor}


# -- listing and showing


def test_runs_are_a_table_within_80_columns(fake_hub: FakeHub, heal7: Heal7) -> None:
    waiting = line("run_019a2b3c4d5e_9f3a61c2", "waiting", reason="It waits.", elapsed_ms=93_000)
    fake_hub.on(LIST, page(waiting, line("run_1", "succeeded")))
    done = heal7("runs")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (
        done.stdout
        == """\
   RUN                        WORKFLOW         STATUS     BEGUN             TOOK
!  run_019a2b3c4d5e_9f3a61c2  saju_processing  waiting    01-02 12:04:05  1m 33s
    It waits.
✓  run_1                      saju_processing  succeeded  01-02 12:04:05   1.5 s
"""
    )
    assert "BEGUN" not in heal7("runs", COLUMNS="70").stdout


@pytest.mark.parametrize(("done", "told"), [(2, "2/3"), (0, "0/3"), (None, "?/3")])
def test_steps_are_counted_where_they_are_known(
    fake_hub: FakeHub, heal7: Heal7, done: int | None, told: str
) -> None:
    fake_hub.on(LIST, page(line("run_1", "running") | {"steps_done": done, "steps_total": 3}))
    shown = heal7("runs", COLUMNS="120").stdout.splitlines()
    assert shown[0].endswith("STEPS")
    assert shown[1].endswith(told)


def test_runs_are_filtered_by_the_hub(fake_hub: FakeHub, heal7: Heal7) -> None:
    asked = "GET /workflows/runs?workflow=a%26b&status=compensation_failed&limit=7"
    fake_hub.on(asked, page())
    done = heal7("runs", "-w", "a&b", "--status", "compensation_failed", "-n", "7")
    assert (done.returncode, done.stdout) == (0, "No runs.\n")
    assert fake_hub.asked == [asked]


def test_pages_are_turned_until_there_are_enough(fake_hub: FakeHub, heal7: Heal7) -> None:
    first = [line(f"run_{i}", "succeeded") for i in range(100)]
    fake_hub.on("GET /workflows/runs?limit=100", page(*first, cursor="c 1"))
    last = [line(f"run_{i}", "succeeded") for i in range(100, 150)]
    fake_hub.on("GET /workflows/runs?limit=50&cursor=c+1", page(*last, cursor="c2"))
    told = json.loads(heal7("runs", "--limit", "150", "--json").stdout)
    assert told == {"runs": [*first, *last], "next": "c2"}
    assert "There are older ones" in heal7("runs", "--limit", "150").stdout


FAILED = workflow_run(
    "compensated",
    run_step(
        "calculate",
        compensation={
            "status": "done",
            "attempts": 2,
            "started_at": "2026-01-02T03:04:06.000Z",
            "ended_at": "2026-01-02T03:04:06.100Z",
            "error": None,
            "hold": None,
        },
    ),
    run_step(
        "check",
        "failed",
        "calculate",
        attempts=3,
        held_ms=61_000,
        ended_at="2026-01-02T03:04:06.400Z",
        error={"reason": "It answered with status 500.", "status": 500, "detail": "Traceback"},
    ),
    reason="The step check failed. It answered with status 500.",
    error={
        "reason": "The step check failed. It answered with status 500.",
        "status": 500,
        "detail": None,
    },
    input={"year": 1990},
    key="k1",
    retry_of="run_0",
)


@pytest.mark.parametrize("arguments", [("runs", "run_1"), ("runs", "show", "run_1")])
def test_one_run_is_told_whole(fake_hub: FakeHub, heal7: Heal7, arguments: tuple[str, ...]) -> None:
    fake_hub.on(ONE, FAILED)
    done = heal7(*arguments)
    assert done.returncode == 0
    assert (
        done.stdout
        == """\
! saju_processing: compensated after 1.5 s
    The step check failed. It answered with status 500.

  run       run_1
  begun     2026-01-02 12:04:05
  by        127.0.0.1 heal7
  key       k1
  retry of  run_0
  over      2026-01-02 12:04:06

   STEP       SERVICE       ACTION     STATUS     TRIES    TOOK    HELD
✓  calculate  saju-service  calculate  succeeded         120 ms
✗  check      saju-service  calculate  failed       3/3   1.3 s  1m 01s
    It answered with status 500. Traceback

Undone, the last step first
   STEP       SERVICE       STATUS  TRIES        AT
✓  calculate  saju-service  done        2  12:04:06

Input
{
  "year": 1990
}

Again, from the failed step: heal7 runs retry run_1
"""
    )


@pytest.mark.parametrize("arguments", [("runs", "--json", "run_1"), ("--json", "runs", "run_1")])
def test_one_run_as_json_is_the_answer_of_the_hub(
    fake_hub: FakeHub, heal7: Heal7, arguments: tuple[str, ...]
) -> None:
    fake_hub.on(ONE, FAILED)
    assert json.loads(heal7(*arguments).stdout) == FAILED


def test_a_run_can_be_followed(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(ONE, workflow_run("running"), workflow_run("running"), workflow_run("succeeded"))
    done = heal7("runs", "run_1", "--follow")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "saju_processing run_1: running",
        "saju_processing run_1: succeeded",
    ]
    assert heal7("runs", "--follow").returncode == 2


def test_no_such_run_and_no_such_command(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.problem(ONE, 404, title="Not found", detail="There is no run run_1.")
    done = heal7("runs", "run_1")
    assert (done.returncode, done.stderr) == (1, "heal7: Not found: There is no run run_1.\n")
    wrong = heal7("runs", "cancle", "run_1")
    assert wrong.returncode == 2
    assert "'cancel'" in wrong.stderr


# -- acting


@pytest.mark.parametrize(
    ("verb", "ended", "code"),
    [
        ("cancel", "cancelled", 0),
        ("cancel", "compensation_failed", 1),
        ("retry", "succeeded", 0),
        ("retry", "compensated", 1),
        ("resume", "compensated", 0),
        ("resume", "compensation_failed", 1),
    ],
)
def test_what_was_asked_for_is_followed(
    fake_hub: FakeHub, heal7: Heal7, verb: str, ended: str, code: int
) -> None:
    # A retry is a new run, so its own id is what is followed.
    fake_hub.on(f"POST /workflows/runs/run_0/{verb}", workflow_run("running"), status=202)
    fake_hub.on(ONE, workflow_run(ended))
    done = heal7("runs", verb, "run_0", "--json")
    assert done.returncode == code
    assert json.loads(done.stdout) == workflow_run(ended)


@pytest.mark.parametrize("verb", ["cancel", "retry", "resume"])
def test_what_was_asked_for_need_not_be_followed(
    fake_hub: FakeHub, heal7: Heal7, verb: str
) -> None:
    request = f"POST /workflows/runs/run_1/{verb}"
    fake_hub.on(request, workflow_run("compensating"), status=202)
    done = heal7("runs", verb, "run_1", "--no-wait")
    assert done.returncode == 0
    assert "compensating" in done.stdout
    assert fake_hub.asked == [request]


def test_a_refusal_says_why(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.problem("POST /workflows/runs/run_1/cancel", 409, title="Over", detail="It ended.")
    done = heal7("runs", "cancel", "run_1")
    assert (done.returncode, done.stderr) == (1, "heal7: Over: It ended.\n")


# -- moving

EXPORTED = b'{"id": "run_1"}\n{"id": "run_2"}\n'


def lines_of(content: bytes) -> Answer:
    return Answer(stream=content, content_type="application/x-ndjson")


def test_an_export_goes_to_standard_output_as_it_is(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /workflows/runs/export?run=run_1&run=run_2&workflow=w", lines_of(EXPORTED))
    done = heal7("runs", "export", "run_1", "run_2", "-w", "w")
    assert (done.returncode, done.stdout, done.stderr) == (0, EXPORTED.decode(), "")


def test_an_export_into_a_file(fake_hub: FakeHub, heal7: Heal7, tmp_path: Path) -> None:
    fake_hub.on("GET /workflows/runs/export", lines_of(EXPORTED))
    path = tmp_path / "runs.ndjson"
    done = heal7("runs", "export", "--output", str(path))
    assert done.returncode == 0
    assert "Exported 2 runs (32 B) to" in done.stdout
    assert path.read_bytes() == EXPORTED
    told = json.loads(heal7("runs", "export", "-o", str(path), "--json").stdout)
    assert told == {"output": str(path), "lines": 2, "bytes": 32}


def test_an_export_that_breaks_off_leaves_the_file_as_it_was(
    heal7: Heal7, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_client: HubClient, _path: str, _params: object) -> Iterator[bytes]:
        yield EXPORTED
        raise HubUnreachable("The hub broke the connection.")

    monkeypatch.setattr(HubClient, "download", broken)
    path = tmp_path / "runs.ndjson"
    path.write_text("before")
    assert heal7("runs", "export", "-o", str(path)).returncode == 3
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("runs.ndjson", "before")]


def test_a_place_that_cannot_be_written(heal7: Heal7, tmp_path: Path) -> None:
    done = heal7("runs", "export", "-o", str(tmp_path / "none" / "runs.ndjson"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


TAKE = "POST /workflows/runs/import"


def test_an_import_is_sent_as_it_is(fake_hub: FakeHub, heal7: Heal7, tmp_path: Path) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_bytes(EXPORTED)
    fake_hub.on(TAKE, {"imported": 1, "skipped": 1, "faults": []})
    done = heal7("runs", "import", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("1 run imported.\n1 run left as they are: they are there already.\n")
    assert fake_hub.bodies[0] == EXPORTED
    assert fake_hub.headers[0]["Content-Type"] == "application/x-ndjson"
    assert fake_hub.headers[0]["Content-Length"] == "32"


def test_an_import_from_standard_input(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(TAKE, {"imported": 2, "skipped": 0, "faults": []})
    assert heal7("runs", "import", "-", stdin=EXPORTED.decode()).returncode == 0
    assert fake_hub.bodies[0] == EXPORTED


def test_what_could_not_be_imported_is_told(
    fake_hub: FakeHub, heal7: Heal7, tmp_path: Path
) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_bytes(EXPORTED)
    answer = {"imported": 1, "skipped": 0, "faults": ["line 2: it is no run\x1b"]}
    fake_hub.on(TAKE, answer)
    done = heal7("runs", "import", str(path))
    assert done.returncode == 1
    assert done.stderr == "heal7: line 2: it is no run�\n"
    assert "1 line could not be read." in done.stdout
    assert json.loads(heal7("runs", "import", str(path), "--json").stdout) == answer


def test_a_file_that_is_not_there(fake_hub: FakeHub, heal7: Heal7, tmp_path: Path) -> None:
    done = heal7("runs", "import", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "cannot be read: No such file" in done.stderr
    assert fake_hub.asked == []


# -- workflows

SAJU = workflow(
    "saju_processing",
    defined_step(
        "calculate", compensate={"action": "uncalculate", "method": "POST", "path": "/actions/u"}
    ),
    defined_step("monitor", "calculate", service="ai-monitoring-service", start=True),
    defined_step("check", "calculate", action=None, when="${{ input.year }}"),
    schedule="0 3 * * *",
    concurrency={"limit": 4, "on_limit": "cancel_oldest"},
    input_schema={"type": "object"},
)


def test_workflows_are_a_table(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /workflows", [SAJU, workflow("other", defined_step("a"), description={})])
    assert (
        heal7("workflows").stdout
        == """\
WORKFLOW         STEPS  SERVICES  SCHEDULE   AT ONCE
saju_processing      3         2  0 3 * * *        4
    Four pillars processing
other                1         1
"""
    )
    assert "사주 종합 처리" in heal7("workflows", "--lang", "ko").stdout
    assert json.loads(heal7("workflows", "--json").stdout)[0] == SAJU


def test_one_workflow_is_drawn(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /workflows/saju_processing", SAJU)
    assert (
        heal7("workflows", "saju_processing", COLUMNS="100").stdout
        == """\
saju_processing
    Four pillars processing

  hash      0123456789ab
  within    1m 00s
  schedule  0 3 * * *
  at once   4, beyond that: cancel oldest

STEP        SERVICE                ACTION                   UNDO         TRIES  WITHIN
calculate   saju-service           calculate                uncalculate      3  10.0 s
├─ monitor  ai-monitoring-service  calculate                                 3  10.0 s
    starts its service where a person has stopped it
└─ check    saju-service           POST /actions/calculate                   3  10.0 s
    when ${{ input.year }}

Input (JSON Schema)
{
  "type": "object"
}

Run it: heal7 run saju_processing --input F
"""
    )
    assert json.loads(heal7("workflows", "saju_processing", "--json").stdout) == SAJU


def test_no_workflows(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /workflows", [])
    assert "No workflows" in heal7("workflows").stdout
