"""What the journal in PostgreSQL promises beside that: several hubs, and a database that fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest

from controller.errors import StoreError, StoreFullError
from controller.model.run import RunStatus
from controller.store.journal import (
    Append,
    FencedError,
    Journal,
    Made,
    Mark,
    NewRun,
    StoreGoneError,
)
from controller.store.journal_postgres import PostgresBackend
from controller.store.journal_rows import Written
from tests.integration.it_journal import DONE, append, ids, new
from tests.integration.it_postgres import PASSWORD, Cluster, Look
from tests.integration.it_wait import eventually

MakeHub = Callable[..., PostgresBackend]


@pytest.fixture
def make_hub(dsn: str) -> Iterator[MakeHub]:
    """Opens hubs on the same PostgreSQL."""
    with ExitStack() as at_end:

        def make(**changes: Any) -> PostgresBackend:
            made = PostgresBackend(dsn, **changes)
            made.open()
            at_end.callback(made.close)
            at_end.callback(made.read_done)
            return made

        yield make


def test_hubs_that_start_at_once_make_one_schema(dsn: str, look: Look) -> None:
    hubs = [PostgresBackend(dsn) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for opened in [pool.submit(hub.open) for hub in hubs]:
            opened.result(60)
    assert len(look.hubs()) == 4
    for hub in hubs:
        hub.close()


def test_a_key_names_one_run_over_all_hubs(make_hub: MakeHub) -> None:
    one, other = make_hub(), make_hub()
    assert one.write([new("run_1", key="k", digest="a")]) == [Made("run_1", "a", True)]
    assert other.write([new("run_2", key="k", digest="b")]) == [Made("run_1", "a", False)]
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(hub.write, [new(f"{name}_{n}", key=f"k{n}") for n in range(200)])
            for hub, name in ((one, "one"), (other, "other"))
        ]
        mine, yours = (future.result(60) for future in asked)
    for a, b in zip(mine, yours, strict=True):
        assert isinstance(a, Made)
        assert isinstance(b, Made)
        assert a.run == b.run
        assert a.is_new is not b.is_new


def test_each_hub_has_its_own_runs_and_takes_over_those_of_the_dead(
    make_hub: MakeHub, look: Look
) -> None:
    one = make_hub()
    (name,) = look.hubs()
    other = make_hub()
    one.write([new("run_1"), new("run_2"), new("run_done", mark=DONE)])
    other.write([new("run_3")])
    assert [stored.line.id for stored in other.live()] == ["run_3"]
    assert one.beat() == other.beat() == []
    look.expire(name)
    assert sorted(other.beat()) == ["run_1", "run_2"]
    assert other.beat() == []
    assert [stored.line.id for stored in other.live()] == ["run_1", "run_2", "run_3"]
    assert ids(one) == ids(other)


def test_a_beat_keeps_a_hub_that_nobody_took_over(make_hub: MakeHub, look: Look) -> None:
    one = make_hub()
    (name,) = look.hubs()
    other = make_hub()
    one.write([new("run_1")])
    look.expire(name)
    # Late, and before anybody looked: what it writes is its own.
    assert one.write([append("run_1", 1)]) == [None]
    assert one.beat() == []
    assert other.beat() == []


def test_a_hub_that_was_taken_over_writes_nothing_and_goes_on_as_a_new_one(
    make_hub: MakeHub, look: Look
) -> None:
    one = make_hub()
    (name,) = look.hubs()
    other = make_hub()
    one.write([new("run_1")])
    one.write([append("run_1", 1)])
    look.expire(name)
    assert other.beat() == ["run_1"]
    for attempt in (
        lambda: one.write([append("run_1", 2)]),
        lambda: one.write([new("run_2")]),
        lambda: one.remember("a", "1"),
        one.beat,
    ):
        with pytest.raises(FencedError, match="another hub"):
            attempt()
    assert one.prune(9e9, 1) == 0
    assert one.beat() == []
    assert len(look.hubs()) == 2
    assert name not in look.hubs()
    assert one.live() == []
    # What it still had in mind of the old run is void, though the other wrote nothing yet.
    for late in (append("run_1", 1), append("run_1", 2, DONE)):
        (answer,) = one.write([late])
        assert isinstance(answer, FencedError)
    assert one.write([new("run_2")]) == [Made("run_2", "", True)]
    assert [stored.line.id for stored in one.live()] == ["run_2"]
    assert other.write([append("run_1", 2, DONE)]) == [None]
    stored = one.run("run_1")
    assert stored is not None
    assert stored.seq == 3


def test_two_hubs_that_take_over_at_once_share_without_a_run_in_both(
    make_hub: MakeHub, look: Look
) -> None:
    heirs = [make_hub(), make_hub(), make_hub()]
    living = set(look.hubs())
    for turn in range(10):
        dead = [make_hub() for _ in range(3)]
        names = [[f"run_{turn}_{hub}_{n}" for n in range(5)] for hub in range(3)]
        for hub, runs in zip(dead, names, strict=True):
            hub.write([new(run) for run in runs])
        for hub in set(look.hubs()) - living:
            look.expire(hub)
        together = threading.Barrier(3)

        def beat(hub: PostgresBackend, together: threading.Barrier = together) -> list[str]:
            together.wait(60)
            return hub.beat()

        with ThreadPoolExecutor(3) as pool:
            taken = [run for found in pool.map(beat, heirs) for run in found]
        # Whom two were burying at once is left for the next beat.
        taken += [run for hub in heirs for run in hub.beat()]
        assert sorted(taken) == sorted(run for runs in names for run in runs)
        owned = [stored.line.id for hub in heirs for stored in hub.live()]
        assert len(owned) == len(set(owned)) == 15 * (turn + 1)


def test_a_hub_in_the_middle_of_writing_is_taken_over_only_after_it(
    make_hub: MakeHub, look: Look, dsn: str
) -> None:
    one = make_hub()
    (name,) = look.hubs()
    other = make_hub()
    one.write([new("run_0", key="other")])
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(dsn) as rival:
            # Whoever begins a run with the key now waits for what becomes of this one.
            rival.execute(
                "INSERT INTO heal7.run (id, owner, workflow, definition, status, created_at, by,"
                " key, digest, steps)"
                " SELECT 'run_x', 'rival', workflow, definition, status, 1, 'me', 'k', '', 1"
                " FROM heal7.run"
            )
            writing = pool.submit(one.write, [new("run_1", key="k")])
            eventually(lambda: look.rows(waiting), 20, "it is in the middle of writing")
            look.expire(name)
            assert other.beat() == []
            rival.rollback()
        assert writing.result(60) == [Made("run_1", "", True)]
    assert sorted(other.beat()) == ["run_0", "run_1"]


def test_a_hub_frozen_in_a_transaction_keeps_nobody_waiting_for_long(
    make_hub: MakeHub, look: Look
) -> None:
    frozen = make_hub(lease_s=1.0)
    (name,) = look.hubs()
    frozen.write([new("run_1")])
    other = make_hub()
    with ExitStack() as frozen_in:
        frozen_in.enter_context(pytest.raises(StoreGoneError))
        frozen_in.enter_context(frozen._writing.transaction())
        frozen._writing.rows("SELECT id FROM hub WHERE id = %s FOR UPDATE", name)
        assert eventually(other.beat, 20, "its transaction is ended for it") == ["run_1"]
    with pytest.raises(FencedError):
        frozen.write([append("run_1", 1)])


def test_a_hub_that_says_goodbye_is_taken_over_at_once(make_hub: MakeHub) -> None:
    one, other = make_hub(), make_hub()
    one.write([new("run_1")])
    one.close()
    assert other.beat() == ["run_1"]


def test_whoever_resumes_an_ended_run_has_it_from_then_on(make_hub: MakeHub, look: Look) -> None:
    one = make_hub()
    (name,) = look.hubs()
    other = make_hub()
    failed = Mark(RunStatus.COMPENSATION_FAILED, 1.0, 2.0)
    one.write([new("run_1", mark=failed)])
    again = Mark(RunStatus.COMPENSATING, 1.0)
    assert other.write([append("run_1", 1, again)]) == [None]
    (late,) = one.write([append("run_1", 1, again, at=9.0)])
    assert isinstance(late, FencedError)
    assert [stored.line.id for stored in other.live()] == ["run_1"]
    look.expire(name)
    assert other.beat() == []
    assert other.write([append("run_1", 2, DONE)]) == [None]


def test_a_definition_that_another_hub_forgot_comes_back(make_hub: MakeHub) -> None:
    one, other = make_hub(), make_hub()
    one.write([new("run_1", mark=DONE)])
    assert other.prune(9e9, 100) == 1
    assert one.write([new("run_2")]) == [Made("run_2", "", True)]
    found = other.run("run_2")
    assert found is not None
    assert found.body == '{"steps":[]}'


def test_two_hubs_forget_at_once_and_never_more_than_is_to_go(make_hub: MakeHub) -> None:
    one, other = make_hub(), make_hub()
    for base in range(0, 1000, 500):
        one.write([new(f"run_{base + n:04}", mark=DONE) for n in range(500)])
    with ThreadPoolExecutor(2) as pool:

        def forget(hub: PostgresBackend) -> int:
            gone = 0
            while found := hub.prune(0.0, 100):
                gone += found
            return gone

        assert sum(pool.map(forget, (one, other))) == 900
    assert ids(one) == [f"run_{n:04}" for n in range(999, 899, -1)]


# What can go wrong with the database


def test_a_full_disk_is_said_and_nothing_is_written(make_hub: MakeHub, look: Look) -> None:
    hub = make_hub()
    hub.write([new("run_1")])
    look.rows(
        "CREATE FUNCTION heal7.full_disk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
    )
    look.rows(
        "CREATE TRIGGER full_disk BEFORE INSERT ON heal7.entry EXECUTE FUNCTION heal7.full_disk()"
    )
    with pytest.raises(StoreFullError, match="could not extend"):
        hub.write([new("run_2"), append("run_1", 1, DONE)])
    look.rows("DROP TRIGGER full_disk ON heal7.entry")
    assert ids(hub) == ["run_1"]
    assert [(s.line.status, s.seq) for s in hub.live()] == [(RunStatus.RUNNING, 1)]
    assert hub.write([append("run_1", 1, DONE)]) == [None]


def test_a_connection_that_was_cut_comes_back(make_hub: MakeHub, look: Look) -> None:
    hub = make_hub()
    hub.write([new("run_1")])
    assert ids(hub) == ["run_1"]
    look.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(StoreGoneError) as caught:
        hub.write([append("run_1", 1, DONE)])
    assert "PostgreSQL database postgres at 127.0.0.1:" in caught.value.detail
    assert hub.write([append("run_1", 1, DONE)]) == [None]
    # Reading is tried again at once.
    assert ids(hub) == ["run_1"]


@pytest.mark.parametrize(
    "dsn_of",
    [
        lambda c: c.dsn("nowhere"),
        lambda c: c.dsn("postgres", f"{PASSWORD}-wrong"),
        lambda c: f"postgresql://heal7:{PASSWORD}@127.0.0.1:1/x",
        lambda c: f"postgresql://heal7:{PASSWORD}@127.0.0.1:{PASSWORD}/x?{PASSWORD}=1",
        lambda c: f"{PASSWORD}",
    ],
    ids=["no database", "wrong password", "nobody listens", "bad address", "no address"],
)
def test_a_database_that_cannot_be_had_is_named_and_the_password_is_not(
    cluster: Cluster, dsn_of: Callable[[Cluster], str]
) -> None:
    with pytest.raises(StoreError, match="PostgreSQL database") as caught:
        PostgresBackend(dsn_of(cluster)).open()
    assert PASSWORD not in caught.value.detail
    assert caught.value.remedy


def test_a_database_that_would_not_wait_for_its_disk_is_told_to(dsn: str) -> None:
    lax = f"{dsn}?options=-csynchronous_commit%3Doff"
    assert Look(lax).rows("SHOW synchronous_commit") == [("off",)]
    with closing(PostgresBackend(lax)) as hub:
        hub.open()
        assert hub._writing.rows("SHOW synchronous_commit") == [("on",)]


class Held(PostgresBackend):
    """Its writer's thread is kept in `recall` until `go`; `groups` is what came together then."""

    def __init__(self, dsn: str):
        super().__init__(dsn)
        self.go = threading.Event()
        self.groups: list[int] = []

    def recall(self, name: str) -> str | None:
        assert self.go.wait(60)
        return None

    def write(self, batch: Sequence[NewRun | Append]) -> Written:
        self.groups.append(len(batch))
        return super().write(batch)


async def test_one_bad_item_does_not_fail_the_others_of_its_group(dsn: str) -> None:
    backend = Held(dsn)
    journal = Journal(backend)
    await journal.open()
    try:
        items = (new("run_1"), new("run_2", key="\0"), new("run_3"))
        tasks = [
            asyncio.create_task(journal.recall("")),
            *map(asyncio.create_task, [journal.create(item) for item in items]),
        ]
        await asyncio.sleep(0)
        backend.go.set()
        _, good, bad, good_too = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await journal.close()
    assert isinstance(bad, StoreError)
    assert [good, good_too] == [Made("run_1", "", True), Made("run_3", "", True)]
    assert backend.groups == [3, 1, 1, 1]
