"""The journal in PostgreSQL: several hubs on one database, each with its own runs.

A hub lives as long as it prolongs its row by the database's clock. Whoever finds one that did not
deletes the row and takes its runs, in one transaction; and whatever is written holds the writer's
own row while it is. So a hub that was frozen, and wakes, writes nothing: its row is gone.

A whole group is one statement, which is one way to the server and back, and a hub that freezes
cannot do so in the middle of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from controller import clock
from controller.errors import StoreError
from controller.model.run import RunPage
from controller.store.journal import (
    Append,
    FencedError,
    Made,
    NewRun,
    Query,
    StoredRun,
    dump_events,
)
from controller.store.journal_rows import (
    LINE,
    Row,
    Written,
    conditions,
    definition_rows,
    entry_rows,
    json_of,
    lost_among,
    mark_rows,
    page_of,
    results,
    run_rows,
    stored_of,
)
from controller.store.postgres import Link

_PRUNED_AT_ONCE = 200
_LOCK = 0x6865616C37
"""Of the database's advisory locks, the one under which the schema changes."""
_SCHEMA = "heal7"
_STEPS = (
    """
    CREATE TABLE hub (id text PRIMARY KEY, expires_at timestamptz NOT NULL);
    CREATE TABLE fact (name text PRIMARY KEY, value text NOT NULL);
    CREATE TABLE definition (
        hash text PRIMARY KEY, workflow text NOT NULL, body text NOT NULL
    );
    CREATE TABLE run (
        id         text COLLATE "C" PRIMARY KEY,
        owner      text NOT NULL,
        workflow   text NOT NULL,
        definition text NOT NULL REFERENCES definition,
        status     text NOT NULL,
        created_at double precision NOT NULL,
        started_at double precision,
        ended_at   double precision,
        by         text NOT NULL,
        key        text,
        digest     text NOT NULL,
        retry_of   text,
        reason     text,
        steps      integer NOT NULL,
        done       integer
    );
    CREATE INDEX run_by_workflow ON run (workflow, id);
    CREATE INDEX run_by_status ON run (status, id);
    CREATE INDEX run_by_definition ON run (definition);
    CREATE INDEX run_under_way ON run (owner, id) WHERE ended_at IS NULL;
    CREATE UNIQUE INDEX run_by_key ON run (workflow, key) WHERE key IS NOT NULL;
    CREATE TABLE entry (
        run text COLLATE "C" NOT NULL, seq integer NOT NULL, body text NOT NULL,
        PRIMARY KEY (run, seq)
    );
    """,
)
# Events go as text inside the JSON: PostgreSQL takes no JSON apart that has an escaped NUL in it.
_WRITE = """
    WITH me AS MATERIALIZED (
        SELECT id FROM hub WHERE id = %s FOR KEY SHARE
    ), defined AS (
        INSERT INTO definition (hash, workflow, body)
        SELECT d ->> 0, d ->> 1, d ->> 2 FROM me, json_array_elements(%s::json) AS d
        ON CONFLICT DO NOTHING
    ), made AS (
        INSERT INTO run (id, workflow, definition, status, created_at, started_at, ended_at, reason,
                         by, key, digest, retry_of, steps, done, owner)
        SELECT n ->> 0, n ->> 1, n ->> 2, n ->> 3, (n ->> 4)::float8, (n ->> 5)::float8,
               (n ->> 6)::float8, n ->> 7, n ->> 8, n ->> 9, n ->> 10, n ->> 11,
               (n ->> 12)::integer, (n ->> 13)::integer, me.id
        FROM me, json_array_elements(%s::json) AS n
        ON CONFLICT DO NOTHING RETURNING id
    ), first AS (
        INSERT INTO entry (run, seq, body)
        SELECT made.id, 0, e ->> 2
        FROM json_array_elements(%s::json) AS e JOIN made ON made.id = e ->> 0
    ), written AS (
        INSERT INTO entry (run, seq, body)
        SELECT run.id, (e ->> 1)::integer, e ->> 2
        FROM me, json_array_elements(%s::json) AS e JOIN run ON run.id = e ->> 0
        WHERE run.owner = me.id OR run.ended_at IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING run
    ), marked AS (
        UPDATE run SET status = m ->> 1, started_at = coalesce((m ->> 2)::float8, started_at),
               ended_at = (m ->> 3)::float8, reason = m ->> 4,
               done = (m ->> 5)::integer, owner = me.id
        FROM me, json_array_elements(%s::json) AS m
        WHERE run.id = m ->> 0 AND run.id IN (SELECT run FROM written)
        RETURNING run.id
    )
    SELECT (SELECT count(*) FROM me), (SELECT array_agg(id) FROM made),
           (SELECT count(*) FROM written), (SELECT count(*) FROM marked)"""
_THERE = """
    SELECT e.run, e.seq, e.body FROM json_array_elements(%s::json) AS w
    JOIN entry AS e ON e.run = w ->> 0 AND e.seq = (w ->> 1)::integer
    JOIN run ON run.id = e.run AND run.owner = %s"""
