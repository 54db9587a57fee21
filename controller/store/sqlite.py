"""What all of the hub's SQLite files share: how they are opened, numbered schema steps, and whole
transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.errors import StoreError

# A connection keeps up to 2 MB of pages by default, and the hub has a dozen of them; the kernel
# keeps the same pages, and gives them back under need.
_CACHE_KIB = 512


def open_to_write(file: Path, *, is_durable: bool = True) -> sqlite3.Connection:
    """A connection that makes the file and its folder where they are missing. `is_durable` waits
    for the disk with every commit. Raises sqlite3.Error and OSError."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        # Only of effect in a new file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        _bounded(connection)
        file.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(file: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"file:{file}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    # A damaged file is told of when it is asked something; much is answered without.
    with suppress(sqlite3.DatabaseError):
        _bounded(connection)
    return connection


def _bounded(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA busy_timeout = 2000")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def migrate(connection: sqlite3.Connection, file: Path, steps: Sequence[str]) -> None:
    """Apply the `steps` that the file lacks. Raises StoreError where a newer hub wrote it."""
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    if done > len(steps):
        raise StoreError(
            f"{file} was written by a newer hub (schema {done}, this one knows {len(steps)})",
            remedy="Run the newer version again, or move the file away to start afresh.",
        )
    for number, step in enumerate(steps[done:], start=done + 1):
        connection.executescript(f"BEGIN;{step};PRAGMA user_version = {number};COMMIT;")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is done inside is on disk afterwards, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors, such as a full disk, SQLite has rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
