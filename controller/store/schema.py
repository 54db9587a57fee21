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
    """
    CREATE TABLE setting (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;
    CREATE TABLE recovery (
        service TEXT PRIMARY KEY,
        body    TEXT NOT NULL
    ) STRICT;
    CREATE TABLE incident (
        id        TEXT PRIMARY KEY,
        service   TEXT NOT NULL,
        kind      TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        closed_at TEXT,
        outcome   TEXT,
        body      TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incident_by_time ON incident (opened_at DESC, id DESC);
    CREATE INDEX incident_by_service ON incident (service, opened_at DESC, id DESC);
    CREATE INDEX incident_open ON incident (opened_at DESC, id DESC) WHERE closed_at IS NULL;
    CREATE TABLE rehearsal (
        id           TEXT PRIMARY KEY,
        requested_at TEXT NOT NULL,
        body         TEXT NOT NULL
    ) STRICT;
    CREATE INDEX rehearsal_by_time ON rehearsal (requested_at DESC, id DESC);
    """,
    """
    CREATE TABLE alert (
        id          TEXT PRIMARY KEY,
        rule        TEXT NOT NULL,
        service     TEXT,
        state       TEXT NOT NULL,
        opened_at   TEXT NOT NULL,
        resolved_at TEXT,
        body        TEXT NOT NULL
    ) STRICT;
    CREATE INDEX alert_by_time ON alert (opened_at DESC, id DESC);
    CREATE INDEX alert_open ON alert (opened_at DESC, id DESC) WHERE resolved_at IS NULL;
    CREATE TABLE silence (
        id   TEXT PRIMARY KEY,
        till TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE delivery (
        id         TEXT PRIMARY KEY,
        channel    TEXT NOT NULL,
        alert      TEXT,
        state      TEXT NOT NULL,
        created_at TEXT NOT NULL,
        body       TEXT NOT NULL
    ) STRICT;
    CREATE INDEX delivery_by_time ON delivery (created_at DESC, id DESC);
    CREATE INDEX delivery_by_alert ON delivery (alert, created_at);
    CREATE INDEX delivery_waiting ON delivery (created_at) WHERE state = 'waiting';
    """,
)