_BEAT = """
    UPDATE hub SET expires_at = clock_timestamp() + make_interval(secs => %s) WHERE id = %s
    RETURNING EXISTS (SELECT FROM hub AS other WHERE other.id <> hub.id
                      AND other.expires_at < clock_timestamp())"""
# Whoever is just writing lives; whom another hub is just burying is not ours.
_BURY = """
    DELETE FROM hub WHERE id IN (
        SELECT id FROM hub WHERE id <> %s AND expires_at < clock_timestamp()
        ORDER BY id FOR UPDATE SKIP LOCKED
    ) RETURNING id"""
_INHERIT = "UPDATE run SET owner = %s WHERE ended_at IS NULL AND owner = ANY(%s) RETURNING id"
_PRUNE = """
    WITH old AS (
        SELECT id FROM run WHERE ended_at IS NOT NULL AND (created_at < %s OR id < (
            SELECT id FROM run ORDER BY id DESC LIMIT 1 OFFSET %s))
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM run USING old WHERE run.id = old.id
        AND EXISTS (SELECT FROM hub WHERE hub.id = %s) RETURNING run.id
    ), emptied AS (
        DELETE FROM entry USING gone WHERE entry.run = gone.id
    )
    SELECT count(*) FROM gone"""
_UNUSED = """
    DELETE FROM definition WHERE hash IN (
        SELECT hash FROM definition AS d
        WHERE NOT EXISTS (SELECT FROM run WHERE run.definition = d.hash) FOR UPDATE SKIP LOCKED)"""
