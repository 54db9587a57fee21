"""What people see of set-up: phases while it runs, the table and the causes at its end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from controller.model.observation import ContainerObs, State
from controller.model.spec import ContainerSpec, ServiceSpec
from controller.setup import hub, report
from controller.setup.progress import Board


def plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=100), out


def test_a_log_shows_each_phase_begin_and_end_with_its_time() -> None:
    console, out = plain()
    board = Board(console)
    with board.shown(), board.phase("wheels") as phase:
        phase.say("fetching  a\n wheel")
    begun, done = out.getvalue().splitlines()
    assert begun.endswith("wheels: …")
    assert "wheels: done in 0.0 s fetching a wheel" in done
    assert board.timings() == {"wheels": 0.0}


def test_a_failed_phase_says_so_and_the_error_goes_on() -> None:
    console, out = plain()
    board = Board(console)
    with pytest.raises(ValueError, match="no"), board.shown(), board.phase("hub"):
        raise ValueError("no")
    assert "hub: failed in" in out.getvalue()


def test_a_terminal_gets_one_line_a_phase() -> None:
    out = io.StringIO()
    board = Board(Console(file=out, force_terminal=True, width=80))
    with board.shown(), board.phase("image [hub]") as phase:
        phase.say("Step 1/2")
    assert "image [hub]" in out.getvalue()
    assert "✔" in out.getvalue()


def test_the_table_names_address_health_and_reason() -> None:
    console, out = plain()
    services: list[dict[str, object]] = [
        {"name": "a", "port": 8010, "health": "healthy", "reason": "answers in 3 ms"},
        {"name": "b", "port": None, "health": "failed", "reason": "the image is missing [x]"},
    ]
    console.print(report.services_table(services))
    text = out.getvalue()
    assert "http://localhost:8010" in text
    assert "the image is missing [x]" in text
    assert report.summary(services, {}) == "1/2 healthy; waiting for b"
    steps = [
        {"service": "b", "status": "running", "progress": "Building its image."},
        {"service": "b", "status": "done", "progress": "Pulling its image."},
    ]
    told = report.summary(services, {"steps": steps})
    assert told == "1/2 healthy; waiting for b. b: Building its image."


def test_causes_name_only_what_went_wrong() -> None:
    operation = {
        "results": {
            "a": {"outcome": "already_running", "cause": "as wished"},
            "b": {"outcome": "failed", "cause": "Step 2 failed.", "detail": "make: error 7"},
            "c": {"outcome": "blocked", "cause": "b failed"},
        }
    }
    assert report.causes(operation) == [
        "b: failed: Step 2 failed.\nmake: error 7",
        "c: blocked: b failed",
    ]


@pytest.mark.parametrize(
    ("config_hash", "image_id", "current"),
    [("h", "i", True), ("other", "i", False), ("h", "other", False)],
)
def test_the_hub_is_left_alone_only_when_nothing_changed(
    config_hash: str, image_id: str, current: bool
) -> None:
    spec = ServiceSpec("hub", ContainerSpec("heal7-hub", "heal7/hub:0.1.0"), config_hash="h")
    found = ContainerObs(
        id="c",
        name="heal7-hub",
        service="hub",
        state=State.RUNNING,
        image="heal7/hub:0.1.0",
        image_id=image_id,
        config_hash=config_hash,
    )
    assert hub.is_current(found, spec, "i") is current
