"""When a scheduled workflow is due; pure.

A hub that was away catches up once, not once for every time it missed: whoever asked for a run each
night wants last night's, not the whole week's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim


def due(cron: str, last: datetime, now: datetime) -> datetime | None:
    """The latest moment of `cron` after `last` and not after `now`; None where there is none.

    `last` and `now` are aware, in the zone in which the line is meant.
    """
    # In UTC: within one zone Python compares what the clocks on the wall show, and when summer ends
    # they show an hour twice.
    if next_at(cron, last).astimezone(UTC) > now.astimezone(UTC):
        return None
    just_after = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    found = next(CronSim(cron, just_after.astimezone(now.tzinfo), reverse=True))
    return found if found.astimezone(UTC) > last.astimezone(UTC) else None


def next_at(cron: str, after: datetime) -> datetime:
    """The first moment of `cron` after `after`."""
    return next(CronSim(cron, after))
