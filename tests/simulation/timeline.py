"""Virtual time: one queue of what happens when, and a wall clock that people and NTP may set."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


class Timeline:
    """`now` is true time in seconds from the beginning; `wall()` what the machine's clock says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.offset_s = 0.0
        self.ahead_s = 0.0
        self.jumped_at = -1.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def wall(self, at: float | None = None) -> datetime:
        return _EPOCH + timedelta(seconds=(self.now if at is None else at) + self.offset_s)

    def until(self, moment: datetime) -> float:
        """Seconds from now until the wall clock says `moment`, if nobody sets it."""
        return (moment - self.wall()).total_seconds()

    def jump(self, seconds: float) -> None:
        self.offset_s += seconds
        self.jumped_at = self.now
        self.ahead_s += max(0.0, seconds)

    def forward(self) -> tuple[float, float]:
        """True time, and with all that the clock was ever set ahead: it sees no more pass."""
        return self.now, self.now + self.ahead_s

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + max(0.0, seconds), self._count, what))

    def run(self, until: float) -> None:
        while self._queue and self._queue[0][0] <= until:
            self.now, _, what = heapq.heappop(self._queue)
            what()
        self.now = until
