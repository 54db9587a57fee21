"""The journal in a SQLite file of its own: embedded, no second thing to run.

A file of its own, so that a flood of runs never keeps healing waiting for its store. A whole group
is handed to SQLite as one JSON text and taken apart there: a statement for each row would hand the
interpreter's lock to and fro thousands of times a second.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller import clock
from controller.errors import StoreError, StoreFullError
from controller.model.run import RunPage
from controller.store.journal import (
    Append,
    FencedError,
    Made,
    NewRun,
    Query,
    StoredRun,
    StoreGoneError,
)
from controller.store.journal_rows import (
    LINE,
    Row,
    Written,
    conditions,
    definition_rows,
    entry_rows,
    json_of,
    lost_among,
    mark_rows,
    page_of,
    results,
    run_rows,
    stored_of,
)
from controller.store.sqlite import migrate, open_to_read, open_to_write, transaction

_PRUNED_AT_ONCE = 200
_VACUUMED_AT_ONCE = 500
_STEPS = (
    """
    CREATE TABLE hub (id TEXT PRIMARY KEY, since REAL NOT NULL) STRICT;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE definition (
        hash TEXT PRIMARY KEY, workflow TEXT NOT NULL, body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE run (
        id         TEXT PRIMARY KEY,
        workflow   TEXT NOT NULL,
        definition TEXT NOT NULL,
        status     TEXT NOT NULL,
        created_at REAL NOT NULL,
        started_at REAL,
        ended_at   REAL,
        by         TEXT NOT NULL,
        key        TEXT,
        digest     TEXT NOT NULL,
        retry_of   TEXT,
        reason     TEXT,
        steps      INTEGER NOT NULL,
        done       INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX run_by_workflow ON run (workflow, id);
    CREATE INDEX run_by_status ON run (status, id);
    CREATE INDEX run_under_way ON run (id) WHERE ended_at IS NULL;
    CREATE UNIQUE INDEX run_by_key ON run (workflow, key) WHERE key IS NOT NULL;
    CREATE TABLE entry (
        run TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    """,
)
_NEW_DEFINITIONS = """
    INSERT INTO definition (hash, workflow, body)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
    ON CONFLICT DO NOTHING"""
_NEW_RUNS = """
    INSERT INTO run (id, workflow, definition, status, created_at, started_at, ended_at, reason,
                     by, key, digest, retry_of, steps, done)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
           value ->> 12, value ->> 13
    FROM json_each(?) WHERE true
    ON CONFLICT DO NOTHING RETURNING id"""
_NEW_ENTRIES = """
    INSERT INTO entry (run, seq, body)
    SELECT value ->> 0, value ->> 1, value -> 2 FROM json_each(?) WHERE true
    ON CONFLICT DO NOTHING"""
_THERE = """
    SELECT e.run, e.seq, e.body FROM json_each(?) AS w
    JOIN entry AS e ON e.run = w.value ->> 0 AND e.seq = w.value ->> 1"""
_MARKS = """
    UPDATE run SET status = m.value ->> 1, started_at = coalesce(m.value ->> 2, started_at),
           ended_at = m.value ->> 3, reason = m.value ->> 4, done = m.value ->> 5
    FROM json_each(?) AS m WHERE run.id = m.value ->> 0"""
_LINE = f"SELECT {LINE} FROM run AS r"  # noqa: S608 - nothing but names


class SqliteBackend:
    """One file. A hub that opens it takes over every run that is under way there."""

    def __init__(self, file: Path):
        self._file = file
        self._hub = clock.new_id("hub")
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._known: set[str] = set()
        self._place = (0, 0)
        self._refusal = StoreError(f"{file} is not open yet", remedy="Ask again in a moment.")

    # From the writer's thread

    def open(self) -> None:
        self.close()
        try:
            self._open()
        except StoreError as error:
            # Half open it would pass for a hub whose runs another one has.
            self.close()
            self._refusal = error
            raise

    def _open(self) -> None:
        with self._explained():
            connection = open_to_write(self._file)
            self._writing = connection
            self._place = self._find()
            migrate(connection, self._file, _STEPS)
            with transaction(connection):
                connection.execute("DELETE FROM hub")
                connection.execute("INSERT INTO hub VALUES (?, ?)", (self._hub, clock.epoch()))

    def write(self, batch: Sequence[NewRun | Append]) -> Written:
        connection = self._connection()
        new = [item for item in batch if isinstance(item, NewRun)]
        appends = [item for item in batch if isinstance(item, Append)]
        with self._explained(), transaction(connection):
            self._fence(connection)
            made = self._create(connection, new) if new else {}
            lost = _append(connection, [run for run in new if made[run.id].is_new], appends)
        self._known.update(run.definition_hash for run in new)
        return results(batch, made, lost)

    def _find(self) -> tuple[int, int]:
        """Which file is there now."""
        found = os.stat(self._file)
        return found.st_dev, found.st_ino

    def _fence(self, connection: sqlite3.Connection) -> None:
        try:
            is_there = self._find() == self._place
        except OSError:
            is_there = False
        if not is_there:
            # SQLite would go on writing to a file that nobody can ever open again.
            raise StoreGoneError(
                f"{self._file} is gone, or another file than this hub has opened.",
                remedy="Put it back and nothing acknowledged is lost, or restart the hub.",
            )
        if connection.execute("SELECT 1 FROM hub WHERE id = ?", (self._hub,)).fetchone() is None:
            raise FencedError(
                f"{self._file} was taken over by another hub.",
                remedy="Let only one hub use this file, or keep runs in PostgreSQL.",
            )

    def _create(self, connection: sqlite3.Connection, new: Sequence[NewRun]) -> dict[str, Made]:
        bodies = definition_rows(new, self._known)
        if bodies:
            connection.execute(_NEW_DEFINITIONS, (json_of(bodies),))
        rows = connection.execute(_NEW_RUNS, (json_of(run_rows(new)),)).fetchall()
        inserted = {row[0] for row in rows}
        return {
            run.id: Made(run.id, run.digest, True)
            if run.id in inserted
            else _holder(connection, run)
            for run in new
        }

    def beat(self) -> list[str]:
        with self._explained():
            self._fence(self._connection())
        return []

    def prune(self, before: float, keep: int) -> int:
        connection = self._connection()
        with self._explained():
            with transaction(connection):
                self._fence(connection)
                gone = connection.execute(
                    "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE ended_at IS NOT NULL AND"
                    " (created_at < ? OR id < (SELECT id FROM run ORDER BY id DESC LIMIT 1"
                    " OFFSET ?)) ORDER BY id LIMIT ?) RETURNING id",
                    (before, keep - 1, _PRUNED_AT_ONCE),
                ).fetchall()
                ids = json_of([row[0] for row in gone])
                connection.execute(
                    "DELETE FROM entry WHERE run IN (SELECT value FROM json_each(?))", (ids,)
                )
                if gone:
                    connection.execute(
                        "DELETE FROM definition WHERE hash NOT IN (SELECT definition FROM run)"
                    )
                    self._known.clear()
            connection.execute(f"PRAGMA incremental_vacuum({_VACUUMED_AT_ONCE})").fetchall()
        return len(gone)

    def remember(self, name: str, value: str) -> None:
        connection = self._connection()
        with self._explained(), transaction(connection):
            self._fence(connection)
            connection.execute(
                "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET"
                " value = excluded.value",
                (name, value),
            )

    def recall(self, name: str) -> str | None:
        with self._explained():
            found = self._connection().execute("SELECT value FROM fact WHERE name = ?", (name,))
            row = found.fetchone()
        return row[0] if row else None

    def close(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    # From the reader's thread

    def live(self) -> list[StoredRun]:
        with self._explained():
            rows = self._reader().execute(f"{_LINE} WHERE r.ended_at IS NULL ORDER BY r.id")
            return [self._stored(row) for row in rows.fetchall()]

    def run(self, run_id: str) -> StoredRun | None:
        with self._explained():
            row = self._reader().execute(f"{_LINE} WHERE r.id = ?", (run_id,)).fetchone()
            return self._stored(row) if row else None

    def runs(self, query: Query) -> RunPage:
        where, values = conditions(query, "?")
        sql = f"{_LINE}{where} ORDER BY r.id DESC LIMIT ?"
        with self._explained():
            rows = self._reader().execute(sql, (*values, query.limit + 1)).fetchall()
        return page_of(rows, query.limit)

    def holder(self, workflow: str, key: str) -> Made | None:
        sql = "SELECT id, digest FROM run WHERE workflow = ? AND key = ?"
        with self._explained():
            row = self._reader().execute(sql, (workflow, key)).fetchone()
        return Made(row[0], row[1], False) if row else None

    def read_done(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _stored(self, row: Row) -> StoredRun:
        reader = self._reader()
        (body,) = reader.execute(
            "SELECT d.body FROM definition AS d JOIN run AS r ON r.definition = d.hash"
            " WHERE r.id = ?",
            (row[0],),
        ).fetchone()
        entries = reader.execute("SELECT body FROM entry WHERE run = ? ORDER BY seq", (row[0],))
        return stored_of(row, body, [entry[0] for entry in entries.fetchall()])

    def _reader(self) -> sqlite3.Connection:
        if self._reading is None:
            self._reading = open_to_read(self._file)
        return self._reading

    def _connection(self) -> sqlite3.Connection:
        if self._writing is None:
            raise self._refusal.with_traceback(None)
        return self._writing

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _store_error(self._file, error) from error


def _store_error(file: Path, error: sqlite3.Error | OSError) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreGoneError(
            f"{file}: {error}",
            remedy="End the process that holds it; what was acknowledged goes on by itself then.",
        )
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == errno.ENOSPC:
        return StoreFullError(
            f"{file}: {error}", remedy="Free some space on its disk; nothing acknowledged is lost."
        )
    return StoreError(
        f"{file}: {error}",
        remedy="Check the disk's free space and that the hub may write to this folder.",
    )


def _append(
    connection: sqlite3.Connection, made: Sequence[NewRun], appends: Sequence[Append]
) -> set[tuple[str, int]]:
    """Write the events of all, and answer which appends came too late."""
    items: list[NewRun | Append] = [*made, *appends]
    if not items:
        return set()
    entries = json_of(entry_rows(items))
    lost: set[tuple[str, int]] = set()
    if connection.execute(_NEW_ENTRIES, (entries,)).rowcount != len(items):
        there = connection.execute(_THERE, (entries,)).fetchall()
        lost = lost_among(appends, {(run, seq): body for run, seq, body in there})
    marks = mark_rows(item for item in appends if (item.run, item.seq) not in lost)
    if marks:
        connection.execute(_MARKS, (json_of(marks),))
    return lost


def _holder(connection: sqlite3.Connection, new: NewRun) -> Made:
    row = connection.execute(
        "SELECT id, digest FROM run WHERE id = ? OR (workflow = ? AND key = ?)",
        (new.id, new.workflow, new.key),
    ).fetchone()
    return Made(row[0], row[1], False)
