"""What healing remembers comes back as written, whatever happens to the hub that wrote it."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from core_builders import NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import StoreError
from controller.model.incident import Ending, Incident, Kind
from controller.model.recovery import Pause, Record
from controller.model.rehearsal import Fault, Rehearsal, Stage
from controller.model.text import Text, text
from controller.model.view import Desired, Wish
from controller.store.database import Database
from controller.store.healing import HealingStore
from controller.store.schema import STEPS
from controller.store.state import StateStore

ROOT = Path(__file__).parents[3]


def incident(number: int, service: str = "web", *, closed: bool = False) -> Incident:
    at = NOW + timedelta(seconds=number)
    return Incident(
        f"inc_{number}",
        service,
        Kind.CRASH,
        text("exit.code", code=1),
        opened_at=at,
        detected_at=at,
        closed_at=at if closed else None,
        outcome=Ending.RECOVERED if closed else None,
    )


def rehearsal(number: int) -> Rehearsal:
    at = NOW + timedelta(seconds=number)
    said = text("phase.waiting")
    return Rehearsal(f"reh_{number}", "web", Fault.HANG, Stage.INJECTING, at, "curl", 30.0, said)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite3"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    opened = Database(file)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> HealingStore:
    return HealingStore(database)


# -- what is written is what is read

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers() | st.floats(allow_nan=False)
TEXTS = st.recursive(
    st.builds(Text, WORDS, st.dictionaries(WORDS, WORDS | NUMBERS, max_size=3)),
    lambda inner: st.builds(Text, WORDS, st.dictionaries(WORDS, inner | WORDS, max_size=2)),
    max_leaves=3,
)
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Text: TEXTS,
}


def whole(kind: Any) -> st.SearchStrategy[Any]:
    """Values of `kind` with every field filled in, those with a default and new ones too."""
    if kind in PLAIN:
        return PLAIN[kind]
    if dataclasses.is_dataclass(kind):
        fields = get_type_hints(kind)
        return st.builds(kind, **{name: whole(hint) for name, hint in fields.items()})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    inner = get_args(kind)
    if get_origin(kind) is tuple:
        return st.lists(whole(inner[0]), max_size=2).map(tuple)
    if get_origin(kind) is Mapping:
        return st.dictionaries(whole(inner[0]), whole(inner[1]), max_size=2)
    return st.one_of(*map(whole, inner))


@given(record=whole(Record), fault=whole(Incident), rehearsed=whole(Rehearsal))
@settings(max_examples=60, deadline=None)
def test_everything_comes_back_as_written(
    record: Record, fault: Incident, rehearsed: Rehearsal
) -> None:
    async def there_and_back(database: Database) -> None:
        store = HealingStore(database)
        await database.open()
        try:
            await store.save({"web": record}, [fault])
            await store.save_rehearsal(rehearsed)
            records, is_open, pause = await store.load()
            assert records == {"web": record}
            assert is_open == ({fault.id: fault} if fault.is_open else {})
            assert pause is None
            assert await store.incident(fault.id) == fault
            assert await store.rehearsal(rehearsed.id) == rehearsed
        finally:
            await database.close()

    with TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Database(Path(folder, "hub.sqlite3"))))


@pytest.mark.parametrize("value", [1, 1.0, 0.0, "1", "1.0", "true", float("inf"), 2**70])
async def test_facts_keep_their_kind(store: HealingStore, value: float | str) -> None:
    told = replace(incident(1), cause=text("exit.code", code=value))
    await store.save({}, [told])
    kept = await store.incident("inc_1")
    assert kept is not None
    assert repr(kept.cause.params) == repr(told.cause.params)


# -- finding them again


async def test_saving_again_replaces(store: HealingStore) -> None:
    await store.save({"web": Record(total=1), "db": Record()}, [incident(1)])
    await store.save({"web": Record(total=2)}, [replace(incident(1), kind=Kind.OOM)])
    records, is_open, _ = await store.load()
    assert records == {"web": Record(total=2), "db": Record()}
    assert is_open == {"inc_1": replace(incident(1), kind=Kind.OOM)}
    await store.save({}, [incident(1, closed=True)])
    assert (await store.load())[1] == {}
    assert await store.incident("inc_1") == incident(1, closed=True)
    assert await store.incident("inc_2") is None


@pytest.mark.parametrize(
    ("service", "is_open", "limit", "found"),
    [
        (None, None, 9, [4, 3, 2, 1]),
        (None, None, 2, [4, 3]),
        ("web", None, 9, [3, 1]),
        (None, True, 9, [4, 1]),
        (None, False, 9, [3, 2]),
        ("web", True, 9, [1]),
        ("db", False, 9, [2]),
        ("db", None, 1, [4]),
        ("'; DROP TABLE incident; --", None, 9, []),
    ],
)
async def test_incidents_are_found_newest_first(
    store: HealingStore, service: str | None, is_open: bool | None, limit: int, found: list[int]
) -> None:
    everything = [
        incident(2, "db", closed=True),
        incident(1),
        incident(4, "db"),
        incident(3, closed=True),
    ]
    await store.save({}, everything)
    shown = await store.incidents(service, is_open, limit)
    assert [i.id for i in shown] == [f"inc_{number}" for number in found]


async def test_old_incidents_are_pruned_and_open_ones_kept(
    store: HealingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.store.healing._KEEP_INCIDENTS", 2)
    await store.save({}, [incident(0)])
    for number in range(1, 5):
        await store.save({}, [incident(number, closed=True)])
    assert [i.id for i in await store.incidents(None, None, 9)] == ["inc_4", "inc_3", "inc_0"]


async def test_rehearsals_come_newest_first_and_old_ones_go(
    store: HealingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.store.healing._KEEP_REHEARSALS", 3)
    for number in (1, 3, 2, 4):
        await store.save_rehearsal(rehearsal(number))
    await store.save_rehearsal(replace(rehearsal(3), stage=Stage.PASSED))
    assert [r.id for r in await store.rehearsals(9)] == ["reh_4", "reh_3", "reh_2"]
    assert [r.id for r in await store.rehearsals(1)] == ["reh_4"]
    kept = await store.rehearsal("reh_3")
    assert kept is not None
    assert kept.stage is Stage.PASSED
    assert await store.rehearsal("reh_1") is None


async def test_a_pause_lasts_until_it_is_ended_and_both_are_audited(
    store: HealingStore, database: Database
) -> None:
    pause = Pause(NOW, "curl")
    await store.set_pause(pause, "curl", NOW)
    assert (await store.load())[2] == pause
    later = replace(pause, by="heal7")
    await store.set_pause(later, "heal7", NOW)
    assert (await store.load())[2] == later
    await store.set_pause(None, "someone", NOW + timedelta(seconds=1))
    assert (await store.load())[2] is None
    sql = "SELECT at, who, action, targets, cause, operation FROM audit ORDER BY id"
    rows = await database.read(lambda c: [tuple(r) for r in c.execute(sql)])
    assert rows == [
        ("2026-03-01T12:00:00.000Z", "curl", "pause", "[]", "cause.pause", None),
        ("2026-03-01T12:00:00.000Z", "heal7", "pause", "[]", "cause.pause", None),
        ("2026-03-01T12:00:01.000Z", "someone", "resume", "[]", "cause.resume", None),
    ]


async def test_a_row_that_cannot_be_read_is_told_as_one(
    store: HealingStore, database: Database
) -> None:
    await store.save({"web": Record()}, [])
    await database.write(lambda c: c.execute("UPDATE recovery SET body = '{\"streak\": []}'"))
    with pytest.raises(StoreError, match=r"(?s)stored row.*streak") as caught:
        await store.load()
    assert caught.value.remedy


async def test_attempts_and_incidents_are_written_together_or_not_at_all(
    store: HealingStore, database: Database
) -> None:
    await store.save({"web": Record(total=1)}, [incident(1)])
    await database.write(
        lambda c: c.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON incident"
            " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    )
    with pytest.raises(StoreError, match="the disk is full"):
        await store.save({"web": Record(total=2)}, [incident(2)])
    assert (await store.load())[0] == {"web": Record(total=1)}


# -- another hub's file


async def test_a_database_of_the_first_release_is_brought_up_to_date(file: Path) -> None:
    old = sqlite3.connect(file, isolation_level=None)
    old.executescript(f"BEGIN;{STEPS[0]};PRAGMA user_version = 1;COMMIT;")
    old.execute("INSERT INTO desired VALUES ('web', 'stopped', NULL, '2026-01-01T00:00:00Z', 'me')")
    old.close()
    database = Database(file)
    await database.open()
    store = HealingStore(database)
    assert await StateStore(database).wishes() == {"web": Wish(Desired.STOPPED)}
    assert await store.load() == ({}, {}, None)
    await store.save({"web": Record()}, [incident(1)])
    await store.set_pause(Pause(NOW, "me"), "me", NOW)
    await database.close()
    again = Database(file)
    await again.open()
    expected = ({"web": Record()}, {"inc_1": incident(1)}, Pause(NOW, "me"))
    assert await HealingStore(again).load() == expected
    await again.close()


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from controller.model.incident import *
from controller.model.recovery import Record
from controller.model.text import text
from controller.store.database import Database
from controller.store.healing import HealingStore

async def main():
    database = Database(Path(sys.argv[1]))
    await database.open()
    store, now, entries = HealingStore(database), datetime.now(UTC), ()
    while True:
        entries = (*entries, Entry(now, Act.RESTART, text("cause.restart"), "running"))
        fault = Incident("inc_1", "web", Kind.CRASH, text("x"), now, now, timeline=entries)
        await store.save({"web": Record(total=len(entries))}, [fault])
        print(len(entries), flush=True)

asyncio.run(main())
"""


async def test_kill_in_mid_write_forgets_no_attempt_and_counts_none_twice(file: Path) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(file), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < 25:
        acknowledged = int(await writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    for line in (await writer.stdout.read()).split():
        acknowledged = int(line)
    await writer.wait()

    after = Database(file)
    await after.open()
    records, is_open, _ = await HealingStore(after).load()
    await after.close()
    # One more may be on disk than was said; never one less, and never a part of one.
    assert records["web"].total in (acknowledged, acknowledged + 1)
    assert is_open["inc_1"].restarts == records["web"].total
