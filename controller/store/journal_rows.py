"""What every store of runs writes and reads, as plain rows: a group taken apart, a line put
together, and what became of each item of a group.

Each store has its own SQL; none may have its own idea of what a run's line is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from controller.model.run import Event, RunLine, RunPage, RunStatus
from controller.model.text import Text
from controller.store.journal import (
    Append,
    FencedError,
    Made,
    NewRun,
    Query,
    StoredRun,
    dump_events,
    load_events,
    plain,
    text_of,
)

LINE = (
    "r.id, r.workflow, r.status, r.created_at, r.started_at, r.ended_at, r.by, r.definition,"
    " r.reason, r.retry_of, r.steps, r.done, r.key, r.digest"
)
"""The columns that `line_of` and `stored_of` read, of a table `run AS r`."""

Row = Sequence[Any]
Written = list[Made | FencedError | None]


def definition_rows(new: Iterable[NewRun], known: Set[str]) -> list[Row]:
    """Hash, workflow and body of each definition that is not `known`."""
    found = {run.definition_hash: run for run in new if run.definition_hash not in known}
    return [(run.definition_hash, run.workflow, _storable(run.body)) for run in found.values()]


def run_rows(new: Iterable[NewRun]) -> list[Row]:
    return [
        (
            *(r.id, r.workflow, r.definition_hash, r.mark.status, r.created_at),
            *(r.mark.started_at, r.mark.ended_at, _reason_text(r.mark.reason)),
            *(_clean(r.by), r.key, r.digest, r.retry_of, r.steps, r.mark.done),
        )
        for r in new
    ]


def entry_rows(
    items: Iterable[NewRun | Append], form: Callable[[Sequence[Event]], object] = plain
) -> list[Row]:
    """Run, number and events (in this form) of each append; a run's making is its first."""
    return [
        (item.id, 0, form(item.events))
        if isinstance(item, NewRun)
        else (item.run, item.seq, form(item.events))
        for item in items
    ]


def mark_rows(appends: Iterable[Append]) -> list[Row]:
    """Run, status, beginning, end, reason and steps that are over, where a run's line changes."""
    # A run may be appended to twice in one group: the last mark is the one that counts.
    marks = {
        item.run: (
            *(item.run, m.status, m.started_at, m.ended_at),
            *(_reason_text(m.reason), m.done),
        )
        for item in appends
        if (m := item.mark) is not None
    }
    return list(marks.values())


def results(
    batch: Sequence[NewRun | Append],
    made: Mapping[str, Made],
    lost: Set[tuple[str, int]] = frozenset(),
) -> Written:
    """What `Backend.write` answers."""
    return [_result(item, made, lost) for item in batch]


def _result(
    item: NewRun | Append, made: Mapping[str, Made], lost: Set[tuple[str, int]]
) -> Made | FencedError | None:
    if isinstance(item, NewRun):
        return made[item.id]
    if (item.run, item.seq) in lost:
        return FencedError(
            f"The run {item.run} is carried out by another hub.",
            remedy="Ask that hub; this one only shows it.",
        )
    return None


def lost_among(
    appends: Iterable[Append], there: Mapping[tuple[str, int], str]
) -> set[tuple[str, int]]:
    """Which appends were not written, given the bodies that are there under their numbers.

    One that is there word for word was written by an earlier try, whose answer got lost.
    """
    return {
        (item.run, item.seq)
        for item in appends
        if (body := there.get((item.run, item.seq))) is None
        or json.loads(body) != json.loads(dump_events(item.events))
    }


def conditions(query: Query, place: str) -> tuple[str, tuple[Any, ...]]:
    """The WHERE of a page, and its values; `place` is how the database marks where one goes."""
    wanted = {
        "r.workflow =": query.workflow,
        "r.status =": query.status,
        "r.id <": query.cursor,
    }
    given = {condition: value for condition, value in wanted.items() if value is not None}
    where = " AND ".join(f"{condition} {place}" for condition in given)
    return (f" WHERE {where}" if where else ""), tuple(given.values())


def page_of(rows: Sequence[Row], limit: int) -> RunPage:
    """A page from its rows and one more, where there is one more."""
    lines = tuple(line_of(row) for row in rows[:limit])
    return RunPage(lines, lines[-1].id if len(rows) > limit else None)


def line_of(row: Row) -> RunLine:
    run_id, workflow, status, created, started, ended, by, definition, reason, *rest = row
    retry_of, steps, done, _key, _digest = rest
    return RunLine(
        id=run_id,
        workflow=workflow,
        status=RunStatus(status),
        created_at=created,
        started_at=started,
        ended_at=ended,
        by=by,
        definition_hash=definition,
        reason=Text.from_json(json.loads(reason)) if reason else None,
        retry_of=retry_of,
        steps=steps,
        done=done,
    )


def stored_of(row: Row, body: str, entries: Sequence[str]) -> StoredRun:
    """A run from its row, its definition and its appends in order."""
    events = tuple(event for raw in entries for event in load_events(raw))
    *_, key, digest = row
    return StoredRun(line_of(row), body, key, digest, len(entries), events)


def json_of(rows: Iterable[Row]) -> str:
    return text_of(list(rows))


def _reason_text(reason: Text | None) -> str | None:
    return text_of(reason.to_json()) if reason else None


def _storable(body: str) -> str:
    """JSON text without halves of surrogate pairs, which no database takes for text."""
    return body if body.isascii() or _clean(body) == body else text_of(json.loads(body))


def _clean(words: str) -> str:
    """Text that every database can hold."""
    return words.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
