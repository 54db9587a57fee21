"""An incident and a rehearsal with something in every field, for tests of how they are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controller.model.incident import Act, Ending, Entry, Evidence, Incident, Kind
from controller.model.probe import ProbeResult
from controller.model.rehearsal import Fault, Rehearsal, Stage
from controller.model.text import text

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


OPEN = Incident(
    "inc_open",
    "web",
    Kind.HANG,
    text("health.failing", count=3, last=text("probe.timeout", seconds=1.0)),
    opened_at=NOW,
    detected_at=after(2.5),
)
CLOSED = Incident(
    "inc_closed",
    "db",
    Kind.OOM,
    text("exit.oom"),
    opened_at=NOW,
    detected_at=after(0.25),
    life="abc@2026",
    closed_at=after(4),
    outcome=Ending.RECOVERED,
    evidence=Evidence(
        "abc",
        137,
        True,
        "",
        (ProbeResult(NOW, False, text("probe.refused", port=8000), None, False),),
        ("one", "둘"),
    ),
    timeline=(
        Entry(after(1), Act.HOLD, text("phase.waiting")),
        Entry(
            after(2),
            Act.RESTART,
            text("cause.restart"),
            "failed",
            ended_at=after(3),
            failure=text("fail.port_taken", port=8012),
            detail="said",
            operation="op_1",
        ),
    ),
    root="inc_0",
    rehearsal="reh_1",
    runs_held=("run_1",),
)
REHEARSAL = Rehearsal(
    "reh_1",
    "db",
    Fault.CRASH,
    Stage.PASSED,
    NOW,
    "curl",
    30.0,
    text("health.ok"),
    injected_at=after(1),
    detected_ms=120,
    healed_ms=900,
    dependants_ms={"web": 1500, "api": None},
    incident="inc_closed",
    ended_at=after(5),
)
