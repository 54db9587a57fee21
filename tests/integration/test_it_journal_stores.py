"""What every store of runs promises, asked of a SQLite file and of a real PostgreSQL alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from controller.errors import StoreError
from controller.model.run import RunStatus
from controller.model.text import text
from controller.store.journal import Append, Backend, FencedError, Made, Mark, Query
from controller.store.journal_postgres import PostgresBackend
from controller.store.journal_sqlite import SqliteBackend
from tests.integration.it_journal import DONE, RUNNING, append, event, ids, new
from tests.integration.it_postgres import Cluster, Look


class Store:
    """A place for runs that hubs open one after another."""

    def __init__(self, kind: str, folder: Path, cluster: Cluster | None):
        self.kind = kind
        self._file = folder / "runs.sqlite3"
        self._dsn = cluster.empty_database() if cluster else ""
        self._at_end = ExitStack()

    def hub(self) -> Backend:
        """A new hub, not open yet."""
        made: Backend = PostgresBackend(self._dsn) if self._dsn else SqliteBackend(self._file)
        self._at_end.callback(made.close)
        self._at_end.callback(made.read_done)
        return made

    def raise_schema(self) -> None:
        """As a hub of the future leaves it."""
        if self._dsn:
            Look(self._dsn).rows("INSERT INTO heal7.migration VALUES (99)")
            return
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute("PRAGMA user_version = 99")

    def close(self) -> None:
        self._at_end.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    cluster = request.getfixturevalue("cluster") if request.param == "postgres" else None
    made = Store(request.param, tmp_path, cluster)
    yield made
    made.close()


@pytest.fixture
def hub(store: Store) -> Backend:
    made = store.hub()
    made.open()
    return made


def test_a_run_comes_back_as_it_was_written(hub: Backend) -> None:
    why = text("run.waits_healing", service="가")
    first = (event(0.1 + 0.2, x={"deep": [1, None, "가"]}), event(2.0))
    given = new("run_1", key="k", digest="d", retry_of="run_0", by="앤", events=first, steps=7)
    assert hub.write([given]) == [Made("run_1", "d", True)]
    more = Append("run_1", 1, (event(5.0),), Mark(RunStatus.WAITING, None, None, why))
    assert hub.write([more]) == [None]
    found = hub.run("run_1")
    assert found is not None
    assert found.events == (*first, event(5.0))
    assert (found.seq, found.key, found.digest, found.body) == (2, "k", "d", given.body)
    line = found.line
    assert (line.status, line.reason, line.by) == (RunStatus.WAITING, why, "앤")
    assert (line.created_at, line.started_at, line.ended_at) == (1.0, 1.0, None)
    assert (line.retry_of, line.definition_hash, line.workflow) == ("run_0", "h", "w")
    assert (line.steps, line.done) == (7, None)
    assert hub.live() == [found]
    assert hub.run("run_x") is None
    hub.write([Append("run_1", 2, (event(6.0),), Mark(RunStatus.FAILED, 1.0, 6.0, None, 4))])
    (ended,) = hub.runs(Query()).lines
    assert (ended.steps, ended.done) == (7, 4)


def test_texts_that_no_database_takes_break_nothing(hub: Backend) -> None:
    odd = "\x00 \ud800 \u2028 가 \\u0000 \U0001f600"
    why = text("run.http", status=odd)
    mark = Mark(RunStatus.FAILED, 1.0, 2.0, why)
    given = new("run_1", by=f"me{odd}", body=f'{{"x":"{chr(0xD800)}"}}', events=(event(x=odd),))
    hub.write([given])
    hub.write([Append("run_1", 1, (event(3.0, **{odd: odd}),), mark), new("run_2")])
    found = hub.run("run_1")
    assert found is not None
    assert found.events == (event(x=odd), event(3.0, **{odd: odd}))
    assert found.line.reason == why
    assert found.body == '{"x":"\\ud800"}'
    assert found.line.by.startswith("me")


def test_a_group_of_a_thousand_runs_and_their_next_events(hub: Backend) -> None:
    names = [f"run_{number:04}" for number in range(1000)]
    made = hub.write([new(name, key=name) for name in names])
    assert made == [Made(name, "", True) for name in names]
    ends = [append(name, 1, DONE if number % 2 else None) for number, name in enumerate(names)]
    assert hub.write(ends) == [None] * 1000
    live = hub.live()
    assert [stored.line.id for stored in live] == names[::2]
    assert {stored.seq for stored in live} == {2}


def test_a_key_names_one_run_of_its_workflow(hub: Backend) -> None:
    first, again, other = hub.write(
        [
            new("run_1", key="k", digest="a"),
            new("run_2", key="k", digest="b"),
            new("run_3", key="k", workflow="other"),
        ]
    )
    assert (first, again) == (Made("run_1", "a", True), Made("run_1", "a", False))
    assert isinstance(other, Made)
    assert other.is_new
    assert hub.write([new("run_4", key="k", digest="c")]) == [Made("run_1", "a", False)]
    assert ids(hub) == ["run_3", "run_1"]
    assert hub.holder("w", "k") == Made("run_1", "a", False)
    assert hub.holder("w", "other") is None


def test_an_append_that_is_there_word_for_word_counts_as_written(hub: Backend) -> None:
    hub.write([new("run_1"), new("run_2")])
    end = append("run_1", 1, DONE)
    assert hub.write([end]) == [None]
    assert hub.write([append("run_2", 1), end]) == [None, None]
    found = hub.run("run_1")
    assert found is not None
    assert (found.seq, found.line.status) == (2, RunStatus.SUCCEEDED)


def test_an_append_whose_number_is_taken_is_refused_and_the_others_are_written(
    hub: Backend,
) -> None:
    hub.write([new("run_1"), new("run_2")])
    hub.write([append("run_1", 1)])
    failed = Mark(RunStatus.FAILED, 1.0, 2.0)
    batch = [append("run_1", 1, failed, at=9.0), append("run_2", 1, DONE), new("run_3")]
    late, none, made = hub.write(batch)
    assert isinstance(late, FencedError)
    assert (none, made) == (None, Made("run_3", "", True))
    found = [hub.run(name) for name in ("run_1", "run_2")]
    assert [f.line.status for f in found if f] == [RunStatus.RUNNING, RunStatus.SUCCEEDED]


def test_two_appends_of_a_run_in_one_group_leave_the_later_line(hub: Backend) -> None:
    hub.write([new("run_1", mark=Mark(RunStatus.PENDING))])
    late = Mark(RunStatus.SUCCEEDED, None, 7.0)
    assert hub.write([append("run_1", 1, RUNNING), append("run_1", 2, late)]) == [None, None]
    found = hub.run("run_1")
    assert found is not None
    assert (found.line.status, found.line.ended_at, found.seq) == (RunStatus.SUCCEEDED, 7.0, 3)


def test_pages_run_from_the_newest_to_the_oldest(hub: Backend) -> None:
    hub.write([new(f"run_{n}", workflow="odd" if n % 2 else "even") for n in range(5)])
    hub.write([append("run_3", 1, DONE)])
    first = hub.runs(Query(limit=2))
    rest = hub.runs(Query(limit=3, cursor=first.next))
    assert [line.id for line in (*first.lines, *rest.lines)] == [
        f"run_{n}" for n in (4, 3, 2, 1, 0)
    ]
    assert (first.next, rest.next) == ("run_3", None)
    odd = hub.runs(Query("odd", RunStatus.RUNNING))
    assert [line.id for line in odd.lines] == ["run_1"]


def test_ended_runs_are_forgotten_by_age_and_by_number(hub: Backend) -> None:
    hub.write([new(f"run_{n}", created_at=float(n), mark=DONE) for n in range(6)])
    hub.write([new("run_live", created_at=0.0)])
    assert hub.prune(2.0, 100) == 2
    assert hub.prune(2.0, 100) == 0
    assert hub.prune(0.0, 3) == 2
    assert ids(hub) == ["run_live", "run_5", "run_4"]
    assert hub.run("run_0") is None
    assert hub.prune(9e9, 100) == 2
    # Its definition is still there, and one that was forgotten comes back with its next run.
    assert [stored.body for stored in hub.live()] == ['{"steps":[]}']
    hub.write([append("run_live", 1, DONE)])
    assert hub.prune(9e9, 100) == 1
    hub.write([new("run_again")])
    again = hub.run("run_again")
    assert again is not None
    assert (again.body, again.seq) == ('{"steps":[]}', 1)


def test_the_next_hub_has_what_the_one_before_left(store: Store, hub: Backend) -> None:
    hub.write([new("run_1"), new("run_2", mark=DONE)])
    hub.write([append("run_1", 1)])
    hub.remember("a", "1")
    hub.remember("a", "2")
    hub.close()
    successor = store.hub()
    successor.open()
    assert [(s.line.id, s.seq) for s in successor.live()] == [("run_1", 2)]
    assert (successor.recall("a"), successor.recall("b")) == ("2", None)
    assert successor.write([append("run_1", 2, DONE)]) == [None]
    assert successor.live() == []


def test_a_store_of_a_newer_hub_is_refused_by_name(store: Store, hub: Backend) -> None:
    store.raise_schema()
    with pytest.raises(StoreError, match=r"newer hub \(schema 99"):
        store.hub().open()
