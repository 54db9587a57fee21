"""The one door to SQLite: one writer thread, whole transactions, on disk before it is said.

WAL with synchronous=FULL: what was acknowledged survives a power cut. The hub's event loop never
touches the file itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from controller.errors import StoreError
from controller.store.schema import STEPS
from controller.store.sqlite import migrate, open_to_write, transaction

T = TypeVar("T")


class Database:
    """One SQLite file. Use `await write(fn)` and `await read(fn)`; `fn` gets the connection."""

    def __init__(self, file: Path):
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open and migrate. Raises StoreError with the file's name where that cannot be."""
        await self._run(self._open)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: all of it is on disk afterwards, or none."""
        return await self._run(lambda: self._transaction(work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._run(lambda: work(self._open_connection()))

    async def close(self) -> None:
        await self._run(self._close)
        # Its last work is over; joining the thread would block the event loop.
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._file}: {error}",
                remedy="Check the disk's free space and that the hub may write to this folder.",
            ) from error

    def _open(self) -> None:
        connection = open_to_write(self._file)
        connection.row_factory = sqlite3.Row
        self._connection = connection
        migrate(connection, self._file, STEPS)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._open_connection()
        with transaction(connection):
            return work(connection)

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self._file} is not open")
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
