"""The services' logs in a SQLite file of their own: new entries as rows, older ones as blocks.

A flood of lines must keep neither healing nor runs waiting for their stores. What is lost when the
power fails is read again from the engine, so nothing waits for the disk here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from controller.errors import StoreError
from controller.store.sqlite import migrate, transaction

_DROPPED_AT_ONCE = 200
_STEPS = (
    """
    CREATE TABLE source (
        id INTEGER PRIMARY KEY, service TEXT NOT NULL, container TEXT NOT NULL,
        UNIQUE (service, container)
    ) STRICT;
    CREATE TABLE recent (
        id INTEGER PRIMARY KEY, source INTEGER NOT NULL, at INTEGER NOT NULL,
        is_error INTEGER NOT NULL, level INTEGER NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE block (
        id INTEGER PRIMARY KEY, source INTEGER NOT NULL, first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL, entries INTEGER NOT NULL, levels INTEGER NOT NULL,
        size INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX block_by_end ON block (last_at);
    CREATE INDEX block_by_source ON block (source, last_at);
    CREATE TABLE block_run (
        run TEXT NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (run, block)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX block_run_by_block ON block_run (block);
    CREATE VIRTUAL TABLE block_text USING fts5(
        text, content='', detail=none, columnsize=0, tokenize='trigram'
    );
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    """,
)
_NEW = """
    INSERT INTO recent (id, source, at, is_error, level, run, step, text)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, value ->> 7
    FROM json_each(?)"""

Row = tuple[int, int, int, int, int, str, str, str]
"""Id, source, time, whether of standard error, level, run, step and text of an entry."""


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to keep, made of the entries of a source up to `last_id`."""

    source: int
    first_at: int
    last_at: int
    last_id: int
    entries: int
    levels: int
    """A bit for each level that is in it."""
    runs: frozenset[str]
    body: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Which blocks and rows can hold what is looked for; None is any."""

    sources: Sequence[int] | None = None
    levels: int = 0xFF
    since: int | None = None
    until: int | None = None
    run: str = ""
    trigrams: str | None = None


class LogFile:
    """One file, for one thread at a time. Everything raises StoreError."""

    def __init__(self, file: Path, *, read_only: bool = False):
        self._file = file
        self._read_only = read_only
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        with self._explained():
            if self._read_only:
                connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)
                connection.execute("PRAGMA busy_timeout = 2000")
                self._connection = connection
                return
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA busy_timeout = 2000")
            os.chmod(self._file, 0o600)
            migrate(connection, self._file, _STEPS)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Writing

    def source(self, service: str, container: str) -> int:
        """The number by which a container's entries are kept."""
        with self._explained():
            found = self._open.execute(
                "INSERT INTO source (service, container) VALUES (?, ?) ON CONFLICT DO UPDATE SET"
                " service = excluded.service RETURNING id",
                (service, container),
            )
            return int(found.fetchone()[0])

    def write(self, rows: Sequence[Row], blocks: Sequence[NewBlock]) -> None:
        """All of it, or none. A block takes its entries out of the rows."""
        with self._explained(), transaction(self._open):
            if rows:
                self._open.execute(_NEW, (orjson.dumps(rows).decode(),))
            for block in blocks:
                self._seal(block)

    def _seal(self, block: NewBlock) -> None:
        made = self._open.execute(
            "INSERT INTO block (source, first_at, last_at, entries, levels, size, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (block.source, block.first_at, block.last_at, block.entries, block.levels,
             len(block.body) + len(block.text) // 3, block.body),
        )  # fmt: skip
        number = made.lastrowid
        self._open.execute("INSERT INTO block_text (rowid, text) VALUES (?, ?)", (number, block.text))
        self._open.executemany(
            "INSERT INTO block_run VALUES (?, ?)", [(run, number) for run in block.runs]
        )
        self._open.execute(
            "DELETE FROM recent WHERE source = ? AND id <= ?", (block.source, block.last_id)
        )
