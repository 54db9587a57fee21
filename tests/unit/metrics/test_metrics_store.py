"""What is recorded is found again: over a restart, over the packing of hours, until it is too old;
and a disk that cannot be written hurts nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from controller import clock
from controller.errors import StoreError
from controller.metrics.library import Library, Told
from controller.metrics.recorder import DAY_S, HOUR_S, Keeping, Recorder
from controller.model.metric import AVAILABILITY, CPU, HUB, P95, RESTARTS, Bucket, Scope, Subject
from controller.store.metrics_file import MetricsFile, PackedBlock, Tier
from tests.unit.metrics.metrics_builders import WEB, Shelf, near, opened, sample

NOW = int(clock.epoch()) // HOUR_S * HOUR_S
"""A full hour in the past: what is kept is judged by the clock."""


def begins(file: Path) -> tuple[list[int], list[int]]:
    """Where raw and rolled blocks begin."""
    connection = sqlite3.connect(file)
    rows = connection.execute("SELECT tier, first_at FROM block").fetchall()
    connection.close()
    raw, rolled = ([at for tier, at in rows if tier == kind] for kind in Tier)
    return raw, rolled


async def values(shelf: Shelf, since: int, until: int, points: int = 400) -> list[float]:
    found = await shelf.library.history(WEB, [CPU], since, until, points)
    return [round(v, 6) for v in found.lines[0].now.values if v is not None]


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for n in range(3):
            await shelf.record(NOW + n * 10, {WEB: sample(NOW + n * 10, n), HUB: Bucket(NOW, 10)})
        # Not closed: as if the process had been killed.
        async with opened(tmp_path) as other:
            assert await values(other, NOW, NOW + 30) == [0, 1, 2]
            assert other.library.knows(HUB)
            await other.record(NOW + 30, {WEB: sample(NOW + 30, 3)})
            assert await values(other, NOW, NOW + 40) == [0, 1, 2, 3]


async def test_an_hour_that_is_over_is_packed_and_reads_the_same(tmp_path: Path) -> None:
    begin = NOW - HOUR_S
    async with opened(tmp_path) as shelf:
        for n in range(0, 360, 30):
            at = begin + n * 10
            await shelf.record(at, {WEB: sample(at, n, took_ms=[n + 1], restarts=1)})
        await shelf.record(NOW, {WEB: sample(NOW, 1_000)})
        connection = sqlite3.connect(shelf.file)
        assert connection.execute("SELECT count(*) FROM recent").fetchone() == (1,)
        assert connection.execute("SELECT tier, count(*) FROM block GROUP BY 1").fetchall() == [
            (0, 1),
            (1, 1),
        ]
        connection.close()
        expected = [*range(0, 360, 30), 1_000]
        assert await values(shelf, begin, NOW + 10) == expected
        coarse = await shelf.library.history(WEB, [CPU, RESTARTS, P95], begin, NOW + 10, 4)
        assert coarse.over.step >= 300
        cpu, restarts, p95 = (one.now for one in coarse.lines)
        assert cpu.whole is not None
        assert near(cpu.whole, sum(expected) / len(expected))
        assert restarts.whole == 12
        assert p95.whole == pytest.approx(330, rel=0.2)
    async with opened(tmp_path) as again:
        assert await values(again, begin, NOW + 10) == expected


async def test_hours_of_a_day_gather_in_one_rolled_block(tmp_path: Path) -> None:
    day = NOW - NOW % DAY_S - DAY_S
    async with opened(tmp_path) as shelf:
        for hour in range(4):
            for n in range(0, 360, 60):
                at = day + hour * HOUR_S + n * 10
                await shelf.record(at, {WEB: sample(at, hour)})
        connection = sqlite3.connect(shelf.file)
        assert connection.execute("SELECT count(*) FROM block WHERE tier=1").fetchone() == (1,)
        connection.close()
        found = await shelf.library.history(WEB, [CPU], day, day + 4 * HOUR_S, 4)
        assert [round(v or -1) for v in found.lines[0].now.values] == [-1, 1, 2, 3]
        assert found.lines[0].now.values[0] == 0


async def test_yesterday_stands_beside_today(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for at in (NOW - DAY_S, NOW - DAY_S + 10):
            await shelf.record(at, {WEB: sample(at, 2.0)})
        await shelf.record(NOW, {WEB: sample(NOW, 3.0)})
        found = await shelf.library.history(WEB, [CPU], NOW, NOW + 60, 10, compare_s=DAY_S)
        one = found.lines[0]
        assert one.before is not None
        assert list(one.before.values)[:2] == [2.0, 2.0]
        assert one.now.values[0] == 3.0
        assert one.change == 0.5


async def test_what_is_too_old_goes_oldest_first(tmp_path: Path) -> None:
    keeping = Keeping(raw_s=2 * HOUR_S, rolled_s=2 * DAY_S)
    async with opened(tmp_path, keeping) as shelf:
        times = (NOW - 4 * DAY_S, NOW - DAY_S, NOW - HOUR_S, NOW)
        for at in times:
            await shelf.record(at)
        raw, rolled = begins(shelf.file)
        assert raw == [NOW - HOUR_S]
        assert min(rolled) == NOW - DAY_S - NOW % 300
        # A fine question about a time of which only coarse is left is answered coarsely.
        found = await shelf.library.history(WEB, [CPU], NOW - DAY_S - 60, NOW - DAY_S + 600, 100)
        assert found.over.step == 300
        assert [v for v in found.lines[0].now.values if v is not None] == [1.0]


class Broken(MetricsFile):
    """A disk that is full for a while."""

    full = False

    def append(self, rows: Sequence[tuple[int, bytes]]) -> None:
        if self.full:
            raise StoreError("metrics.sqlite3: database or disk is full")
        super().append(rows)

    def seal(self, blocks: Sequence[PackedBlock], until: int) -> None:
        if self.full:
            raise StoreError("metrics.sqlite3: database or disk is full")
        super().seal(blocks, until)


async def test_what_comes_while_the_disk_is_full_is_kept_and_written_later(tmp_path: Path) -> None:
    file = Broken(tmp_path / "metrics.sqlite3")
    recorder = Recorder(file, Keeping())
    await recorder.open()
    library = Library(tmp_path / "metrics.sqlite3", recorder, Keeping())
    shelf = Shelf(tmp_path / "metrics.sqlite3", recorder, library)
    begin = NOW - 20
    await shelf.record(begin, {WEB: sample(begin, 0)})
    file.full = True
    for n in range(1, 5):
        await shelf.record(begin + n * 10, {WEB: sample(begin + n * 10, n)})
        assert recorder.problem == "metrics.sqlite3: database or disk is full"
        assert await values(shelf, begin, NOW + 60) == list(range(n + 1))
    file.full = False
    await shelf.record(begin + 50, {WEB: sample(begin + 50, 5)})
    assert recorder.problem is None
    library.close()
    await recorder.close()
    async with opened(tmp_path) as again:
        assert await values(again, begin, NOW + 60) == list(range(6))


async def test_a_disk_full_for_days_does_not_fill_the_memory(tmp_path: Path) -> None:
    file = Broken(tmp_path / "metrics.sqlite3")
    recorder = Recorder(file, Keeping())
    await recorder.open()
    file.full = True
    for n in range(48):
        await recorder.record(NOW + n * 1_800, {WEB: sample(NOW + n * 1_800)})
    table = recorder.running(WEB)
    assert table is not None
    assert min(table.times) == NOW + 47 * 1_800 - 6 * HOUR_S
    await recorder.close()


async def test_a_file_that_is_none_hurts_nobody_and_can_be_moved_away(tmp_path: Path) -> None:
    (tmp_path / "metrics.sqlite3").write_bytes(b"this is not a database" * 200)
    async with opened(tmp_path) as shelf:
        assert "not a database" in str(shelf.recorder.problem)
        await shelf.record(NOW, {WEB: sample(NOW, 7)})
        assert await values(shelf, NOW, NOW + 10) == [7]
        (tmp_path / "metrics.sqlite3").unlink()
        await shelf.record(NOW + 10, {WEB: sample(NOW + 10, 8)})
        assert shelf.recorder.problem is None
        assert await values(shelf, NOW, NOW + 20) == [7, 8]


async def test_a_damaged_block_is_a_gap(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.record(NOW - HOUR_S, {WEB: sample(NOW - HOUR_S, 1)})
        await shelf.record(NOW, {WEB: sample(NOW, 2)})
        connection = sqlite3.connect(shelf.file)
        connection.execute("UPDATE block SET body = x'00'")
        connection.commit()
        connection.close()
        assert await values(shelf, NOW - HOUR_S, NOW + 10) == [2]
        await shelf.record(NOW + HOUR_S, {WEB: sample(NOW + HOUR_S, 3)})
        assert shelf.recorder.problem is None


async def test_a_damaged_row_is_a_gap(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for n in range(3):
            await shelf.record(NOW + n * 10, {WEB: sample(NOW + n * 10, n)})
    connection = sqlite3.connect(tmp_path / "metrics.sqlite3")
    connection.execute("UPDATE recent SET body = x'0102' WHERE at = ?", (NOW + 10,))
    connection.commit()
    connection.close()
    async with opened(tmp_path) as again:
        assert again.recorder.problem is None
        assert await values(again, NOW, NOW + 30) == [0, 2]


async def test_a_summary_says_what_is_now_and_what_was(tmp_path: Path) -> None:
    late = int(clock.epoch()) // 10 * 10 - 10
    flow = Subject(Scope.WORKFLOW, "flow")
    async with opened(tmp_path) as shelf:
        for at in (NOW - 5 * DAY_S, NOW - 2 * HOUR_S, late):
            up = 0 if at == NOW - 2 * HOUR_S else 10
            await shelf.record(at, {WEB: sample(at, 2.0, up=up, took_ms=[4.0])})
        web, other, hub = await shelf.library.summaries(
            {WEB: Told(), flow: Told(), HUB: Told()}, HOUR_S
        )
        assert web.last is not None
        assert web.last.at == late
        assert web.lines[AVAILABILITY.name].now.whole == 1.0
        shares = {name: found.share for name, found in web.availability.items()}
        assert shares == {"24h": 0.5, "7d": 2 / 3, "30d": 2 / 3}
        assert web.availability["30d"].due_s == 30
        assert web.trend is None
        assert (other.last, other.availability) == (None, {})
        assert hub.lines[CPU.name].now.whole is None


async def test_a_sample_of_long_ago_is_not_shown_as_now(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.record(NOW - 7_200)
        (web,) = await shelf.library.summaries({WEB: Told()}, 6 * HOUR_S)
        assert web.last is None
        assert web.lines[CPU.name].now.whole == 1.0
