"""Alerts, silences and messages on disk, so that a hub that was killed tells nothing twice and
forgets nothing that it still had to tell.

What one turn decides is one transaction: an alert and the messages about it, or neither.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import TypeAdapter

from controller.clock import rfc3339
from controller.model.alert import Alert, AlertState, Delivery, Silence
from controller.store import audit
from controller.store.database import Database
from controller.store.rows import dumped, loaded

_KEEP_DELIVERIES = 2_000
_RUNS_SEEN = "alerts.runs_seen"
_LAST = (
    "SELECT body FROM delivery AS d WHERE id = (SELECT id FROM delivery WHERE channel = d.channel"
    " AND state IN ('sent', 'failed') ORDER BY created_at DESC, id DESC LIMIT 1)"
)

_ALERT = TypeAdapter(Alert)
_SILENCE = TypeAdapter(Silence)
_DELIVERY = TypeAdapter(Delivery)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered at start: what is open, what waits, the last message of each channel that
    arrived or was given up, and up to when the ends of runs were seen (None: never)."""

    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()
    waiting: tuple[Delivery, ...] = ()
    last: tuple[Delivery, ...] = ()
    runs_seen: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Alerts, newest first; `next` is where the following page begins, None at the end."""

    alerts: tuple[Alert, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What one turn changed."""

    alerts: Sequence[Alert] = ()
    deliveries: Sequence[Delivery] = ()
    runs_seen: float | None = None
    audit: tuple[str, str, str] | None = None
    """Who did what to which, where a person did it: an entry of the audit."""
    at: datetime | None = field(default=None)


