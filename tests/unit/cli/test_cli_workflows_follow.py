"""Following a run: by events, by asking, through a restart of the hub, and never past its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controller.cli import follow_run
from controller.cli.client import HubClient
from controller.cli.errors import HubUnreachable, ProblemAnswer
from controller.cli.follow_run import EventFeed, Resync, Watch, follow, told_by
from controller.cli.sse import Event
from tests.unit.cli.fakes import Answer, FakeHub, Heal7, run_step, workflow_run

ASK = "GET /workflows/runs/run_1"
RUNNING = workflow_run("running", run_step("a", "running"))
DONE = workflow_run("succeeded", run_step("a"), output={"x": 1})


class Script:
    """A feed that gives what it was given, one a look; then nothing."""

    def __init__(self, *news: Any, alive: bool = True) -> None:
        self._news: Iterator[Any] = iter(news)
        self.alive = alive

    def take(self, timeout_s: float) -> Any:
        return next(self._news, None)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by a tick whenever it is read."""
    at = [0.0]

    def read() -> float:
        at[0] += 0.1
        return at[0]

    monkeypatch.setattr("controller.clock.monotonic", read)
    return at


def ignore(_watch: object) -> None:
    """What is shown does not matter here."""


def told(status: str, after_ms: int, **facts: Any) -> dict[str, Any]:
    return workflow_run(status, elapsed_ms=after_ms, ended_at=None, **facts)


def test_events_move_it_and_the_end_is_asked_for(fake_hub: FakeHub, now: list[float]) -> None:
    fake_hub.on(ASK, DONE)
    seen: list[str] = []
    feed = Script(told("waiting", 1600), told("running", 1700), told("succeeded", 1800))
    done = follow(HubClient(fake_hub.url), RUNNING, lambda w: seen.append(w.status), feed)
    assert done.told == DONE
    assert seen == ["running", "waiting", "running", "succeeded"]
    assert fake_hub.asked == [ASK]


def test_what_comes_late_is_not_taken_for_news(fake_hub: FakeHub, now: list[float]) -> None:
    fake_hub.on(ASK, DONE)
    seen: list[str] = []
    feed = Script(told("running", 2000), told("waiting", 1700), Resync)
    follow(HubClient(fake_hub.url), RUNNING, lambda w: seen.append(w.status), feed)
    assert "waiting" not in seen


def test_without_events_it_is_asked_for(fake_hub: FakeHub, now: list[float]) -> None:
    fake_hub.on(ASK, RUNNING, RUNNING, DONE)
    assert follow(HubClient(fake_hub.url), RUNNING, ignore, Script(alive=False)).over
    assert fake_hub.asked == [ASK] * 3


def test_with_events_it_is_still_asked_for_now_and_then(
    fake_hub: FakeHub, now: list[float]
) -> None:
    fake_hub.on(ASK, DONE)
    assert follow(HubClient(fake_hub.url), RUNNING, ignore, Script()).over
    assert now[0] > follow_run.POLL_WITH_EVENTS_S


def away(client: HubClient, monkeypatch: pytest.MonkeyPatch, *failures: Exception) -> None:
    get, left = client.get, [*failures]

    def flaky(path: str) -> dict[str, Any]:
        if left:
            raise left.pop(0)
        return get(path)

    monkeypatch.setattr(client, "get", flaky)


GONE = HubUnreachable("The hub is not running.")
BUSY = ProblemAnswer(503, {"title": "Not yet"})


