"""A SQLite file beside the hub's own, for what comes in masses: opened, closed and explained alike.

Each such file is written by one thread, and read by others over connections that cannot write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.errors import StoreError
from controller.store.sqlite import migrate, open_to_read, open_to_write


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
                self._connection = open_to_read(self._file)
                return
            connection = open_to_write(self._file, is_durable=self._is_durable)
            try:
                migrate(connection, self._file, self._steps)
            except BaseException:
                connection.close()
                raise
            self._connection = connection

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
