"""What people see of set-up: phases while it runs, the table and the causes at its end."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from controller.errors import SetupError
from controller.model.observation import ContainerObs, State
from controller.model.spec import ContainerSpec, ServiceSpec
from controller.setup import hub, report, up
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
        {"name": "c", "port": 8011, "health": "healthy", "reason": "only other containers ask it"},
    ]
    console.print(report.services_table(services, {"a", "b"}))
    text = out.getvalue()
    assert "8011" not in text
    assert "http://localhost:8010" in text
    assert "the image is missing [x]" in text
    assert report.summary(services, {}) == "2/3 healthy; waiting for b"
    steps = [
        {"service": "b", "status": "running", "progress": "Building its image."},
        {"service": "b", "status": "done", "progress": "Pulling its image."},
    ]
    told = report.summary(services, {"steps": steps})
    assert told == "2/3 healthy; waiting for b. b: Building its image."


def test_causes_name_only_what_went_wrong() -> None:
    operation = {
        "results": {
            "a": {"outcome": "already_running", "cause": "as wished"},
            "b": {"outcome": "failed", "cause": "Step 2 failed.", "detail": "make: error 7"},
            "c": {"outcome": "blocked", "cause": "b failed", "detail": "make: error 7"},
        }
    }
    assert report.causes(operation) == [
        ("b", "b: failed: Step 2 failed.\nmake: error 7"),
        ("c", "c: blocked: b failed"),
    ]


def test_orphans_are_told_with_how_to_be_rid_of_them() -> None:
    assert report.orphans({"services": []}) == ""
    told = report.orphans({"orphans": [{"name": "shop-old-1", "service": "old"}]})
    assert "shop-old-1 (old)" in told
    assert "heal7 compose orphans --remove" in told


class FakeDoor(hub.HubDoor):
    """Tells of one service after another moment; `kind` is what is wrong with it."""

    def __init__(self, kind: str, *healths: str):
        super().__init__(1)
        self._healths = list(healths)
        self._kind = kind

    def get(self, path: str) -> dict[str, Any]:
        if path.startswith("/incidents/"):
            return {"state": "open", "kind": self._kind}
        health = self._healths.pop(0) if len(self._healths) > 1 else self._healths[0]
        return {"services": [{"name": "web", "health": health, "incident": "inc_1"}]}


@pytest.mark.parametrize(
    ("kind", "healths", "ended"),
    [
        ("crash", ("failed", "failed", "starting", "healthy"), "healthy"),
        # A person must mend that first; it is not waited for.
        ("config_error", ("failed", "failed"), "failed"),
        ("crash", ("stopped",), "stopped"),
    ],
)
def test_what_heals_by_itself_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, kind: str, healths: tuple[str, ...], ended: str
) -> None:
    monkeypatch.setattr(up, "_NOTICED_S", 0.2)
    shown: list[Mapping[str, Any]] = []
    status = up.await_healing(FakeDoor(kind, *healths), lambda told, _: shown.append(told))
    assert status["services"][0]["health"] == ended
    assert shown[-1] == status


def test_a_configuration_without_a_managed_service_is_refused_before_anything_is_done(
    tmp_path: Path,
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: i}}")
    (tmp_path / "config.yaml").write_text("")
    console, _ = plain()
    with pytest.raises(SetupError, match="No service is managed") as refused:
        up.up(tmp_path / "config.yaml", console=console)
    assert "compose.override.yaml" in (refused.value.remedy or "")


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
