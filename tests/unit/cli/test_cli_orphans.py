"""`heal7 compose orphans`: what it shows, that it asks first, and that it removes just what it
asked about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakes import FakeHub, Heal7

LISTED = "GET /orchestration/orphans"
REMOVED = "POST /orchestration/orphans/remove?wait=false"
OLD = {
    "name": "shop-old-1",
    "service": "old",
    "container_id": "a" * 64,
    "image": "shop/old:1",
    "state": "running",
    "since": "2026-01-02T03:04:05.000Z",
    "operation": None,
}
GONE = OLD | {"name": "shop-gone-1", "service": "gone", "container_id": "b" * 64, "state": "exited"}


def operation(status: str, outcome: str = "removed") -> dict[str, Any]:
    results = {"old": {"outcome": outcome, "cause": "It would not go.", "duration_ms": 120}}
    return {
        "id": "op_1",
        "kind": "remove_orphans",
        "status": status,
        "targets": ["old"],
        "results": {} if status == "running" else results,
        "steps": [{"op": "remove", "service": "old", "cause": "", "status": "done"}],
    }


@pytest.fixture
def hub(fake_hub: FakeHub) -> FakeHub:
    fake_hub.on(LISTED, {"orphans": [OLD, GONE]})
    fake_hub.on(REMOVED, operation("running"), status=202)
    fake_hub.on("GET /orchestration/operations/op_1", operation("running"), operation("succeeded"))
    return fake_hub


def test_they_are_shown_and_left_alone(hub: FakeHub, heal7: Heal7) -> None:
    done = heal7("compose", "orphans", TZ="UTC")
    assert done.returncode == 0, done.stderr
    assert "!  shop-old-1   old      running  2026-01-02 03:04  shop/old:1" in done.stdout
    assert "shop-gone-1" in done.stdout
    assert hub.asked == [LISTED]
    assert json.loads(heal7("compose", "orphans", "--json").stdout) == {"orphans": [OLD, GONE]}


def test_ps_names_them(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /orchestration/status", {"services": [], "orphans": [OLD]})
    told = " ".join(heal7("ps", TZ="UTC").stdout.split())
    assert "shop-old-1 (old, since 2026-01-02 03:04)" in told


def test_none_is_said_too(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(LISTED, {"orphans": []})
    for more in ((), ("--remove",)):
        done = heal7("compose", "orphans", *more)
        assert (done.returncode, done.stdout.split(":")[0]) == (0, "No orphans")
    removed = json.loads(heal7("compose", "orphans", "--remove", "--json").stdout)
    assert removed == {"success": True, "operations": [], "results": {}, "problems": []}


def test_just_the_named_one_is_removed(hub: FakeHub, heal7: Heal7) -> None:
    done = heal7("compose", "orphans", "shop-old-1", "--remove", "--yes")
    assert done.returncode == 0, done.stderr
    assert "old" in done.stdout
    assert "1 of 1 service done." in done.stdout
    assert [json.loads(body) for body in hub.bodies if body] == [{"containers": ["a" * 64]}]


def test_nobody_to_ask_is_a_wrong_use(hub: FakeHub, heal7: Heal7) -> None:
    done = heal7("compose", "orphans", "--remove")
    assert done.returncode == 2
    assert "shop-old-1, shop-gone-1 would be removed" in done.stderr
    assert hub.asked == [LISTED]


@pytest.mark.parametrize(("typed", "code", "asked"), [("y\n", 0, True), ("n\n", 1, False)])
def test_a_person_is_asked_first(
    hub: FakeHub,
    heal7: Heal7,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    asked: bool,
) -> None:
    monkeypatch.setattr("controller.cli.session._somebody_there", lambda: True)
    done = heal7("compose", "orphans", "--remove", stdin=typed)
    assert done.returncode == code
    assert "This stops and removes shop-old-1, shop-gone-1" in done.stderr
    assert (REMOVED in hub.asked) == asked


def test_a_name_that_is_none_of_them_is_refused(hub: FakeHub, heal7: Heal7) -> None:
    done = heal7("compose", "orphans", "shop-web-1", "--remove", "--yes")
    assert done.returncode == 1
    assert "shop-web-1 is not an orphan" in done.stderr
    assert hub.asked == [LISTED]


def test_one_that_could_not_be_removed_is_told(hub: FakeHub, heal7: Heal7) -> None:
    hub.on("GET /orchestration/operations/op_1", operation("failed", "failed"))
    done = heal7("compose", "orphans", "--remove", "-y")
    assert done.returncode == 1
    assert "It would not go." in done.stdout
