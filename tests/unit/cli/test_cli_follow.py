"""Following operations: conflicts among our own, a hub that restarts, one that stays away."""

from __future__ import annotations

import pytest

from controller.cli import follow, render
from controller.cli.client import HubClient
from controller.cli.errors import HubUnreachable
from controller.cli.follow import Progress
from tests.unit.cli.fakes import Answer, FakeHub, operation, planned

CONFLICT = Answer(
    {"title": "Another operation is under way", "detail": "o1 acts on it.", "status": 409},
    409,
    "application/problem+json",
)


def ignore(_value: object) -> None:
    """Neither progress nor pauses matter here."""


def test_a_service_that_our_own_operation_holds_is_asked_for_again(fake_hub: FakeHub) -> None:
    fake_hub.on("POST /orchestration/services/a/start?wait=false", operation("o1", "running", "a"))
    fake_hub.on(
        "POST /orchestration/services/b/start?wait=false",
        CONFLICT,
        operation("o2", "running", "b"),
    )
    fake_hub.on("GET /orchestration/operations/o1", operation("o1", "succeeded", "a"))
    fake_hub.on("GET /orchestration/operations/o2", operation("o2", "succeeded", "b"))
    done = follow.run(HubClient(fake_hub.url), "start", ["a", "b"], ignore, pause=ignore)
    assert done.success
    assert list(done.operations) == ["a", "b"]


def test_a_conflict_with_somebody_else_is_a_problem(fake_hub: FakeHub) -> None:
    fake_hub.on("POST /orchestration/start-all?wait=false", CONFLICT)
    done = follow.run(HubClient(fake_hub.url), "start", [], ignore, pause=ignore)
    assert not done.success
    assert str(done.problems[None]) == "Another operation is under way: o1 acts on it."


def _broken(client: HubClient, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    get, left = client.get, [times]

    def flaky(path: str, *, timeout_s: float = 1.0) -> dict[str, object]:
        left[0] -= 1
        if left[0] >= 0:
            raise HubUnreachable("The hub is not running.")
        return get(path, timeout_s=timeout_s)

    monkeypatch.setattr(client, "get", flaky)


def test_a_hub_that_restarts_meanwhile_is_waited_for(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.on("POST /orchestration/start-all?wait=false", operation("o1", "running", "a"))
    fake_hub.on("GET /orchestration/operations/o1", operation("o1", "interrupted", "a"))
    client = HubClient(fake_hub.url)
    _broken(client, monkeypatch, times=3)
    seen: list[str | None] = []

    def show(now: Progress) -> None:
        seen.append(now.away)

    done = follow.run(client, "start", [], show, pause=ignore)
    assert not done.success
    assert seen == [None, *["The hub is not running."] * 3, None]


def test_a_hub_that_stays_away_is_given_up(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.on("POST /orchestration/start-all?wait=false", operation("o1", "running", "a"))
    client = HubClient(fake_hub.url)
    _broken(client, monkeypatch, times=99)
    with pytest.raises(HubUnreachable):
        follow.run(client, "start", [], ignore, patience_s=-1.0, pause=ignore)


def test_a_plan_of_several_lists_shared_steps_once(fake_hub: FakeHub) -> None:
    first = [planned(0, "start", "db", "db-1"), planned(1, "start", "a", "a-1", after=[0])]
    second = [
        planned(0, "start", "cache", "cache-1"),
        planned(1, "start", "db", "db-1"),
        planned(2, "start", "b", "b-1", after=[0, 1]),
    ]
    fake_hub.on(
        "POST /orchestration/services/a/start?dry_run=true",
        {"plan": first, "settled": {"b": "already_running", "c": "already_running"}},
    )
    fake_hub.on(
        "POST /orchestration/services/b/start?dry_run=true", {"plan": second, "settled": {}}
    )
    merged = follow.plan(HubClient(fake_hub.url), "start", ["a", "b"])
    assert [(s["id"], s["service"], s["after"]) for s in merged["plan"]] == [
        (0, "db", []),
        (1, "a", [0]),
        (2, "cache", []),
        (3, "b", [0, 2]),
    ]
    assert merged["settled"] == {"c": "already_running"}


def test_an_interrupted_operation_says_that_the_hub_goes_on() -> None:
    now = Progress(operations={None: operation("o1", "interrupted")})
    said = " ".join(line.plain for line in render.outcomes(now, 80, utf8=True))
    assert "o1 was interrupted" in said
    assert "the hub goes on with it" in said


def test_of_several_results_of_a_service_the_one_that_did_something_is_shown() -> None:
    done = operation("o1", "succeeded", "a")
    idle = operation("o2", "succeeded", "a", outcome="already_running")
    for first, second in ((done, idle), (idle, done)):
        merged = render.merged_results(Progress(operations={"x": first, "y": second}))
        assert merged["a"]["outcome"] == "started"
