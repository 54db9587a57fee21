"""What is wrong with a service, as a table of what is seen of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.model.incident import Kind
from controller.model.observation import State
from controller.model.text import text
from controller.model.view import Health, Verdict
from controller.recovery.trouble import Drive, trouble_of
from tests.unit.core.core_builders import NOW
from tests.unit.recovery.ward import probed, well_sight


def seen(health: str, key: str, state: State = State.EXITED, **facts: Any) -> dict[str, Any]:
    return {"verdict": Verdict(Health(health), text(key)), "state": state, **facts}


@pytest.mark.parametrize(
    ("facts", "kind", "drive", "cause"),
    [
        (seen("failed", "exit.code", exit_code=3), "crash", "death", "exit.code"),
        (seen("failed", "exit.signal", exit_code=137), "crash", "death", "exit.signal"),
        (seen("failed", "exit.oom", exit_code=137, oom_killed=True), "oom", "death", "exit.oom"),
        (
            # A child was killed for memory; the main process ended by itself.
            seen("failed", "exit.code", exit_code=1, oom_killed=True),
            "crash",
            "death",
            "exit.code",
        ),
        (seen("failed", "exit.command", exit_code=127), "config_error", "setup", "exit.command"),
        (seen("failed", "exit.command", exit_code=126), "config_error", "setup", "exit.command"),
        (seen("failed", "fail.crashed", exit_code=127), "config_error", "setup", "fail.crashed"),
        (seen("failed", "fail.image_missing"), "config_error", "setup", "fail.image_missing"),
        (seen("failed", "fail.port_taken"), "config_error", "setup", "fail.port_taken"),
        (seen("failed", "fail.image_never"), "config_error", "setup", "fail.image_never"),
        (seen("failed", "fail.pull"), "config_error", "setup", "fail.pull"),
        (seen("failed", "fail.pull_silent"), "config_error", "setup", "fail.pull_silent"),
        (seen("failed", "fail.build"), "config_error", "setup", "fail.build"),
        (seen("failed", "fail.context"), "config_error", "setup", "fail.context"),
        (seen("failed", "fail.name_taken"), "config_error", "setup", "fail.name_taken"),
        (seen("failed", "fail.engine"), "config_error", "setup", "fail.engine"),
        (seen("failed", "fail.command"), "config_error", "setup", "fail.command"),
        (seen("failed", "fail.namespace_gone"), "crash", "death", "fail.namespace_gone"),
        (seen("failed", "health.missing", State.MISSING), "crash", "death", "incident.vanished"),
        (
            seen("failed", "fail.image_missing", State.MISSING),
            "config_error",
            "setup",
            "fail.image_missing",
        ),
        (seen("failed", "health.never_started", State.CREATED), "crash", "death", None),
        (seen("blocked", "result.blocked", State.CREATED), "crash", "death", None),
        (seen("unhealthy", "health.failing", State.RUNNING), "unhealthy", "probes", None),
        (seen("unhealthy", "health.lost_share", State.RUNNING), "unhealthy", "share", None),
        (seen("unhealthy", "health.flapping", State.RUNNING), "unhealthy", "probes", None),
        (seen("unhealthy", "health.failing", State.RUNNING, silent=True), "hang", "probes", None),
    ],
)
def test_every_trouble_has_a_kind_and_a_drive(
    facts: dict[str, Any], kind: str, drive: str, cause: str | None
) -> None:
    trouble = trouble_of(replace(well_sight(probed("web")), **facts))
    assert trouble is not None
    assert (trouble.kind, trouble.drive) == (Kind(kind), Drive(drive))
    assert trouble.cause.key == (cause or facts["verdict"].reason.key)
    assert trouble.since == NOW


@pytest.mark.parametrize("health", ["healthy", "starting", "unknown", "stopped", "held"])
def test_nothing_is_wrong_while_nobody_knows_of_anything(health: str) -> None:
    verdict = Verdict(Health(health), text("health.ok"))
    assert trouble_of(replace(well_sight(probed("web")), verdict=verdict)) is None
