"""What is taken in is found again, in order and page by page, be it a row, a block or neither."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - seeded
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.errors import StoreError
from controller.logs.feed import Feed
from controller.logs.intake import Intake
from controller.logs.library import Library
from controller.logs.query import Query, terms
from controller.model.log import Entry, Found, Level, Stream
from controller.store.log_file import LogFile


def entry(at: int, text: str, level: Level = Level.INFO, run: str = "") -> Entry:
    return Entry(at, Stream.OUT, level, text, run)


@dataclass
class Shelf:
    file: Path
    intake: Intake
    library: Library

    async def put(self, service: str, entries: Sequence[Entry], container: str = "c") -> None:
        number, _, _ = await self.intake.source(service, f"{service}-{container}")
        await self.intake.take(number, entries, (entries[-1].at, 0))

    async def texts(self, query: Query, limit: int = 1_000, **more: object) -> list[str]:
        page = await self.library.find(query, limit, **more)  # type: ignore[arg-type]
        return [one.entry.text for one in page.entries]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Shelf]:
    file, feed = folder / "logs.sqlite3", Feed()
    intake = Intake(LogFile(file), feed, lambda text: text.replace("hunter2", "•••"))
    await intake.open()
    library = Library(file, intake, feed)
    yield Shelf(file, intake, library)
    library.close()
    await intake.close()


async def fill(shelf: Shelf, count: int) -> list[tuple[int, str, str]]:
    """Entries of three services in turn, written in several goes; (at, service, text) of all."""
    chance = random.Random(count)
    made: list[tuple[int, str, str]] = []
    at = 1_000
    while len(made) < count:
        service = chance.choice(("alpha", "beta", "감마"))
        size = chance.randrange(1, 120)
        batch = []
        for _ in range(size):
            at += chance.randrange(0, 3)
            text = f"line {len(made) + len(batch)} of {service} {'오류' if at % 7 == 0 else '정상'}"
            batch.append(entry(at, text, Level.ERROR if at % 7 == 0 else Level.INFO))
        made += [(one.at, service, one.text) for one in batch]
        await shelf.put(service, batch)
        if chance.random() < 0.4:
            await shelf.intake.write()
    return made


async def test_everything_is_found_in_order_page_by_page(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        made = await fill(shelf, 3_000)
        for newest_first in (True, False):
            got: list[Found] = []
            after = None
            while True:
                page = await shelf.library.find(
                    Query(), 250, after=after, newest_first=newest_first, budget_s=60
                )
                got += page.entries
                after = page.next
                if after is None:
                    break
            assert sorted(one.entry.text for one in got) == sorted(text for _, _, text in made)
            places = [one.place for one in got]
            assert places == sorted(places, reverse=newest_first)


async def test_filters_agree_with_a_plain_look_through_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        made = await fill(shelf, 2_000)
        middle = made[len(made) // 2][0]
        cases = {
            "service": (Query(services=frozenset({"감마"})), lambda a, s, t: s == "감마"),
            "word": (Query(words=("오류",)), lambda a, s, t: "오류" in t),
            "short": (Query(words=("7",)), lambda a, s, t: "7" in t),
            "not": (Query(without=("오류",)), lambda a, s, t: "오류" not in t),
            "level": (Query(level=Level.ERROR), lambda a, s, t: a % 7 == 0),
            "since": (Query(since=middle), lambda a, s, t: a >= middle),
            "until": (Query(until=middle), lambda a, s, t: a < middle),
            "both": (
                Query(services=frozenset({"beta"}), words=("line 1", "오류")),
                lambda a, s, t: s == "beta" and "line 1" in t and "오류" in t,
            ),
            "none": (Query(services=frozenset({"nobody"})), lambda a, s, t: False),
        }
        for name, (query, fits) in cases.items():
            expected = sorted(text for at, s, text in made if fits(at, s, text))
            assert sorted(await shelf.texts(query, 5_000, budget_s=60)) == expected, name


async def test_a_run_is_found_among_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.put("alpha", [entry(n, f"noise {n}") for n in range(600)])
        await shelf.put("beta", [entry(50, "mine", run="run_a"), entry(51, "other", run="run_b")])
        await shelf.put("beta", [entry(n, f"noise {n}") for n in range(600)])
        await shelf.intake.write()
        assert await shelf.texts(Query(run="run_a")) == ["mine"]


async def test_the_time_for_a_search_is_kept_and_it_can_be_gone_on_with(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for n in range(20):
            await shelf.put("alpha", [entry(n * 1_000 + k, f"line {k}") for k in range(256)])
        await shelf.intake.write()
        query, after, got, rounds = Query(words=("line 7", "7")), None, [], 0
        while True:
            page = await shelf.library.find(query, 5_000, after=after, budget_s=0)
            got += page.entries
            rounds += 1
            if page.next is None:
                break
            assert page.reached is not None
            after = page.next
        assert rounds > 2
        wanted = 20 * sum(f"line {k}".startswith("line 7") for k in range(256))
        assert len({one.id for one in got}) == len(got) == wanted


async def test_what_was_written_is_there_after_a_restart_and_ids_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.put("alpha", [entry(n, f"first {n}") for n in range(300)])
    async with opened(tmp_path) as shelf:
        number, out, _ = await shelf.intake.source("alpha", "alpha-c")
        assert out == 299
        await shelf.put("alpha", [entry(1_000 + n, f"then {n}") for n in range(300)])
        await shelf.intake.write()
        page = await shelf.library.find(Query(), 1_000, newest_first=False)
        ids = [one.id for one in page.entries]
        assert ids == list(range(1, 601))
        shelf.intake.retire(number)
        await shelf.intake.write()
        assert len(await shelf.texts(Query())) == 600


async def test_what_is_masked_is_masked_before_anybody_sees_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.put("alpha", [entry(1, "password hunter2")])
        assert await shelf.texts(Query()) == ["password •••"]
        await shelf.intake.write()
    assert b"hunter2" not in b"".join(file.read_bytes() for file in files(tmp_path))


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_old_entries_are_dropped_by_age_and_by_size(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        chance = random.Random(1)
        for n in range(40):
            noise = [f"{chance.getrandbits(400):x}" for _ in range(256)]
            await shelf.put("alpha", [entry(n * 1_000 + k, t) for k, t in enumerate(noise)])
        await shelf.intake.write()
        whole = (await shelf.library.kept()).size
        gone = await shelf.intake.drop(5_000, 1 << 40)
        assert (gone.entries, gone.until, gone.more) == (5 * 256, 4_255, False)
        assert not await shelf.texts(Query(until=5_000))
        gone = await shelf.intake.drop(0, whole // 2)
        assert gone.entries
        kept = await shelf.library.kept()
        assert kept.size <= whole // 2
        left = await shelf.library.find(Query(), 20_000, budget_s=60)
        assert len(left.entries) == 40 * 256 - 5 * 256 - gone.entries
        assert left.entries[-1].entry.at > (gone.until or 0)
        # The index forgets them too.
        word = "".join(await shelf.texts(Query(), 1))[:40]
        assert len(await shelf.texts(Query(words=(word,)))) == 1


async def test_a_disk_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as shelf:
        file = shelf.intake._file
        real = file.write

        def refuse(*_: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(file, "write", refuse)
        await shelf.put("alpha", [entry(1, "first")])
        await shelf.intake.write()
        assert shelf.intake.problem == "the disk is full"
        await shelf.put("alpha", [entry(2, "second")])
        assert await shelf.texts(Query()) == ["second", "first"]
        monkeypatch.setattr(file, "write", real)
        await shelf.intake.write()
        assert shelf.intake.problem is None
        assert await shelf.texts(Query()) == ["second", "first"]


async def test_followers_wait_while_too_much_waits_for_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.put("alpha", [entry(n, "x") for n in range(16_384)])
        waiting = asyncio.ensure_future(shelf.put("alpha", [entry(99_999, "last")]))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        await shelf.intake.write()
        await waiting
        assert (await shelf.texts(Query(), 1)) == ["last"]


async def test_context_is_of_the_same_service(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for n in range(30):
            await shelf.put("alpha", [entry(n * 10, f"alpha {n}")])
            await shelf.put("beta", [entry(n * 10 + 1, f"beta {n}")])
        page = await shelf.library.find(Query(words=("alpha 15",)), 1)
        (hit,) = page.entries
        assert await shelf.library.entry(hit.place) == hit
        assert await shelf.library.entry((hit.place[0], hit.id + 1)) is None
        around = await shelf.library.around(hit.place, "alpha", 2)
        assert [one.entry.text for one in around] == [f"alpha {n}" for n in range(13, 18)]


async def test_following_begins_with_the_last_and_misses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.put("alpha", [entry(n, f"line {n}") for n in range(10)])
        await shelf.intake.write()
        got: list[str] = []
        seen = None
        async for entries, lost in shelf.library.follow(Query(words=("line",)), last=3):
            assert not lost
            got += [one.entry.text for one in entries]
            if len(got) == 3:
                await shelf.put("alpha", [entry(10, "line 10"), entry(11, "other")])
            if len(got) >= 4:
                seen = entries[-1].place
                break
        assert got == ["line 7", "line 8", "line 9", "line 10"]
        await shelf.put("alpha", [entry(12, "line 12"), entry(9, "line late")])
        async for entries, _ in shelf.library.follow(Query(words=("line",)), seen=seen):
            assert sorted(one.entry.text for one in entries) == ["line 12", "line late"]
            break


async def test_a_listener_that_is_too_slow_is_told_what_it_missed(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        following = shelf.library.follow(Query(), beat_s=0.01)
        # Nothing there: it only says that it is alive.
        assert await anext(following) == ((), 0)
        for n in range(50):
            await shelf.put("alpha", [entry(n * 100 + k, "x") for k in range(100)])
        entries, lost = await anext(following)
        assert (len(entries), lost) == (500, 3_000)
        await following.aclose()


def test_the_words_of_a_question() -> None:
    assert terms('Timeout "a  b" -주문 -"c d" -') == (("timeout", "a  b", "-"), ("주문", "c d"))
