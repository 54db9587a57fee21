"""What the overview tells beside the services: alerts that nobody knows of yet, and runs that
failed and that nobody made good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.dashboard import alerts as shown_alerts
from controller.dashboard import workflows
from controller.dashboard.present import Row
from controller.dashboard.run_routes import WorkflowsPort
from controller.dashboard.workflows import Line
from controller.errors import StoreError
from controller.model.alert import Alert, AlertState
from controller.model.run import RunLine, RunStatus

_FAILED = (RunStatus.FAILED, RunStatus.COMPENSATION_FAILED)
_LOOKED_AT = 10
_SHOWN = 5
_RECENT = timedelta(hours=24)


async def failed_runs(port: WorkflowsPort, language: str, now: datetime) -> Sequence[Line]:
    """The newest failed run of each workflow that failed within a day and did not succeed since.
    Nothing where the journal cannot be read: that has a notice of its own."""
    try:
        pages = await asyncio.gather(*(port.runs(None, s, _LOOKED_AT, None) for s in _FAILED))
        failed = newest_of_each([line for page in pages for line in page.lines], now)
        later = await asyncio.gather(
            *(port.runs(line.workflow, RunStatus.SUCCEEDED, 1, None) for line in failed)
        )
    except StoreError:
        return ()
    open_ones = [
        line
        for line, page in zip(failed, later, strict=True)
        if not any(good.created_at > line.created_at for good in page.lines)
    ]
    return [workflows.line(line, language, now) for line in open_ones]


def newest_of_each(lines: Sequence[RunLine], now: datetime) -> list[RunLine]:
    """One run per workflow, the newest first; those of long ago are history. Pure."""
    since = (now - _RECENT).timestamp()
    found: dict[str, RunLine] = {}
    for line in sorted(lines, key=lambda line: line.created_at, reverse=True):
        if (line.ended_at or line.created_at) >= since:
            found.setdefault(line.workflow, line)
    return list(found.values())[:_SHOWN]


def alarms(
    alerts: Sequence[Alert], urgent: Sequence[Row], language: str, now: datetime
) -> Sequence[shown_alerts.Line]:
    """What fires and is not told beside it anyway: by a service that wants attention, or as a run
    that failed. Pure."""
    told = {row.name for row in urgent}
    return [
        shown_alerts.line(alert, None, language, now)
        for alert in alerts
        if alert.state is AlertState.FIRING and alert.service not in told and not alert.runs
    ]
