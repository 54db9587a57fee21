"""What both of the hub's SQLite files share: numbered schema steps, and whole transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.errors import StoreError


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
