"""Tells the desk of runs that ended, also of those whose end the hub did not live to tell of.

A run's end is on disk before anybody is told. A hub that dies right then comes back, looks at what
ended badly since the last end it has seen, and tells that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from controller.alerts.facts import RunEnd
from controller.errors import HubError, StoreError
from controller.model.run import Event, Kind, Run, RunLine, RunPage, RunStatus
from controller.model.workflow import Definition

log = logging.getLogger(__name__)

_RETRY_S = 2.0
_PAGE = 200
_MOST = 2_000
_BAD = (RunStatus.FAILED, RunStatus.COMPENSATED, RunStatus.COMPENSATION_FAILED)


class Runs(Protocol):
    """Where runs are looked up."""

    async def runs(
        self, workflow: str | None, status: RunStatus | None, limit: int, cursor: str | None
    ) -> RunPage: ...


class RunEnds:
    """A watcher of runs. `tell` gets every end that matters; `holds` is whether an alert is about
    a run."""

    def __init__(self, tell: Callable[[RunEnd], None], holds: Callable[[str], bool]):
        self._tell = tell
        self._holds = holds

    def changed(self, run: Run, definition: Definition, events: Sequence[Event]) -> None:
        if not any(event.kind is Kind.ENDED for event in events):
            return
        # Nearly all runs end well and repeat nothing: they are nobody's news.
        if run.status in _BAD or run.retry_of is not None or self._holds(run.id):
            self._tell(
                RunEnd(
                    run=run.id,
                    workflow=run.workflow,
                    at=run.ended_at or 0.0,
                    good=run.status not in _BAD,
                    undo_failed=run.status is RunStatus.COMPENSATION_FAILED,
                    reason=run.error.reason if run.error else None,
                    retry_of=run.retry_of,
                )
            )

    async def catch_up(self, runs: Runs, seen: float) -> None:
        """Tell what ended badly after `seen`, as soon as the journal can be read."""
        while True:
            try:
                found = await _ended_since(runs, seen)
                break
            except StoreError as error:
                log.debug("runs that ended before the hub's start are not known yet: %s", error)
                await asyncio.sleep(_RETRY_S)
            except HubError as error:
                log.error("runs that ended before the hub's start are not known: %s", error.detail)
                return
        for line in found:
            self._tell(
                RunEnd(
                    run=line.id,
                    workflow=line.workflow,
                    at=line.ended_at or 0.0,
                    good=False,
                    undo_failed=line.status is RunStatus.COMPENSATION_FAILED,
                    reason=line.reason,
                    retry_of=line.retry_of,
                )
            )


async def _ended_since(runs: Runs, seen: float) -> list[RunLine]:
    """Oldest first. Runs are listed by their beginning, so a page without one is not the end."""
    found: list[RunLine] = []
    for status in _BAD:
        cursor: str | None = None
        looked = 0
        while looked < _MOST:
            page = await runs.runs(None, status, _PAGE, cursor)
            found += [line for line in page.lines if (line.ended_at or 0.0) > seen]
            looked += len(page.lines)
            cursor = page.next
            if cursor is None:
                break
    return sorted(found, key=lambda line: (line.ended_at or 0.0, line.id))