_REMEMBER = """
    INSERT INTO fact (name, value) SELECT %s, %s FROM hub WHERE id = %s
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_STORED = f"""
    SELECT {LINE}, d.body,
           (SELECT array_agg(e.body ORDER BY e.seq) FROM entry AS e WHERE e.run = r.id)
    FROM run AS r JOIN definition AS d ON d.hash = r.definition"""  # noqa: S608 - only names


class PostgresBackend:
    """One hub of those on the database that `dsn` names.

    After `lease_s` without a beat others may take its runs.
    """

    def __init__(self, dsn: str, *, lease_s: float = 6.0):
        self._lease_s = lease_s
        self._hub = clock.new_id("hub")
        self._fenced = False
        self._known: set[str] = set()
        usual = {"search_path": _SCHEMA, "jit": "off"}
        # A plan is kept, and the table it was made for was empty: never one that reads all of it.
        writing = {"synchronous_commit": "on", "enable_seqscan": "off"}
        # Whoever freezes in a transaction must not keep others from taking over.
        writing |= {"idle_in_transaction_session_timeout": _ms(lease_s / 2)}
        writing |= {"statement_timeout": _ms(20.0)}
        reading = {"default_transaction_read_only": "on", "statement_timeout": _ms(30.0)}
        self._writing = Link(dsn, usual | writing)
        self._reading = Link(dsn, usual | reading)

    # From the writer's thread

    def open(self) -> None:
        self._migrate()
        self._register()
        self.beat()

    def _migrate(self) -> None:
        link = self._writing
        if self._schema() == len(_STEPS):
            return
        with link.transaction():
            link.rows("SELECT pg_advisory_xact_lock(%s)", _LOCK)
            done = self._schema()
            if done == 0:
                link.do(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
                link.do("CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY)")
            for number, step in enumerate(_STEPS[done:], start=done + 1):
                link.do(step)
                link.do("INSERT INTO migration VALUES (%s)", number)

    def _schema(self) -> int:
        """The number of its last step, 0 where there is none. Raises StoreError for one that this
        hub does not know."""
        link = self._writing
        # The catalogue itself: a look-up by name may be answered from before the lock.
        sql = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'migration'"
        if not link.rows(sql, _SCHEMA):
            return 0
        ((done,),) = link.rows("SELECT coalesce(max(number), 0) FROM migration")
        if done > len(_STEPS):
            raise StoreError(
                f"{link.name} was written by a newer hub (schema {done}, this one knows "
                f"{len(_STEPS)})",
                remedy="Run the newer version again, or give this one a database of its own.",
            )
        return int(done)

    def _register(self) -> None:
        self._writing.do(
            "INSERT INTO hub VALUES (%s, clock_timestamp() + make_interval(secs => %s))"
            " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
            self._hub,
            self._lease_s,
        )

    def write(self, batch: Sequence[NewRun | Append]) -> Written:
        new = [item for item in batch if isinstance(item, NewRun)]
        appends = [item for item in batch if isinstance(item, Append)]
        marks = mark_rows(appends)
        rest = (run_rows(new), _entries(new), _entries(appends), marks)
        alive, made_ids, written, marked = self._written(new, [json_of(rows) for rows in rest])
        if not alive:
            raise self._taken_over()
        self._known.update(run.definition_hash for run in new)
        inserted = set(made_ids or ())
        made = {
            run.id: Made(run.id, run.digest, True) if run.id in inserted else self._held(run)
            for run in new
        }
        lost: set[tuple[str, int]] = set()
        if written != len(appends) or marked != len(marks):
            lost = self._lost(appends)
        return results(batch, made, lost)

    def _written(self, new: Sequence[NewRun], rest: Sequence[str]) -> Any:
        from psycopg.errors import ForeignKeyViolation

        try:
            return self._group(definition_rows(new, self._known), rest)
        except StoreError as error:
            if not isinstance(error.__cause__, ForeignKeyViolation):
                raise
        # Another hub has meanwhile forgotten a definition that nobody used.
        self._known.clear()
        return self._group(definition_rows(new, self._known), rest)

    def _group(self, definitions: Sequence[Row], rest: Sequence[str]) -> Any:
        (row,) = self._writing.rows(_WRITE, self._hub, json_of(definitions), *rest)
        return row

    def _held(self, new: NewRun) -> Made:
        found = self._writing.rows(
            "SELECT id, digest FROM run WHERE id = %s OR (workflow = %s AND key = %s)",
            *(new.id, new.workflow, new.key),
        )
        if not found:
            raise StoreError(
                f"{self._writing.name}: the run with that key was forgotten just now.",
                remedy="Ask again.",
            )
        return Made(found[0][0], found[0][1], False)

    def _lost(self, appends: Sequence[Append]) -> set[tuple[str, int]]:
        there = self._writing.rows(_THERE, json_of(_entries(appends)), self._hub)
        return lost_among(appends, {(run, seq): body for run, seq, body in there})

    def beat(self) -> list[str]:
        if self._fenced:
            self._hub = clock.new_id("hub")
            self._register()
            self._fenced = False
        found = self._writing.rows(_BEAT, self._lease_s, self._hub)
        if not found:
            self._fenced = True
            raise self._taken_over()
        return self._take_over() if found[0][0] else []

    def _take_over(self) -> list[str]:
        link = self._writing
        with link.transaction():
            # In two statements: the second sees whatever the dead wrote up to the first.
            dead = [row[0] for row in link.rows(_BURY, self._hub)]
            return [row[0] for row in link.rows(_INHERIT, self._hub, dead)]

    def _taken_over(self) -> FencedError:
        return FencedError(
            f"{self._writing.name}: another hub has taken over this one's runs.",
            remedy="It goes on by itself as a new hub; see what kept it from answering.",
        )

    def prune(self, before: float, keep: int) -> int:
        ((gone,),) = self._writing.rows(_PRUNE, before, keep - 1, _PRUNED_AT_ONCE, self._hub)
        if gone:
            self._forget_definitions()
        return int(gone)

    def _forget_definitions(self) -> None:
        from psycopg.errors import ForeignKeyViolation

        try:
            self._writing.do(_UNUSED)
        except StoreError as error:
            # Another hub has just begun a run with one of them; the next time will do.
            if not isinstance(error.__cause__, ForeignKeyViolation):
                raise
        self._known.clear()

    def remember(self, name: str, value: str) -> None:
        if self._writing.do(_REMEMBER, name, value, self._hub) == 0:
            raise self._taken_over()

    def recall(self, name: str) -> str | None:
        rows = self._writing.rows("SELECT value FROM fact WHERE name = %s", name)
        return rows[0][0] if rows else None

    def close(self) -> None:
        """Let go, and let another hub take over at once."""
        with suppress(StoreError):
            if self._writing.is_open:
                self._writing.do("UPDATE hub SET expires_at = '-infinity' WHERE id = %s", self._hub)
        self._writing.close()

    # From the reader's thread

    def live(self) -> list[StoredRun]:
        where = " WHERE r.owner = %s AND r.ended_at IS NULL ORDER BY r.id"
        return [_stored(row) for row in self._reading.read(_STORED + where, self._hub)]

    def run(self, run_id: str) -> StoredRun | None:
        rows = self._reading.read(_STORED + " WHERE r.id = %s", run_id)
        return _stored(rows[0]) if rows else None

    def runs(self, query: Query) -> RunPage:
        where, values = conditions(query, "%s")
        sql = f"SELECT {LINE} FROM run AS r{where} ORDER BY r.id DESC LIMIT %s"  # noqa: S608
        return page_of(self._reading.read(sql, *values, query.limit + 1), query.limit)

    def holder(self, workflow: str, key: str) -> Made | None:
        sql = "SELECT id, digest FROM run WHERE workflow = %s AND key = %s"
        rows = self._reading.read(sql, workflow, key)
        return Made(rows[0][0], rows[0][1], False) if rows else None

    def read_done(self) -> None:
        self._reading.close()


def _entries(items: Sequence[NewRun | Append]) -> list[Row]:
    return entry_rows(items, dump_events)


def _stored(row: Row) -> StoredRun:
    *line, body, entries = row
    return stored_of(line, body, entries)


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))
