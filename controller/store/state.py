"""What people wanted and what was done about it, as rows.

Desired state, the operation and its audit line are written in one transaction *before* anything is
touched, so a hub that dies half-way knows what it owes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.clock import rfc3339
from controller.model.hub_state import AuditLine
from controller.model.text import Text
from controller.model.view import (
    Desired,
    OperationKind,
    OperationStatus,
    OperationView,
    ServiceResult,
    Wish,
)
from controller.store import audit
from controller.store.database import Database

_KEEP_OPERATIONS = 1000
_PULLED = "pulled:"


@dataclass(frozen=True, slots=True)
class Stored:
    """An operation as the table has it, with the wishes it writes. It takes over what the
    operations in `supersedes` (ids) left undone."""

    operation: OperationView
    wishes: Mapping[str, Wish]
    cause: str
    supersedes: tuple[str, ...] = ()


class StateStore:
    """Desired state, operations and audit on a `Database`."""

    def __init__(self, database: Database):
        self._db = database

    async def wishes(self) -> dict[str, Wish]:
        """Every stored wish by service."""

        def work(c: sqlite3.Connection) -> dict[str, Wish]:
            rows = c.execute("SELECT service, state, restart_of FROM desired")
            return {r["service"]: Wish(Desired(r["state"]), r["restart_of"]) for r in rows}

        return await self._db.read(work)

    async def begin(self, stored: Stored) -> None:
        """Acknowledge an operation: wishes, operation and audit row together."""
        operation = stored.operation

        def work(c: sqlite3.Connection) -> None:
            _write_wishes(c, stored.wishes, operation.requested_at, operation.requested_by)
            c.execute(
                "INSERT INTO operation (id, kind, status, targets, requested_at, requested_by)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    operation.id,
                    operation.kind,
                    operation.status,
                    json.dumps(operation.targets),
                    rfc3339(operation.requested_at),
                    operation.requested_by,
                ),
            )
            _interrupt(c, stored.supersedes, operation.requested_at)
            audit.write(
                c,
                at=operation.requested_at,
                who=operation.requested_by,
                action=operation.kind,
                targets=operation.targets,
                cause=stored.cause,
                operation=operation.id,
            )
            _prune(c)

        await self._db.write(work)

    async def audit(self, limit: int, before: int | None = None) -> list[AuditLine]:
        """Who asked for what, newest first; `before` is the id of a line."""
        return await self._db.read(lambda c: audit.read(c, limit, before))

    async def adopt(self, wishes: Mapping[str, Wish], now: datetime) -> None:
        """Store wishes for services nobody ever spoke of: they run, so they are wanted."""
        await self._db.write(lambda c: _write_wishes(c, wishes, now, "hub"))

    async def finish(self, operation: OperationView, others: frozenset[str] = frozenset()) -> None:
        """Store how an operation ended; a restart that was owed is no longer, except of services
        that are in the hands of `others` now."""

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "UPDATE operation SET status = ?, ended_at = ?, results = ? WHERE id = ?",
                (
                    operation.status,
                    rfc3339(operation.ended_at),
                    json.dumps({n: _result_row(r) for n, r in operation.results.items()}),
                    operation.id,
                ),
            )
            c.executemany(
                "UPDATE desired SET restart_of = NULL WHERE service = ?",
                [(name,) for name in {*operation.targets, *operation.results} - others],
            )

        await self._db.write(work)

    async def pulls(self) -> dict[str, datetime]:
        """When the hub last pulled which image."""

        def work(c: sqlite3.Connection) -> dict[str, datetime]:
            rows = c.execute("SELECT name, value FROM setting WHERE name LIKE ?", (f"{_PULLED}%",))
            return {
                row["name"].removeprefix(_PULLED): datetime.fromisoformat(row["value"])
                for row in rows
            }

        return await self._db.read(work)

    async def note_pull(self, image: str, at: datetime) -> None:
        """Store that the image was pulled just now."""

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "INSERT INTO setting (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (_PULLED + image, rfc3339(at)),
            )

        await self._db.write(work)

    async def operations(self, limit: int = 20) -> list[OperationView]:
        """The newest operations, newest first."""

        def work(c: sqlite3.Connection) -> list[OperationView]:
            sql = "SELECT * FROM operation ORDER BY requested_at DESC, id DESC LIMIT ?"
            return [_operation(r) for r in c.execute(sql, (limit,))]

        return await self._db.read(work)

    async def operation(self, operation_id: str) -> OperationView | None:
        def work(c: sqlite3.Connection) -> OperationView | None:
            row = c.execute("SELECT * FROM operation WHERE id = ?", (operation_id,)).fetchone()
            return _operation(row) if row else None

        return await self._db.read(work)

    async def unfinished(self) -> list[OperationView]:
        """What a dead hub left running, oldest first. It stays so in the table until another
        operation supersedes it: a hub that dies before that leaves it to its own successor."""

        def work(c: sqlite3.Connection) -> list[OperationView]:
            sql = "SELECT * FROM operation WHERE status = 'running' ORDER BY requested_at, id"
            return [_operation(r) for r in c.execute(sql)]

        return await self._db.read(work)

    async def interrupt(self, operations: Iterable[str], now: datetime) -> None:
        """Mark these as interrupted: nothing of them is owed any more."""
        ids = tuple(operations)
        await self._db.write(lambda c: _interrupt(c, ids, now))


def _write_wishes(
    c: sqlite3.Connection, wishes: Mapping[str, Wish], at: datetime, who: str
) -> None:
    c.executemany(
        "INSERT INTO desired (service, state, restart_of, changed_at, changed_by)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (service) DO UPDATE SET state = excluded.state,"
        " restart_of = excluded.restart_of, changed_at = excluded.changed_at,"
        " changed_by = excluded.changed_by",
        [(n, w.state, w.restart_of, rfc3339(at), who) for n, w in wishes.items()],
    )


def _interrupt(c: sqlite3.Connection, operations: Sequence[str], at: datetime) -> None:
    c.executemany(
        "UPDATE operation SET status = 'interrupted', ended_at = ? WHERE id = ?",
        [(rfc3339(at), operation) for operation in operations],
    )


def _prune(c: sqlite3.Connection) -> None:
    c.execute(
        "DELETE FROM operation WHERE status != 'running' AND id NOT IN"
        " (SELECT id FROM operation ORDER BY requested_at DESC LIMIT ?)",
        (_KEEP_OPERATIONS,),
    )


def _result_row(result: ServiceResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "cause": result.cause.to_json(),
        "duration_ms": result.duration_ms,
        "detail": result.detail,
    }


def _results(raw: str) -> dict[str, ServiceResult]:
    return {
        name: ServiceResult(
            outcome=row["outcome"],
            cause=Text.from_json(row["cause"]),
            duration_ms=row["duration_ms"],
            detail=row["detail"],
        )
        for name, row in json.loads(raw).items()
    }


def _operation(row: sqlite3.Row) -> OperationView:
    ended: str | None = row["ended_at"]
    targets: Sequence[str] = json.loads(row["targets"])
    return OperationView(
        id=row["id"],
        kind=OperationKind(row["kind"]),
        status=OperationStatus(row["status"]),
        targets=tuple(targets),
        requested_at=datetime.fromisoformat(row["requested_at"]),
        requested_by=row["requested_by"],
        ended_at=datetime.fromisoformat(ended) if ended else None,
        results=_results(row["results"]),
    )