class AlertStore:
    """On a `Database`. All raise StoreError. `keep` alerts that are over are kept."""

    def __init__(self, database: Database, keep: int):
        self._db = database
        self._keep = keep

    async def load(self, now: datetime) -> Kept:
        def work(c: sqlite3.Connection) -> Kept:
            is_open = c.execute("SELECT body FROM alert WHERE resolved_at IS NULL")
            alerts = tuple(loaded(_ALERT, row["body"]) for row in is_open)
            silences = c.execute("SELECT body FROM silence WHERE till > ?", (rfc3339(now),))
            lasting = tuple(loaded(_SILENCE, row["body"]) for row in silences)
            rows = c.execute("SELECT body FROM delivery WHERE state = 'waiting' ORDER BY id")
            waiting = tuple(loaded(_DELIVERY, row["body"]) for row in rows)
            last = tuple(loaded(_DELIVERY, row["body"]) for row in c.execute(_LAST))
            seen = c.execute("SELECT value FROM setting WHERE name = ?", (_RUNS_SEEN,)).fetchone()
            until = float(seen["value"]) if seen else None
            return Kept(alerts, lasting, waiting, last, until)

        return await self._db.read(work)

    async def save(self, changes: Changes) -> None:
        """All of it or none. The oldest that are over are dropped."""

        def work(c: sqlite3.Connection) -> None:
            c.executemany(
                "INSERT INTO alert (id, rule, service, state, opened_at, resolved_at, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " rule = excluded.rule, service = excluded.service, state = excluded.state,"
                " opened_at = excluded.opened_at, resolved_at = excluded.resolved_at,"
                " body = excluded.body",
                [_alert_row(alert) for alert in changes.alerts],
            )
            c.executemany(
                "INSERT INTO delivery (id, channel, alert, state, created_at, body)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " state = excluded.state, body = excluded.body",
                [_delivery_row(delivery) for delivery in changes.deliveries],
            )
            if changes.runs_seen is not None:
                c.execute(
                    "INSERT INTO setting (name, value) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (_RUNS_SEEN, repr(changes.runs_seen)),
                )
            if changes.audit is not None and changes.at is not None:
                who, action, target = changes.audit
                cause = f"cause.{action}"
                audit.write(
                    c, at=changes.at, who=who, action=action, targets=(target,), cause=cause
                )
            self._prune(c, changes)

        await self._db.write(work)

    def _prune(self, c: sqlite3.Connection, changes: Changes) -> None:
        if any(not alert.is_open for alert in changes.alerts):
            c.execute(
                "DELETE FROM alert WHERE resolved_at IS NOT NULL AND id NOT IN"
                " (SELECT id FROM alert WHERE resolved_at IS NOT NULL"
                " ORDER BY opened_at DESC, id DESC LIMIT ?)",
                (self._keep,),
            )
        if changes.deliveries:
            c.execute(
                "DELETE FROM delivery WHERE state != 'waiting' AND id NOT IN"
                " (SELECT id FROM delivery ORDER BY created_at DESC, id DESC LIMIT ?)",
                (_KEEP_DELIVERIES,),
            )

    async def alerts(
        self, state: AlertState | None, service: str | None, limit: int, cursor: str | None
    ) -> Page:
        """Newest first. An unknown cursor is the end."""
        conditions, values = [], []
        for column, wanted in (("state", state), ("service", service)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                values.append(str(wanted))
        if cursor is not None:
            conditions.append(
                "(opened_at, id) < (SELECT opened_at, id FROM alert AS a WHERE a.id = ?)"
            )
            values.append(cursor)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        # Only the fixed conditions above are put together; every value is bound.
        sql = f"SELECT body FROM alert{where} ORDER BY opened_at DESC, id DESC LIMIT ?"  # noqa: S608

        def work(c: sqlite3.Connection) -> Page:
            found = [loaded(_ALERT, row["body"]) for row in c.execute(sql, (*values, limit + 1))]
            more = found[limit - 1].id if len(found) > limit else None
            return Page(tuple(found[:limit]), more)

        return await self._db.read(work)

    async def alert(self, alert_id: str) -> Alert | None:
        def work(c: sqlite3.Connection) -> Alert | None:
            row = c.execute("SELECT body FROM alert WHERE id = ?", (alert_id,)).fetchone()
            return loaded(_ALERT, row["body"]) if row else None

        return await self._db.read(work)

    async def deliveries(
        self, alert: str | None, channel: str | None, limit: int
    ) -> list[Delivery]:
        """Newest first; None means any."""
        sql = (
            "SELECT body FROM delivery WHERE (?1 IS NULL OR alert = ?1)"
            " AND (?2 IS NULL OR channel = ?2) ORDER BY created_at DESC, id DESC LIMIT ?3"
        )
        return await self._db.read(
            lambda c: [
                loaded(_DELIVERY, row["body"]) for row in c.execute(sql, (alert, channel, limit))
            ]
        )

    async def add_silence(self, silence: Silence, now: datetime) -> None:
        """Who asked for it is audited in the same transaction; those that are over go."""

        def work(c: sqlite3.Connection) -> None:
            c.execute("DELETE FROM silence WHERE till <= ?", (rfc3339(now),))
            c.execute(
                "INSERT INTO silence (id, till, body) VALUES (?, ?, ?)",
                (silence.id, rfc3339(silence.until), dumped(_SILENCE, silence)),
            )
            self._audit(c, silence.by, "silence", silence.service or "*", now)

        await self._db.write(work)

    async def remove_silence(self, silence: Silence, by: str, now: datetime) -> None:
        def work(c: sqlite3.Connection) -> None:
            c.execute("DELETE FROM silence WHERE id = ?", (silence.id,))
            self._audit(c, by, "unsilence", silence.service or "*", now)

        await self._db.write(work)

    @staticmethod
    def _audit(c: sqlite3.Connection, by: str, action: str, target: str, now: datetime) -> None:
        audit.write(c, at=now, who=by, action=action, targets=(target,), cause=f"cause.{action}")


def _alert_row(alert: Alert) -> tuple[str | None, ...]:
    return (
        alert.id,
        alert.rule,
        alert.service,
        alert.state,
        rfc3339(alert.opened_at),
        rfc3339(alert.resolved_at),
        dumped(_ALERT, alert),
    )


def _delivery_row(delivery: Delivery) -> tuple[str | None, ...]:
    return (
        delivery.id,
        delivery.channel,
        delivery.alert,
        delivery.state,
        rfc3339(delivery.created_at),
        dumped(_DELIVERY, delivery),
    )
