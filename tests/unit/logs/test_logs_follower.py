"""A container's output is followed over ends, losses and floods, each line once."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import pytest

from controller.engine.log_stream import LogStreams
from controller.errors import EngineNotFoundError, EngineUnreachableError
from controller.logs import follower as module
from controller.logs.budget import Budget
from controller.logs.follower import Follower, Place
from controller.model.log import Entry, Stream

BASE = 1_764_095_623


def frame(second: int, text: str, stream: int = 1) -> bytes:
    stamp = f"2025-11-25T18:33:{43 + second:02d}.000000000Z "
    payload = (stamp + text + "\n").encode()
    return struct.pack(">BxxxI", stream, len(payload)) + payload


@dataclass
class FakeStream:
    pieces: list[bytes]
    has_terminal: bool = False
    stays: bool = False

    async def read(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        if self.stays:
            await asyncio.Event().wait()
        return b""


@dataclass
class FakeStreams:
    """Gives what it is told to, one opening after the other."""

    answers: list[FakeStream | Exception]
    asked: list[tuple[int | None, int]] = field(default_factory=list)

    @asynccontextmanager
    async def open(
        self, container_id: str, *, since: int | None, last: int
    ) -> AsyncIterator[FakeStream]:
        self.asked.append((since, last))
        answer = self.answers.pop(0) if self.answers else EngineNotFoundError("gone")
        if isinstance(answer, Exception):
            raise answer
        yield answer


@dataclass
class FakeIntake:
    entries: list[Entry] = field(default_factory=list)
    done: tuple[int, int] = (0, 0)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, source: int, entries: Sequence[Entry], done: tuple[int, int]) -> None:
        self.entries += entries
        self.came.set()
        self.done = done


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", (0.001,))


async def followed(
    streams: FakeStreams, intake: FakeIntake, place: Place | None = None
) -> Follower:
    follower = Follower(
        "c", place or Place(1, 0, 0), as_streams(streams), intake, [Budget(1e9, 0.0)]
    )
    follower.running.set()
    await asyncio.wait_for(follower.run(), 60)
    return follower


def as_streams(fake: FakeStreams) -> LogStreams:
    return fake  # type: ignore[return-value]


async def test_it_goes_on_where_the_stream_ended() -> None:
    streams = FakeStreams(
        [
            FakeStream([frame(0, "one"), frame(1, "two")]),
            EngineUnreachableError("away"),
            # The engine gives the last line again where two have the same time.
            FakeStream([frame(1, "two"), frame(2, "three")]),
        ]
    )
    intake = FakeIntake()
    await followed(streams, intake)
    assert [one.text for one in intake.entries] == ["one", "two", "three"]
    first, second, third, _ = (since for since, _ in streams.asked)
    assert first is None
    # Standard error said nothing yet, so all that may be its is asked for again.
    assert second == third
    assert intake.done[0] == intake.entries[-1].at


async def test_streams_are_told_apart_when_it_goes_on() -> None:
    at = 1_764_095_623 * 10**9
    streams = FakeStreams(
        [
            FakeStream(
                [frame(0, "out 0"), frame(0, "err 0", 2), frame(1, "out 1"), frame(2, "err 2", 2)]
            )
        ]
    )
    intake = FakeIntake()
    await followed(streams, intake, Place(1, out=at + 10**9, err=at))
    assert [one.text for one in intake.entries] == ["err 2"]


async def test_what_is_quiet_for_a_moment_is_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET_S", 0.01)
    intake = FakeIntake()
    streams = FakeStreams([FakeStream([frame(0, "only")], stays=True)])
    follower = Follower("c", Place(1, 0, 0), as_streams(streams), intake, [Budget(1e9, 0.0)])
    task = asyncio.ensure_future(follower.run())
    await asyncio.wait_for(intake.came.wait(), 60)
    task.cancel()
    assert [one.text for one in intake.entries] == ["only"]


async def test_a_hopeless_flood_is_skipped_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.Lag, "hopeless", lambda self, lag_s, now: lag_s > 3600)
    streams = FakeStreams(
        [FakeStream([frame(0, "old"), frame(1, "never read")], stays=True), FakeStream([])]
    )
    intake = FakeIntake()
    await followed(streams, intake)
    old, gap = intake.entries
    assert old.text == "old"
    assert gap.stream is Stream.HUB
    key, facts = orjson.loads(gap.text)
    assert key == "logs.gap.flood"
    assert facts["seconds"] > 3600
    # It begins at the end, not at the place it had reached.
    assert streams.asked[1] == (None, 0)
    assert intake.done == (gap.at, gap.at)


async def test_a_stream_that_is_none_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    streams = FakeStreams([FakeStream([b"\x09nonsense"]), FakeStream([frame(0, "one")])])
    intake = FakeIntake()
    await followed(streams, intake)
    assert [one.text for one in intake.entries] == ["one"]
    assert "not one of the engine's" in caplog.text


async def test_what_is_cut_off_at_the_beginning_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST", 2)
    streams = FakeStreams([FakeStream([frame(0, "one") + frame(1, "two")])])
    intake = FakeIntake()
    await followed(streams, intake)
    assert [one.stream for one in intake.entries] == [Stream.HUB, Stream.OUT, Stream.OUT]


async def test_nothing_is_lost_where_the_clock_steps_back() -> None:
    pieces = [frame(5, "before"), frame(3, "after"), frame(6, "later")]
    intake = FakeIntake()
    await followed(FakeStreams([FakeStream(pieces)]), intake)
    assert [entry.text for entry in intake.entries] == ["before", "after", "later"]
