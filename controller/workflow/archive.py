"""Runs as lines of JSON, to keep them elsewhere or look at them on another hub.

Only what has ended is taken in: a run that is under way belongs to the hub that carries it out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from controller.errors import NotFoundError
from controller.model.run import RunStatus
from controller.model.workflow_json import definition_from_json
from controller.store.journal import (
    Journal,
    NewRun,
    Query,
    StoredRun,
    dump_events,
    load_events,
)
from controller.workflow.fold import ForbiddenTransitionError, fold
from controller.workflow.runner import mark_of

_PAGE = 100
_MAX_FAULTS = 100
_VERSION = 1


async def export(journal: Journal, runs: Sequence[str], workflow: str | None) -> AsyncIterator[str]:
    """A line for each of `runs`, or for every one (of `workflow`), newest first.

    Raises NotFoundError, StoreError.
    """
    named = [(run_id, await journal.run(run_id)) for run_id in runs]
    for run_id, stored in named:
        if stored is None:
            raise NotFoundError(f"There is no run {run_id}.")
    for _, stored in named:
        if stored is not None:
            yield _line(stored)
    cursor: str | None = None
    while not runs:
        page = await journal.runs(Query(workflow, None, _PAGE, cursor))
        for one in page.lines:
            stored = await journal.run(one.id)
            if stored is not None:
                yield _line(stored)
        cursor = page.next
        if cursor is None:
            return


def _line(stored: StoredRun) -> str:
    body = {
        "version": _VERSION,
        "id": stored.line.id,
        "key": stored.key,
        "digest": stored.digest,
        "definition": json.loads(stored.body),
        "events": json.loads(dump_events(stored.events)),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n"


async def take_in(journal: Journal, lines: AsyncIterator[str]) -> tuple[int, int, list[str]]:
    """How many runs were taken in, how many were there already, and each fault by its line.

    Raises StoreError.
    """
    taken = there = number = 0
    faults: list[str] = []
    async for line in lines:
        number += 1
        if not line.strip():
            continue
        try:
            new = _read(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if len(faults) < _MAX_FAULTS:
                faults.append(f"line {number}: it is no exported run: {error}")
            continue
        except ForbiddenTransitionError as error:
            faults.append(f"line {number}: {error}")
            continue
        made = await journal.create(new)
        taken, there = taken + made.is_new, there + (not made.is_new)
    return taken, there, faults


def _read(raw: Any) -> NewRun:
    if raw["version"] != _VERSION:
        raise ValueError(f"version {raw['version']} is not known here")
    definition = definition_from_json(raw["definition"])
    events = load_events(json.dumps(raw["events"]))
    run = fold(str(raw["id"]), definition, events)
    if not run.status.ended or run.status is RunStatus.COMPENSATION_FAILED:
        raise ValueError(f"the run {run.id} has not ended")
    return NewRun(
        id=run.id,
        workflow=run.workflow,
        definition_hash=definition.hash,
        body=json.dumps(raw["definition"], ensure_ascii=False),
        created_at=run.created_at,
        by=run.by,
        events=events,
        mark=mark_of(run),
        steps=len(run.steps),
        key=raw["key"],
        digest=str(raw["digest"]),
        retry_of=run.retry_of,
    )
