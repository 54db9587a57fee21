"""The one SQLite connection of a service, and the rule that the event loop never waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heal7_contract import problem


class Database:
    """Opened at first use, shared by threads under one lock; writers queue, which SQLite wants.

    WAL with synchronous=NORMAL: a killed process loses nothing it answered; a host that loses
    power may forget the last replies, and the hub's journal, not this file, is what survives that.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._prepared: set[str] = set()

    @contextmanager
    def transaction(self, *schema: str) -> Iterator[sqlite3.Connection]:
        """BEGIN IMMEDIATE … COMMIT; rolls back on any error. `schema` runs once a process.

        Raises Problem 503 when SQLite cannot do it, RuntimeError when called on the event loop.
        """
        _refuse_event_loop()
        with self._lock:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                with _closing_transaction(connection):
                    for statement in schema:
                        if statement not in self._prepared:
                            connection.execute(statement)
                    yield connection
                self._prepared.update(schema)
            except (sqlite3.DatabaseError, OSError) as error:
                raise problem.store_unavailable(str(error)) from error

    def close(self) -> None:
        """Checkpoints and closes; the next use opens again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self.path, timeout=5, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA journal_size_limit=4194304")
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            self._connection = connection
        return self._connection


@contextmanager
def _closing_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("SQLite was called on the event loop; use `await ctx.offload(...)`")
