"""The event stream: read as the WHATWG text has it, and resumed where it broke."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

import pytest

from controller.cli import events
from controller.cli.client import HubClient
from controller.cli.errors import HubUnreachable, ProblemAnswer
from controller.cli.sse import Event, parse, split
from tests.unit.cli.fakes import Answer, FakeHub, Heal7

A = b'{"service":{"name":"a","health":"healthy","reason":"It answers."}}'
B = b'{"service":{"name":"b","health":"held","reason":"Stopped."}}'
OPERATION = b'{"id":"o1","kind":"start","status":"running","targets":["a"]}'
FIRST = b"retry: 500\n: hello\n\nid: 1\nevent: service\ndata: " + A + b"\n\n"
SECOND = b"id: 2\r\nevent: operation\r\ndata: " + OPERATION + b"\r\n\r\n"
HALF = b'id: 3\nevent: service\ndata: {"service":'
THIRD = b"id: 3\nevent: service\ndata: " + B + b"\n\n"

DIED = '"id":"inc_1","service":"a","kind":"crash","cause":"It died."'
FROZEN = '"id":"reh_1","service":"a","fault":"hang","verdict":"It is frozen."'
HEALING = [
    f"id: {number}\nevent: {kind}\ndata: {{{facts}}}\n\n".encode()
    for number, (kind, facts) in enumerate(
        (
            ("incident", f'{DIED},"state":"open","outcome":null'),
            ("incident", f'{DIED},"state":"closed","outcome":"recovered"'),
            ("rehearsal", f'{FROZEN},"stage":"healing"'),
            ("hub", '"paused":true,"by":"curl"'),
            ("hub", '"paused":false,"by":null'),
        ),
        start=11,
    )
]


def sse(*parts: bytes) -> Answer:
    return Answer(stream=b"".join(parts), content_type="text/event-stream")


def test_parse_follows_the_standard() -> None:
    text = [":ping", "", "retry: 250", "data: a", "data:b", "", "id: 7", "", "event: x", "data", ""]
    assert list(parse(text)) == [
        Event(None, "message", "a\nb", 250),
        Event("7", "x", ""),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_split_takes_every_line_end_wherever_chunks_break(size: int) -> None:
    text = "a\r\nb\rc\n\nd\r\n\r\n판\u2028정\n".encode()
    chunks: Iterator[bytes] = (text[i : i + size] for i in range(0, len(text), size))
    assert list(split(chunks)) == ["a", "b", "c", "", "d", "", "판\u2028정"]


def test_a_broken_stream_is_resumed_after_the_last_whole_event(fake_hub: FakeHub) -> None:
    fake_hub.on("GET /events", sse(FIRST, SECOND, HALF), sse(THIRD))
    pauses: list[float] = []
    stream = events.follow(HubClient(fake_hub.url), pytest.fail, pause=pauses.append)
    assert [event.id for event in islice(stream, 3)] == ["1", "2", "3"]
    assert "Last-Event-ID" not in fake_hub.headers[0]
    assert fake_hub.headers[1]["Last-Event-ID"] == "2"
    assert pauses == [events.FIRST_PAUSE_S]


def test_a_hub_that_goes_away_is_waited_for_and_that_is_said_once(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.on("GET /events", sse(FIRST), sse(THIRD))
    client, said, pauses = HubClient(fake_hub.url), list[str](), list[float]()
    connect, calls = client.stream, iter(range(9))

    def flaky(path: str, last_id: str | None) -> Iterator[str]:
        if next(calls) in (1, 2):
            raise HubUnreachable("The hub is not running.")
        return connect(path, last_id)

    monkeypatch.setattr(client, "stream", flaky)
    stream = events.follow(client, said.append, pause=pauses.append)
    assert [event.id for event in islice(stream, 2)] == ["1", "3"]
    assert said == ["The hub is not running. Waiting for it to come back.", "Connected again."]
    assert pauses == [0.5, 1.0, 2.0]


def test_a_refusal_ends_it(fake_hub: FakeHub) -> None:
    fake_hub.problem("GET /events", 403, title="Refused", detail="Foreign origin.")
    with pytest.raises(ProblemAnswer, match=r"Refused: Foreign origin\."):
        next(events.follow(HubClient(fake_hub.url), pytest.fail))


def test_json_lines(fake_hub: FakeHub, heal7_process: Heal7) -> None:
    fake_hub.on("GET /events", sse(FIRST, SECOND), sse(THIRD))
    done = heal7_process("events", "--json", "--limit", "3", "--since", "0")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(event["id"], event["event"]) for event in told] == [
        ("1", "service"),
        ("2", "operation"),
        ("3", "service"),
    ]
    assert told[2]["data"] == {"service": {"name": "b", "health": "held", "reason": "Stopped."}}
    assert fake_hub.headers[0]["Last-Event-ID"] == "0"


def test_lines_for_people(fake_hub: FakeHub, heal7: Heal7) -> None:
    engine = b'id: 9\nevent: engine\ndata: {"connected":false,"since":"2026-01-02T03:04:05Z"}\n\n'
    other = b'id: 10\nevent: other\ndata: {"id":"x","level":3,"tags":["a"]}\n\n'
    fake_hub.on("GET /events", sse(FIRST, FIRST, SECOND, engine, other, *HEALING))
    done = heal7("events", "-n", "9")
    assert [line[10:] for line in done.stdout.splitlines()] == [
        f"{'service    a':35}  healthy: It answers.",
        f"{'operation  o1':35}  start running: a",
        f"{'engine':35}  cannot be reached",
        "other      x".ljust(35) + '  level=3 tags=["a"]',
        f"{'incident   a':35}  crash open: It died. (inc_1)",
        f"{'incident   a':35}  crash recovered: It died. (inc_1)",
        f"{'rehearsal  a':35}  hang healing: It is frozen. (reh_1)",
        f"{'hub':35}  paused by curl",
        f"{'hub':35}  not paused, it heals",
    ]
