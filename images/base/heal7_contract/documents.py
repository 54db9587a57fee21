"""A small store of JSON documents, one table a kind, for what a service keeps besides replies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heal7_contract import clock
from heal7_contract.database import Database

_KIND = re.compile(r"[a-z][a-z0-9_]{0,47}")
_PRUNE_EVERY = 64
_MOST = 2**63 - 1

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Retention:
    """The newest `keep` documents, none older than `max_age_s` seconds."""

    keep: int = 10_000
    max_age_s: float = 30 * 86_400


class DocumentStore:
    """Blocking and thread-safe: call it from plain `def` code, or through `await offload(...)`.

    An expired document is never returned, even before it is deleted. Each method raises
    ValueError for a kind not matching `[a-z][a-z0-9_]*` and Problem 503 when SQLite fails.
    """

    def __init__(
        self,
        database: Database,
        retention: Mapping[str, Retention] | None = None,
        now: Callable[[], float] = clock.now,
    ):
        self._database = database
        self._retention = dict(retention or {})
        self._now = now
        self._writes: dict[str, int] = {}

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Stores `document` under `key`, replacing what was there; its age starts anew."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        table, schema = _table(kind)
        with self._database.transaction(*schema) as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO {table} (key, created, body) VALUES (?, ?, ?)",  # noqa: S608
                (key, self._now(), body),
            )
            self._prune(kind, table, connection.execute)

    def get(self, kind: str, key: str) -> Document | None:
        """The document, or None when there is none or it has expired."""
        table, schema = _table(kind)
        with self._database.transaction(*schema) as connection:
            row = connection.execute(
                f"SELECT body FROM {table} WHERE key = ? AND created >= ?",  # noqa: S608
                (key, self._horizon(kind)),
            ).fetchone()
        return _decode(row[0]) if row else None

    def update(
        self, kind: str, key: str, change: Callable[[Document | None], Document | None]
    ) -> Document | None:
        """Reads, changes and writes in one transaction; `change` returning None deletes."""
        table, schema = _table(kind)
        with self._database.transaction(*schema) as connection:
            row = connection.execute(
                f"SELECT body FROM {table} WHERE key = ? AND created >= ?",  # noqa: S608
                (key, self._horizon(kind)),
            ).fetchone()
            after = change(_decode(row[0]) if row else None)
            if row is None or after is None:  # an expired row would lend its age to the new one
                connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608
            if after is not None:
                connection.execute(
                    f"INSERT INTO {table} (key, created, body) VALUES (?, ?, ?) "  # noqa: S608
                    "ON CONFLICT (key) DO UPDATE SET body = excluded.body",
                    (key, self._now(), json.dumps(after, ensure_ascii=False)),
                )
                self._prune(kind, table, connection.execute)
        return after

    def delete(self, kind: str, key: str) -> bool:
        """True when there was one."""
        table, schema = _table(kind)
        with self._database.transaction(*schema) as connection:
            done = connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608
            return done.rowcount > 0

    def find(
        self,
        kind: str,
        *,
        where: Mapping[str, str | int | None] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Document]:
        """Newest first; `where` compares top-level members for equality (None: absent or null)."""
        table, schema = _table(kind)
        clauses = ["created >= ?"]
        arguments: list[Any] = [self._horizon(kind)]
        for member, wanted in (where or {}).items():
            clauses.append("json_extract(body, ?) IS ?")
            arguments += [f'$."{member}"', wanted]
        # SQLite counts to 2^63 - 1, and no table is that long.
        arguments += [min(limit, _MOST), min(offset, _MOST)]
        with self._database.transaction(*schema) as connection:
            rows = connection.execute(
                f"SELECT body FROM {table} WHERE {' AND '.join(clauses)} "  # noqa: S608
                "ORDER BY seq DESC LIMIT ? OFFSET ?",
                arguments,
            ).fetchall()
        return [_decode(row[0]) for row in rows]

    def count(self, kind: str) -> int:
        """How many documents of the kind have not expired."""
        table, schema = _table(kind)
        with self._database.transaction(*schema) as connection:
            row = connection.execute(
                f"SELECT count(*) FROM {table} WHERE created >= ?",  # noqa: S608
                (self._horizon(kind),),
            ).fetchone()
        return int(row[0])

    def _horizon(self, kind: str) -> float:
        return self._now() - self._rule(kind).max_age_s

    def _rule(self, kind: str) -> Retention:
        return self._retention.get(kind, Retention())

    def _prune(self, kind: str, table: str, execute: Callable[..., Any]) -> None:
        # Each prune walks `keep` index entries, so a large table may overshoot by a few rows.
        rule, seen = self._rule(kind), self._writes.get(kind, 0)
        self._writes[kind] = seen + 1
        if seen % min(_PRUNE_EVERY, max(1, rule.keep // 16)):
            return
        execute(f"DELETE FROM {table} WHERE created < ?", (self._horizon(kind),))  # noqa: S608
        execute(
            f"DELETE FROM {table} WHERE seq <= "  # noqa: S608
            f"(SELECT seq FROM {table} ORDER BY seq DESC LIMIT 1 OFFSET ?)",
            (rule.keep,),
        )


def _table(kind: str) -> tuple[str, tuple[str, str]]:
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is no kind of document: use [a-z][a-z0-9_]*")
    table = f"doc_{kind}"
    return table, (
        f"CREATE TABLE IF NOT EXISTS {table} (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
        "key TEXT NOT NULL UNIQUE, created REAL NOT NULL, body TEXT NOT NULL)",
        f"CREATE INDEX IF NOT EXISTS {table}_created ON {table} (created)",
    )


def _decode(body: str) -> Document:
    document: Document = json.loads(body)
    return document
