"""The database's shape, as numbered steps that only ever get longer.

A step, once released, is never edited; a newer hub applies the missing ones in one transaction.
"""

from __future__ import annotations

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE desired (
        service    TEXT PRIMARY KEY,
        state      TEXT NOT NULL CHECK (state IN ('running', 'stopped')),
        restart_of TEXT,
        changed_at TEXT NOT NULL,
        changed_by TEXT NOT NULL
    ) STRICT;
    CREATE TABLE operation (
        id           TEXT PRIMARY KEY,
        kind         TEXT NOT NULL,
        status       TEXT NOT NULL,
        targets      TEXT NOT NULL,
        requested_at TEXT NOT NULL,
        requested_by TEXT NOT NULL,
        ended_at     TEXT,
        results      TEXT NOT NULL DEFAULT '{}'
    ) STRICT;
    CREATE INDEX operation_by_time ON operation (requested_at DESC);
    CREATE TABLE audit (
        id        INTEGER PRIMARY KEY,
        at        TEXT NOT NULL,
        who       TEXT NOT NULL,
        action    TEXT NOT NULL,
        targets   TEXT NOT NULL,
        cause     TEXT NOT NULL,
        operation TEXT
    ) STRICT;
    """,
)
