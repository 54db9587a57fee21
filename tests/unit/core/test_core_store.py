"""The store keeps what it acknowledged, whatever happens to the hub that wrote it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from core_builders import NOW

from controller.errors import StoreError
from controller.model.text import text
from controller.model.view import (
    Desired,
    OperationKind,
    OperationStatus,
    OperationView,
    ServiceResult,
    Wish,
)
from controller.store.database import Database
from controller.store.schema import STEPS
from controller.store.state import StateStore, Stored

RUN, HALT = Wish(Desired.RUNNING), Wish(Desired.STOPPED)
ROOT = Path(__file__).parents[3]


def operation(
    number: int, *targets: str, kind: OperationKind = OperationKind.START
) -> OperationView:
    at = NOW + timedelta(seconds=number)
    return OperationView(f"op_{number}", kind, OperationStatus.RUNNING, targets, at, "curl")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "hub.sqlite3"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    opened = Database(file)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> StateStore:
    return StateStore(database)


async def test_wishes_come_back_as_written(store: StateStore) -> None:
    owed = Wish(Desired.RUNNING, "abc@2026")
    await store.begin(Stored(operation(1, "web"), {"web": owed, "db": RUN}, "cause.start"))
    assert await store.wishes() == {"web": owed, "db": RUN}
    await store.begin(Stored(operation(2, "web"), {"web": HALT}, "cause.stop"))
    assert await store.wishes() == {"web": HALT, "db": RUN}


async def test_an_operation_comes_back_as_written(store: StateStore) -> None:
    begun = operation(1, "web", "db")
    await store.begin(Stored(begun, {}, "cause.start"))
    assert await store.operation("op_1") == begun
    results = {
        "web": ServiceResult("started", text("cause.start"), 1200),
        "db": ServiceResult(
            "failed", text("fail.crashed", why=text("exit.oom"), line="x"), 3, "log"
        ),
    }
    ended = replace(begun, status=OperationStatus.FAILED, ended_at=NOW, results=results)
    await store.finish(ended)
    assert await store.operation("op_1") == ended
    assert await store.operation("op_2") is None


async def test_operations_come_newest_first(store: StateStore) -> None:
    for number in (2, 1, 3):
        await store.begin(Stored(operation(number), {}, "cause.start"))
    assert [o.id for o in await store.operations()] == ["op_3", "op_2", "op_1"]
    assert [o.id for o in await store.operations(1)] == ["op_3"]


async def test_a_finished_operation_owes_no_restart_to_targets_or_followers(
    store: StateStore,
) -> None:
    owed = Wish(Desired.RUNNING, "abc@2026")
    begun = operation(1, "db", kind=OperationKind.RESTART)
    await store.begin(Stored(begun, {"db": owed, "api": owed, "web": owed}, "cause.restart"))
    done = ServiceResult("restarted", text("cause.restart"), 1)
    await store.finish(replace(begun, results={"db": done, "api": done}))
    assert await store.wishes() == {"db": RUN, "api": RUN, "web": owed}


async def test_what_a_dead_hub_left_is_kept_until_it_is_taken_over(store: StateStore) -> None:
    for number in (2, 1):
        await store.begin(Stored(operation(number, "web"), {}, "cause.start"))
    assert [o.id for o in await store.unfinished()] == ["op_1", "op_2"]
    await store.begin(Stored(operation(3), {}, "cause.converge", supersedes=("op_1",)))
    await store.interrupt(["op_2"], NOW)
    assert [o.id for o in await store.unfinished()] == ["op_3"]
    taken = await store.operation("op_1")
    assert taken is not None
    assert taken.status is OperationStatus.INTERRUPTED
    assert taken.ended_at == operation(3).requested_at


async def test_adopted_wishes_are_the_hubs(store: StateStore, database: Database) -> None:
    await store.adopt({"web": RUN}, NOW)
    assert await store.wishes() == {"web": RUN}
    who = await database.read(lambda c: c.execute("SELECT changed_by FROM desired").fetchone()[0])
    assert who == "hub"


async def test_every_request_is_audited(store: StateStore, database: Database) -> None:
    await store.begin(Stored(operation(1, "web"), {"web": RUN}, "cause.start"))
    rows = await database.read(lambda c: [tuple(r) for r in c.execute("SELECT * FROM audit")])
    assert rows == [
        (1, "2026-03-01T12:00:01.000Z", "curl", "start", '["web"]', "cause.start", "op_1")
    ]


async def test_old_operations_are_pruned_and_running_ones_kept(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.store.state._KEEP_OPERATIONS", 2)
    await store.begin(Stored(operation(0), {}, "cause.start"))
    for number in range(1, 5):
        await store.begin(Stored(operation(number), {}, "cause.start"))
        await store.finish(replace(operation(number), status=OperationStatus.SUCCEEDED))
    assert [o.id for o in await store.operations()] == ["op_4", "op_3", "op_0"]


async def test_a_transaction_is_whole_or_not_at_all(store: StateStore) -> None:
    await store.begin(Stored(operation(1), {"web": RUN}, "cause.start"))
    with pytest.raises(StoreError, match="UNIQUE"):
        await store.begin(Stored(operation(1), {"web": HALT}, "cause.stop"))
    assert await store.wishes() == {"web": RUN}


async def test_files_are_for_the_hub_alone(store: StateStore, file: Path) -> None:
    await store.begin(Stored(operation(1), {"web": RUN}, "cause.start"))
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in file.parent.iterdir()}
    assert modes == dict.fromkeys(["hub.sqlite3", "hub.sqlite3-wal", "hub.sqlite3-shm"], 0o600)


async def test_the_schema_is_at_its_last_step(database: Database) -> None:
    (version,) = await database.read(lambda c: tuple(c.execute("PRAGMA user_version").fetchone()))
    assert version == len(STEPS)


async def test_a_newer_schema_is_refused_by_name(file: Path) -> None:
    first = Database(file)
    await first.open()
    await first.close()
    raw = sqlite3.connect(file)
    raw.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    raw.close()
    second = Database(file)
    with pytest.raises(StoreError, match=r"hub\.sqlite3 was written by a newer hub") as caught:
        await second.open()
    assert "newer version" in (caught.value.remedy or "")
    await second.close()


@pytest.fixture
def scribble(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("not a database, but long enough to be taken for a header of one " * 20)


@pytest.mark.usefixtures("scribble")
async def test_what_is_not_a_database_is_refused_by_name(file: Path) -> None:
    broken = Database(file)
    with pytest.raises(StoreError, match=r"hub\.sqlite3: file is not a database"):
        await broken.open()
    await broken.close()


async def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    broken = Database(tmp_path / "file" / "hub.sqlite3")
    with pytest.raises(StoreError, match="file"):
        await broken.open()
    await broken.close()


async def test_nothing_is_read_before_it_is_open(file: Path) -> None:
    closed = StateStore(Database(file))
    with pytest.raises(StoreError, match="is not open"):
        await closed.wishes()


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from controller.model.view import *
from controller.store.database import Database
from controller.store.state import StateStore, Stored

async def main():
    database = Database(Path(sys.argv[1]))
    await database.open()
    store, number = StateStore(database), 0
    while True:
        number += 1
        life = Wish(Desired.RUNNING, f"life-{number}")
        view = OperationView(f"op_{number:06}", OperationKind.RESTART, OperationStatus.RUNNING,
                             ("web",), datetime.now(UTC), "curl")
        await store.begin(Stored(view, {"web": life}, "cause.restart"))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_kill_in_mid_write_keeps_every_acknowledged_row(file: Path) -> None:
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
    stored = await StateStore(after).unfinished()
    wishes = await StateStore(after).wishes()
    audited = await after.read(lambda c: c.execute("SELECT count(*) FROM audit").fetchone()[0])
    await after.close()
    # One more may be on disk than was said; never one less, and never a part of one.
    assert len(stored) in (acknowledged, acknowledged + 1)
    assert audited == len(stored)
    assert wishes == {"web": Wish(Desired.RUNNING, f"life-{len(stored)}")}
