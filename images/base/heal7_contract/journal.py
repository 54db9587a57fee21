"""What the service remembers of each action, so that asking again and undoing are always safe.

An id is derived from action and key. A tombstone can therefore be laid for an action that never
arrived, whether the undo names it by id or by key, and the late action runs into it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from heal7_contract import clock
from heal7_contract.database import Database
from heal7_contract.documents import Retention

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS actions (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
    "action TEXT NOT NULL, id TEXT NOT NULL, idempotency_key TEXT, run TEXT, step TEXT, "
    "body_hash TEXT, state TEXT NOT NULL, result TEXT, created REAL NOT NULL, "
    "UNIQUE (action, id))",
    "CREATE INDEX IF NOT EXISTS actions_created ON actions (created)",
)
_COLUMNS = "action, id, idempotency_key, run, step, state, result, created"
_PRUNE_EVERY = 64

State = Literal["running", "completed", "failed", "compensating", "compensated"]


@dataclass(frozen=True, slots=True)
class StoredAction:
    """`result` is the JSON object that was answered; None if the action never completed."""

    action: str
    id: str
    idempotency_key: str | None
    run: str | None
    step: str | None
    state: State
    result: dict[str, Any] | None
    created: float


@dataclass(frozen=True, slots=True)
class Begun:
    """`run`: do it; `replay`: `result` holds the reply; `mismatch`, `undone`: refuse with 409."""

    verdict: Literal["run", "replay", "mismatch", "undone"]
    result: str | None = None


@dataclass(frozen=True, slots=True)
class UndoClaim:
    """`nothing`: only a tombstone was needed; `already`: done before; `undo`: call the hook."""

    verdict: Literal["nothing", "already", "undo"]
    record: StoredAction | None = None


def action_id(action: str, key: str) -> str:
    """The id that `key` always gets for `action`: `act_` and 32 hexadecimal digits."""
    return "act_" + hashlib.sha256(f"{action}\0{key}".encode()).hexdigest()[:32]


def body_hash(raw: bytes) -> str:
    """Equal for JSON texts that differ only in spacing and order of members."""
    canonical = json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


class Journal:
    """Blocking; each method is one transaction. Raises Problem 503 when SQLite fails."""

    def __init__(
        self, database: Database, retention: Retention, now: Callable[[], float] = clock.now
    ):
        self._database = database
        self._retention = retention
        self._now = now
        self._begun = 0

    def begin(
        self, action: str, ident: str, key: str, run: str | None, step: str | None, digest: str
    ) -> Begun:
        """Records that the action starts, unless what is known of its key forbids it."""
        with self._database.transaction(*_SCHEMA) as connection:
            row = connection.execute(
                "SELECT state, body_hash, result FROM actions WHERE action = ? AND id = ?",
                (action, ident),
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO actions (action, id, idempotency_key, run, step, body_hash, "
                    "state, created) VALUES (?, ?, ?, ?, ?, ?, 'running', ?)",
                    (action, ident, key, run, step, digest, self._now()),
                )
                self._prune(connection.execute)
                return Begun("run")
            state, known, result = row
            if state in ("compensating", "compensated"):
                return Begun("undone")
            if known != digest:
                return Begun("mismatch")
            if state == "completed":
                return Begun("replay", result)
            # A failed attempt, or one that a crash cut short: the caller asks for another try.
            connection.execute(
                "UPDATE actions SET state = 'running', run = ?, step = ? "
                "WHERE action = ? AND id = ?",
                (run, step, action, ident),
            )
            return Begun("run")

    def end(self, action: str, ident: str, result: str | None) -> bool:
        """Stores the reply (None: the attempt failed). False: an undo came while it ran."""
        state = "failed" if result is None else "completed"
        with self._database.transaction(*_SCHEMA) as connection:
            done = connection.execute(
                "UPDATE actions SET state = ?, result = ? "
                "WHERE action = ? AND id = ? AND state = 'running'",
                (state, result, action, ident),
            )
            if not done.rowcount:
                connection.execute(
                    "UPDATE actions SET result = ? WHERE action = ? AND id = ? "
                    "AND state = 'compensating'",
                    (result, action, ident),
                )
            return done.rowcount > 0

    def claim_undo(self, action: str, ident: str, key: str | None) -> UndoClaim:
        """From here on the action is refused; says what is left to undo."""
        with self._database.transaction(*_SCHEMA) as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM actions WHERE action = ? AND id = ?",  # noqa: S608
                (action, ident),
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO actions (action, id, idempotency_key, state, created) "
                    "VALUES (?, ?, ?, 'compensated', ?)",
                    (action, ident, key, self._now()),
                )
                self._prune(connection.execute)
                return UndoClaim("nothing")
            if row[5] == "compensated":
                return UndoClaim("already")
            connection.execute(
                "UPDATE actions SET state = 'compensating' WHERE action = ? AND id = ?",
                (action, ident),
            )
            return UndoClaim("undo", _record(row))

    def finish_undo(self, action: str, ident: str) -> None:
        """Leaves a tombstone and forgets the result."""
        with self._database.transaction(*_SCHEMA) as connection:
            connection.execute(
                "UPDATE actions SET state = 'compensated', result = NULL "
                "WHERE action = ? AND id = ?",
                (action, ident),
            )

    def unfinished_undos(self) -> list[StoredAction]:
        """Undos that were promised and that a stop of the process cut short."""
        with self._database.transaction(*_SCHEMA) as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM actions WHERE state = 'compensating'"  # noqa: S608
            ).fetchall()
        return [_record(row) for row in rows]

    def ping(self) -> None:
        """Takes the write lock and lets go: fails when a write would fail to start."""
        with self._database.transaction(*_SCHEMA):
            return

    def _prune(self, execute: Callable[..., Any]) -> None:
        seen, self._begun = self._begun, self._begun + 1
        if seen % min(_PRUNE_EVERY, max(1, self._retention.keep // 16)):
            return
        settled = "state NOT IN ('running', 'compensating')"
        execute(
            f"DELETE FROM actions WHERE created < ? AND {settled}",  # noqa: S608
            (self._now() - self._retention.max_age_s,),
        )
        execute(
            "DELETE FROM actions WHERE seq <= "  # noqa: S608
            f"(SELECT seq FROM actions ORDER BY seq DESC LIMIT 1 OFFSET ?) AND {settled}",
            (self._retention.keep,),
        )


def _record(row: tuple[Any, ...]) -> StoredAction:
    action, ident, key, run, step, state, result, created = row
    answered = json.loads(result) if result else None
    return StoredAction(action, ident, key, run, step, state, answered, created)
