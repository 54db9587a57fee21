"""The services' logs in a SQLite file of their own: new entries as rows, older ones as blocks.

A flood of lines must keep neither healing nor runs waiting for their stores. What is lost when the
power fails is read again from the engine, so nothing waits for the disk here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from controller.model.log import Row
from controller.store.own_file import OwnFile
from controller.store.sqlite import transaction

ALL_LEVELS = 0xFF
_DROPPED_AT_ONCE = 200
_STEPS = (
    """
    CREATE TABLE source (
        id INTEGER PRIMARY KEY, service TEXT NOT NULL, container TEXT NOT NULL,
        out_at INTEGER NOT NULL DEFAULT 0, err_at INTEGER NOT NULL DEFAULT 0,
        UNIQUE (service, container)
    ) STRICT;
    CREATE TABLE recent (
        id INTEGER PRIMARY KEY, source INTEGER NOT NULL, at INTEGER NOT NULL,
        stream INTEGER NOT NULL, level INTEGER NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE block (
        id INTEGER PRIMARY KEY, source INTEGER NOT NULL, first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL, last_id INTEGER NOT NULL, entries INTEGER NOT NULL,
        levels INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX block_by_end ON block (last_at, size, entries);
    CREATE INDEX block_by_id ON block (last_id);
    CREATE INDEX block_by_beginning ON block (first_at);
    CREATE INDEX recent_by_source ON recent (source, id);
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
    INSERT INTO recent (id, source, at, stream, level, run, step, text)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, value ->> 7
    FROM json_each(?)"""

Marks = Mapping[int, tuple[int, int]]
"""By source, up to which moment its standard output and standard error are kept."""


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
    levels: int = ALL_LEVELS
    since: int | None = None
    until: int | None = None
    run: str = ""
    trigrams: str | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many entries were forgotten, up to which time, and whether there is more to forget."""

    entries: int
    until: int | None
    more: bool


class LogFile(OwnFile):
    """One file, for one thread at a time. Everything raises StoreError."""

    def __init__(self, file: Path, *, read_only: bool = False):
        super().__init__(file, _STEPS, is_durable=False, read_only=read_only)

    # Writing

    def source(self, service: str, container: str) -> tuple[int, int, int]:
        """The number by which a container's entries are kept, and up to which moment its standard
        output and standard error are."""
        with self._explained():
            found: tuple[int, int, int] = self._open.execute(
                "INSERT INTO source (service, container) VALUES (?, ?) ON CONFLICT DO UPDATE SET"
                " service = excluded.service RETURNING id, out_at, err_at",
                (service, container),
            ).fetchone()
            return found

    def write(self, rows: Sequence[Row], blocks: Sequence[NewBlock], marks: Marks) -> None:
        """All of it, or none. A block takes its entries out of the rows."""
        with self._explained(), transaction(self._open):
            self._open.executemany(
                "UPDATE source SET out_at = ?, err_at = ? WHERE id = ?",
                [(out, err, source) for source, (out, err) in marks.items()],
            )
            if rows:
                self._open.execute(_NEW, (orjson.dumps(rows).decode(),))
            for block in blocks:
                self._seal(block)

    def _seal(self, block: NewBlock) -> None:
        made = self._open.execute(
            "INSERT INTO block (source, first_at, last_at, last_id, entries, levels, size, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (block.source, block.first_at, block.last_at, block.last_id, block.entries,
             block.levels, len(block.body) + len(block.text) // 3, block.body),
        )  # fmt: skip
        number = made.lastrowid
        self._open.execute(
            "INSERT INTO block_text (rowid, text) VALUES (?, ?)", (number, block.text)
        )
        self._open.executemany(
            "INSERT INTO block_run VALUES (?, ?)", [(run, number) for run in block.runs]
        )
        self._open.execute(
            "DELETE FROM recent WHERE source = ? AND id <= ?", (block.source, block.last_id)
        )

    def drop(self, before: int, most: int, text_of: Callable[[bytes], str]) -> Dropped:
        """Forget blocks: those that ended before `before`, and the oldest where all are larger than
        `most` bytes. `text_of` gives what was indexed of a body. A few at once: ask again while
        `more` is true."""
        with self._explained():
            with transaction(self._open):
                gone = self._doomed(before, most)
                for number, body in gone:
                    self._open.execute(
                        "INSERT INTO block_text (block_text, rowid, text) VALUES ('delete', ?, ?)",
                        (number, text_of(body)),
                    )
                numbers = orjson.dumps([number for number, _ in gone]).decode()
                found = self._open.execute(
                    "SELECT coalesce(sum(entries), 0), max(last_at) FROM block"
                    " WHERE id IN (SELECT value FROM json_each(?))",
                    (numbers,),
                ).fetchone()
                for table, column in (("block_run", "block"), ("block", "id")):
                    self._open.execute(
                        f"DELETE FROM {table}"  # noqa: S608 - nothing but names
                        f" WHERE {column} IN (SELECT value FROM json_each(?))",
                        (numbers,),
                    )
            self._open.execute("PRAGMA incremental_vacuum(500)").fetchall()
        return Dropped(found[0], found[1], len(gone) == _DROPPED_AT_ONCE)

    def _doomed(self, before: int, most: int) -> list[tuple[int, bytes]]:
        (size,) = self._open.execute("SELECT coalesce(sum(size), 0) FROM block").fetchone()
        rows = self._open.execute(
            "SELECT id, size, last_at, body FROM block ORDER BY last_at LIMIT ?",
            (_DROPPED_AT_ONCE,),
        )
        gone = []
        for number, own, last_at, body in rows:
            if last_at >= before and size <= most:
                break
            size -= own
            gone.append((number, body))
        return gone

    def remember(self, name: str, value: str) -> None:
        with self._explained():
            self._open.execute(
                "INSERT INTO fact VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (name, value),
            )

    # Reading

    def recall(self, name: str) -> str | None:
        with self._explained():
            row = self._open.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def sources(self) -> list[tuple[int, str, str]]:
        """Number, service and container of every source."""
        with self._explained():
            return self._open.execute("SELECT id, service, container FROM source").fetchall()

    def largest_id(self) -> int:
        """The largest id that was ever given to an entry."""
        with self._explained():
            (largest,) = self._open.execute(
                "SELECT max((SELECT coalesce(max(id), 0) FROM recent),"
                " (SELECT coalesce(max(last_id), 0) FROM block))"
            ).fetchone()
        return int(largest)

    def span(self) -> tuple[int | None, int, int]:
        """The time of the oldest entry in blocks, how many entries they hold, and their size."""
        with self._explained():
            found: tuple[int | None, int, int] = self._open.execute(
                "SELECT min(first_at), coalesce(sum(entries), 0), coalesce(sum(size), 0) FROM block"
            ).fetchone()
        return found

    def rows(self) -> list[Row]:
        """Every entry that is in no block yet, in the order they came."""
        with self._explained():
            return self._open.execute(
                "SELECT id, source, at, stream, level, run, step, text FROM recent ORDER BY id"
            ).fetchall()

    def recent(self, asked: Asked, *, newest_first: bool = True) -> list[Row]:
        """Rows that can be it, in the order of their time; words are not looked at."""
        where, values = _conditions(
            asked, "source", "at >= ?", "at < ?", "(1 << level) & ?", "run = ?"
        )
        order = "DESC" if newest_first else "ASC"
        with self._explained():
            return self._open.execute(
                "SELECT id, source, at, stream, level, run, step, text"  # noqa: S608 - names only
                f" FROM recent{where} ORDER BY at {order}, id {order}",
                values,
            ).fetchall()

    def blocks(
        self, asked: Asked, *, newest_first: bool = True
    ) -> Iterator[tuple[int, int, bytes]]:
        """Source, end (or, oldest first, beginning) and body of blocks that can hold it, in that
        order. Read as they are asked for."""
        where, values = _conditions(
            asked, "source", "last_at >= ?", "first_at < ?", "levels & ?",
            "id IN (SELECT block FROM block_run WHERE run = ?)",
        )  # fmt: skip
        if asked.trigrams is not None:
            clause = "id IN (SELECT rowid FROM block_text WHERE block_text MATCH ?)"
            where = f"{where} AND {clause}" if where else f" WHERE {clause}"
            values = [*values, asked.trigrams]
        edge, order = ("last_at", "DESC") if newest_first else ("first_at", "ASC")
        with self._explained():
            found = self._open.execute(
                f"SELECT id, source, {edge} FROM block{where}"  # noqa: S608 - names only
                f" ORDER BY {edge} {order}",
                values,
            )
            for number, source, at in found:
                row = self._open.execute(
                    "SELECT body FROM block WHERE id = ?", (number,)
                ).fetchone()
                # It may have been dropped meanwhile.
                if row is not None:
                    yield source, at, row[0]


def _conditions(
    asked: Asked, source: str, since: str, until: str, levels: str, run: str
) -> tuple[str, list[object]]:
    clauses: list[str] = []
    values: list[object] = []
    if asked.sources is not None:
        places = ",".join("?" * len(asked.sources))
        clauses.append(f"{source} IN ({places})")
        values += asked.sources
    for clause, value in ((since, asked.since), (until, asked.until), (run, asked.run or None)):
        if value is not None:
            clauses.append(clause)
            values.append(value)
    if asked.levels != ALL_LEVELS:
        clauses.append(levels)
        values.append(asked.levels)
    return (f" WHERE {' AND '.join(clauses)}" if clauses else ""), values
