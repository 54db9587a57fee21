"""A SQLite file beside the hub's own, for what comes in masses: opened, closed and explained alike.

Each such file is written by one thread, and read by others over connections that cannot write.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.errors import StoreError
from controller.store.sqlite import migrate


class OwnFile:
    """For one thread at a time. Everything raises StoreError. `is_durable` waits for the disk with
    every commit, so that what was stored also survives a loss of power."""

    def __init__(self, file: Path, steps: Sequence[str], *, is_durable: bool, read_only: bool):
        self._file = file
        self._steps = steps
        self._is_durable = is_durable
        self._read_only = read_only
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        with self._explained():
            if self._read_only:
                connection = sqlite3.connect(
                    f"file:{self._file}?mode=ro", uri=True, check_same_thread=False
                )
                connection.execute("PRAGMA busy_timeout = 2000")
                self._connection = connection
                return
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._is_durable else 'NORMAL'}")
        connection.execute("PRAGMA busy_timeout = 2000")
        os.chmod(self._file, 0o600)
        migrate(connection, self._file, self._steps)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self._file} is not open", remedy="Ask again in a moment.")
        return self._connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._file}: {error}",
                remedy="Check the disk's free space and that the hub may write to this folder; a"
                " damaged file can be moved away, and the hub begins a new one.",
            ) from error
