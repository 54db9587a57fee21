"""Who asked for what, and when: one line per request of a person, in the request's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from controller.clock import rfc3339
from controller.model.hub_state import AuditLine

_KEEP = 10_000


def write(
    c: sqlite3.Connection,
    *,
    at: datetime,
    who: str,
    action: str,
    targets: Sequence[str],
    cause: str,
    operation: str | None = None,
) -> None:
    """Add a line and forget the oldest ones. `cause` is a key of the catalogue."""
    c.execute(
        "INSERT INTO audit (at, who, action, targets, cause, operation) VALUES (?, ?, ?, ?, ?, ?)",
        (rfc3339(at), who, action, json.dumps(targets), cause, operation),
    )
    c.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (_KEEP,))


def read(c: sqlite3.Connection, limit: int, before: int | None = None) -> list[AuditLine]:
    """The newest lines, newest first; those before the line with the id `before`."""
    rows = c.execute(
        "SELECT * FROM audit WHERE id < coalesce(?, 9223372036854775807) ORDER BY id DESC LIMIT ?",
        (before, limit),
    )
    return [
        AuditLine(
            row["id"],
            datetime.fromisoformat(row["at"]),
            row["who"],
            row["action"],
            tuple(json.loads(row["targets"])),
            row["cause"],
            row["operation"],
        )
        for row in rows
    ]
