"""Measurements in a SQLite file of their own: the running hour as rows, the rest packed.

Every few seconds one small row holds what was seen of everything, and it is on the disk before
anyone is told. An hour that is over becomes one block for each subject, and is added to the
subject's block of that day, which is kept longer and holds less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import orjson

from controller.model.metric import Scope, Subject
from controller.store.own_file import OwnFile
from controller.store.sqlite import transaction

_STEPS = (
    """
    CREATE TABLE subject (
        id INTEGER PRIMARY KEY, scope TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (scope, name)
    ) STRICT;
    CREATE TABLE recent (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE block (
        id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, subject INTEGER NOT NULL,
        first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX block_by_subject ON block (tier, subject, first_at, last_at);
    CREATE INDEX block_by_end ON block (tier, last_at);
    """,
)


class Tier(IntEnum):
    """How fine what a block holds is."""

    RAW = 0
    ROLLED = 1


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """Buckets of a subject that begin from `first_at` to `last_at`. One with an `id` takes the
    place of the stored one."""

    tier: Tier
    subject: int
    first_at: int
    last_at: int
    body: bytes
    id: int | None = None


class MetricsFile(OwnFile):
    """One file, for one thread at a time. Everything raises StoreError."""

    def __init__(self, file: Path, *, read_only: bool = False):
        super().__init__(file, _STEPS, is_durable=True, read_only=read_only)

    # Writing

    def subject(self, subject: Subject) -> int:
        """The number by which a subject is kept."""
        with self._explained():
            (number,) = self._open.execute(
                "INSERT INTO subject (scope, name) VALUES (?, ?) ON CONFLICT DO UPDATE SET"
                " name = excluded.name RETURNING id",
                (subject.scope, subject.name),
            ).fetchone()
        return int(number)

    def append(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Time and body of what was seen of everything; all of it, or none."""
        with self._explained(), transaction(self._open):
            self._open.executemany("INSERT INTO recent (at, body) VALUES (?, ?)", rows)

    def seal(self, blocks: Sequence[PackedBlock], until: int) -> None:
        """Keep the blocks in the place of the rows before `until`; all of it, or none."""
        with self._explained(), transaction(self._open):
            self._open.executemany(
                "INSERT OR REPLACE INTO block (id, tier, subject, first_at, last_at, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(b.id, int(b.tier), b.subject, b.first_at, b.last_at, b.body) for b in blocks],
            )
            self._open.execute("DELETE FROM recent WHERE at < ?", (until,))

    def drop(self, raw_before: int, rolled_before: int) -> int:
        """Forget blocks that ended before these times; how many it were."""
        with self._explained():
            with transaction(self._open):
                gone = self._open.execute(
                    "DELETE FROM block WHERE (tier = 0 AND last_at < ?)"
                    " OR (tier = 1 AND last_at < ?)",
                    (raw_before, rolled_before),
                ).rowcount
            self._open.execute("PRAGMA incremental_vacuum(2000)").fetchall()
        return gone

    # Reading

    def subjects(self) -> dict[Subject, int]:
        with self._explained():
            rows = self._open.execute("SELECT scope, name, id FROM subject").fetchall()
        return {Subject(Scope(scope), name): number for scope, name, number in rows}

    def rows(self) -> list[tuple[int, bytes]]:
        """Time and body of everything that is in no block yet, in the order it came."""
        with self._explained():
            return self._open.execute("SELECT at, body FROM recent ORDER BY id").fetchall()

    def blocks(
        self, tier: Tier, since: int, until: int, subjects: Sequence[int] | None = None
    ) -> list[PackedBlock]:
        """Those that can hold buckets beginning from `since` to before `until`, oldest first."""
        chosen = "" if subjects is None else " AND subject IN (SELECT value FROM json_each(?))"
        values = [] if subjects is None else [orjson.dumps(list(subjects)).decode()]
        with self._explained():
            rows = self._open.execute(
                "SELECT id, subject, first_at, last_at, body FROM block"  # noqa: S608
                f" WHERE tier = ? AND last_at >= ? AND first_at < ?{chosen}"
                " ORDER BY first_at, id",
                [int(tier), since, until, *values],
            ).fetchall()
        return [
            PackedBlock(tier, subject, first_at, last_at, body, number)
            for number, subject, first_at, last_at, body in rows
        ]

    def oldest(self, tier: Tier) -> int | None:
        """When the oldest bucket in blocks begins."""
        with self._explained():
            row = self._open.execute(
                "SELECT min(first_at) FROM block WHERE tier = ?", (int(tier),)
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def size(self) -> int:
        """What the file takes on the disk, in bytes."""
        with self._explained():
            return sum(
                file.stat().st_size
                for suffix in ("", "-wal")
                if (file := self._file.with_name(self._file.name + suffix)).exists()
            )
