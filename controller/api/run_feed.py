"""Tells runs to whoever listens on the event stream, without letting a flood of them drown it.

A hundred runs a second change a thousand times a second; nobody reads that. Changes of one run
within a tenth of a second become one event, and where too many runs change at once only their
number is told: whoever shows them asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controller import clock
from controller.api import render, render_runs
from controller.clock import rfc3339
from controller.model.run import Event, Run
from controller.model.workflow import Definition
from controller.telemetry.bus import Bus

_PAUSE_S = 0.1
_AT_ONCE = 20


class RunFeed:
    """A watcher of runs that publishes on the bus. Use from the event loop only."""

    def __init__(self, bus: Bus):
        self._bus = bus
        self._changed: dict[str, tuple[Run, Definition]] = {}
        self._last = 0.0
        self._due = False

    def changed(self, run: Run, definition: Definition, events: Sequence[Event]) -> None:
        self._changed[run.id] = (run, definition)
        if not self._due:
            self._due = True
            pause = max(0.0, self._last + _PAUSE_S - clock.monotonic())
            asyncio.get_running_loop().call_later(pause, self._tell)

    def _tell(self) -> None:
        self._due, self._last = False, clock.monotonic()
        changed, self._changed = self._changed, {}
        for run, definition in list(changed.values())[:_AT_ONCE]:
            self._publish(render_runs.stripped(run), definition)
        if len(changed) > _AT_ONCE:
            at = rfc3339(clock.now())
            body = render.dumps({"at": at, "changed": len(changed)})
            self._bus.publish("runs", lambda _: body)

    def _publish(self, run: Run, definition: Definition) -> None:
        now = clock.now()
        self._bus.publish(
            "run",
            lambda language: render.dumps(
                {"at": rfc3339(now)} | render_runs.brief(run, definition, language, now.timestamp())
            ),
        )
