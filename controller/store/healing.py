"""What healing remembers, on disk: records, incidents, rehearsals and the pause.

An attempt and the incident it belongs to are written in one transaction before the container is
touched, so a hub that dies half-way goes on where it was and counts right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter

from controller.clock import rfc3339
from controller.model.incident import Incident
from controller.model.recovery import Pause, Record
from controller.model.rehearsal import Rehearsal
from controller.store import audit
from controller.store.database import Database
from controller.store.rows import dumped, loaded

_KEEP_INCIDENTS = 2000
_KEEP_REHEARSALS = 200
_PAUSE = "pause"

_RECORD = TypeAdapter(Record)
_INCIDENT = TypeAdapter(Incident)
_REHEARSAL = TypeAdapter(Rehearsal)
_PAUSED = TypeAdapter(Pause)


class HealingStore:
    """Records, incidents, rehearsals and the pause on a `Database`. All raise StoreError."""

    def __init__(self, database: Database):
        self._db = database

    async def load(self) -> tuple[dict[str, Record], dict[str, Incident], Pause | None]:
        """Records by service, open incidents by id, and the pause where there is one."""

        def work(
            c: sqlite3.Connection,
        ) -> tuple[dict[str, Record], dict[str, Incident], Pause | None]:
            records = c.execute("SELECT service, body FROM recovery")
            is_open = c.execute("SELECT body FROM incident WHERE closed_at IS NULL")
            pause = c.execute("SELECT value FROM setting WHERE name = ?", (_PAUSE,)).fetchone()
            incidents = [loaded(_INCIDENT, row["body"]) for row in is_open]
            return (
                {row["service"]: loaded(_RECORD, row["body"]) for row in records},
                {incident.id: incident for incident in incidents},
                loaded(_PAUSED, pause["value"]) if pause else None,
            )

        return await self._db.read(work)

    async def save(self, records: Mapping[str, Record], incidents: Sequence[Incident]) -> None:
        """Write these over what was there, all or none. The oldest closed incidents are dropped."""

        def work(c: sqlite3.Connection) -> None:
            c.executemany(
                "INSERT INTO recovery (service, body) VALUES (?, ?)"
                " ON CONFLICT (service) DO UPDATE SET body = excluded.body",
                [(name, dumped(_RECORD, record)) for name, record in records.items()],
            )
            c.executemany(
                "INSERT INTO incident (id, service, kind, opened_at, closed_at, outcome, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " service = excluded.service, kind = excluded.kind, opened_at = excluded.opened_at,"
                " closed_at = excluded.closed_at, outcome = excluded.outcome, body = excluded.body",
                [_incident_row(incident) for incident in incidents],
            )
            if any(not incident.is_open for incident in incidents):
                _prune_incidents(c)

        await self._db.write(work)

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> list[Incident]:
        """The newest incidents, newest first; None means of any service, open or closed."""
        conditions: list[str] = []
        if service is not None:
            conditions.append("service = ?")
        if is_open is not None:
            conditions.append(f"closed_at IS {'' if is_open else 'NOT '}NULL")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        # Only the fixed conditions above are put together; every value is bound.
        sql = f"SELECT body FROM incident{where} ORDER BY opened_at DESC, id DESC LIMIT ?"  # noqa: S608
        values = (limit,) if service is None else (service, limit)
        return await self._db.read(
            lambda c: [loaded(_INCIDENT, row["body"]) for row in c.execute(sql, values)]
        )

    async def incident(self, incident_id: str) -> Incident | None:
        def work(c: sqlite3.Connection) -> Incident | None:
            row = c.execute("SELECT body FROM incident WHERE id = ?", (incident_id,)).fetchone()
            return loaded(_INCIDENT, row["body"]) if row else None

        return await self._db.read(work)

    async def set_pause(self, pause: Pause | None, by: str, now: datetime) -> None:
        """Pause, or resume with None; who asked for it is audited in the same transaction."""

        def work(c: sqlite3.Connection) -> None:
            if pause is None:
                c.execute("DELETE FROM setting WHERE name = ?", (_PAUSE,))
            else:
                c.execute(
                    "INSERT INTO setting (name, value) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (_PAUSE, dumped(_PAUSED, pause)),
                )
            action = "resume" if pause is None else "pause"
            cause = "cause.resume" if pause is None else "cause.pause"
            audit.write(c, at=now, who=by, action=action, targets=(), cause=cause)

        await self._db.write(work)

    async def save_rehearsal(self, rehearsal: Rehearsal) -> None:
        """Write it over what was there; the oldest ones are dropped."""
        row = (rehearsal.id, rfc3339(rehearsal.requested_at), dumped(_REHEARSAL, rehearsal))

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "INSERT INTO rehearsal (id, requested_at, body) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                row,
            )
            c.execute(
                "DELETE FROM rehearsal WHERE id NOT IN"
                " (SELECT id FROM rehearsal ORDER BY requested_at DESC, id DESC LIMIT ?)",
                (_KEEP_REHEARSALS,),
            )

        await self._db.write(work)

    async def rehearsal(self, rehearsal_id: str) -> Rehearsal | None:
        def work(c: sqlite3.Connection) -> Rehearsal | None:
            row = c.execute("SELECT body FROM rehearsal WHERE id = ?", (rehearsal_id,)).fetchone()
            return loaded(_REHEARSAL, row["body"]) if row else None

        return await self._db.read(work)

    async def rehearsals(self, limit: int) -> list[Rehearsal]:
        """The newest rehearsals, newest first."""
        sql = "SELECT body FROM rehearsal ORDER BY requested_at DESC, id DESC LIMIT ?"
        return await self._db.read(
            lambda c: [loaded(_REHEARSAL, row["body"]) for row in c.execute(sql, (limit,))]
        )


def _incident_row(incident: Incident) -> tuple[str | None, ...]:
    return (
        incident.id,
        incident.service,
        incident.kind,
        rfc3339(incident.opened_at),
        rfc3339(incident.closed_at),
        incident.outcome,
        dumped(_INCIDENT, incident),
    )


def _prune_incidents(c: sqlite3.Connection) -> None:
    c.execute(
        "DELETE FROM incident WHERE closed_at IS NOT NULL AND id NOT IN"
        " (SELECT id FROM incident WHERE closed_at IS NOT NULL"
        " ORDER BY opened_at DESC, id DESC LIMIT ?)",
        (_KEEP_INCIDENTS,),
    )