def test_a_hub_that_restarts_meanwhile_is_waited_for(
    fake_hub: FakeHub, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.on(ASK, RUNNING, DONE)
    client, seen = HubClient(fake_hub.url), list[str | None]()
    away(client, monkeypatch, GONE, BUSY)

    def show(watch: Watch) -> None:
        if not seen or seen[-1] != watch.away:
            seen.append(watch.away)

    assert follow(client, RUNNING, show, Script(alive=False)).told == DONE
    assert seen == [None, "The hub is not running.", "Not yet.", None]


def test_a_hub_that_stays_away_is_given_up_and_the_run_is_named(
    fake_hub: FakeHub, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = HubClient(fake_hub.url)
    away(client, monkeypatch, *[GONE] * 99)
    with pytest.raises(HubUnreachable) as given_up:
        follow(client, RUNNING, ignore, Script(alive=False), patience_s=5.0)
    assert now[0] > 5.0
    assert "heal7 runs run_1" in str(given_up.value.remedy)


def test_a_run_that_is_gone_is_a_refusal(fake_hub: FakeHub, now: list[float]) -> None:
    fake_hub.problem(ASK, 404, title="Not found")
    with pytest.raises(ProblemAnswer):
        follow(HubClient(fake_hub.url), RUNNING, ignore, Script(Resync))


def test_it_is_left_after_a_time(fake_hub: FakeHub, now: list[float]) -> None:
    left = follow(HubClient(fake_hub.url), RUNNING, ignore, Script(), timeout_s=2.0)
    assert (left.over, left.told) == (False, RUNNING)
    assert 2.0 <= now[0] < 3.0


def test_what_has_ended_is_not_followed(fake_hub: FakeHub) -> None:
    assert follow(HubClient(fake_hub.url), DONE, ignore, Script()).told == DONE
    assert fake_hub.asked == []


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (Event("1", "run", json.dumps(RUNNING)), RUNNING),
        (Event("1", "run", json.dumps({"at": "x", "run": RUNNING})), RUNNING),
        (Event("1", "run", json.dumps(RUNNING | {"id": "run_2"})), None),
        (Event("1", "run", "[1]"), None),
        (Event("1", "run", "{"), None),
        (Event("1", "resync", "{}"), Resync),
        (Event("1", "runs", '{"changed": 21}'), Resync),
        (Event("1", "service", '{"id": "run_1"}'), None),
    ],
)
def test_what_an_event_tells_of_a_run(event: Event, found: object) -> None:
    assert told_by(event, "run_1") == found


def test_the_stream_is_heard_and_its_end_is_noticed(fake_hub: FakeHub) -> None:
    stream = b"retry: 1\nid: 1\nevent: run\ndata: " + json.dumps(RUNNING).encode() + b"\n\n"
    closed = Answer({"title": "Refused"}, 403, "application/problem+json")
    fake_hub.on("GET /events", Answer(stream=stream, content_type="text/event-stream"), closed)
    feed = EventFeed(HubClient(fake_hub.url), "run_1").begin()
    assert [feed.take(10.0), feed.take(10.0)] == [Resync, RUNNING]
    feed.thread.join(60)
    assert not feed.thread.is_alive()
    assert not feed.alive
    assert feed.take(0.0) is None


def test_a_hub_without_events_is_only_asked(fake_hub: FakeHub) -> None:
    feed = EventFeed(HubClient(fake_hub.url), "run_1").begin()
    feed.thread.join(60)
    assert not feed.thread.is_alive()
    assert (feed.alive, feed.take(0.0)) == (False, None)


def test_events_for_people_tell_of_each_run_once(fake_hub: FakeHub, heal7: Heal7) -> None:
    told = [
        RUNNING,
        RUNNING | {"id": "run_2"},
        RUNNING | {"elapsed_ms": 1700},
        RUNNING | {"status": "waiting", "reason": "It waits."},
    ]
    parts = [f"id: {n}\nevent: run\ndata: {json.dumps(run)}\n\n" for n, run in enumerate(told)]
    stream = "".join(parts).encode()
    fake_hub.on("GET /events", Answer(stream=stream, content_type="text/event-stream"))
    done = heal7("events", "-n", "3")
    assert [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()] == [
        f"{'run        run_1':35}  saju_processing running",
        f"{'run        run_2':35}  saju_processing running",
        f"{'run        run_1':35}  saju_processing waiting: It waits.",
    ]
