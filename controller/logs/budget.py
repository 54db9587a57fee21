"""How much of a container's output is read in a moment, and when reading it all is given up; pure.

A container may write faster than anybody can read. What it writes stands in the engine's files, so
reading slowly hurts nobody; but a reader who falls behind for good would show an ever older past.
"""

from __future__ import annotations

_BEHIND_S = 10.0
_JUDGED_S = 2.0
LINE_COST = 64
"""What a line costs beyond its bytes."""


class Budget:
    """Bytes per second, of which some seconds' worth may be spent at once."""

    def __init__(self, rate: float, now: float, burst_s: float = 4.0):
        self._rate = rate
        self._most = rate * burst_s
        self._left = self._most
        self._at = now

    def spend(self, size: int, lines: int, now: float) -> float:
        """Seconds to wait before more is read."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        self._left -= size + lines * LINE_COST
        return max(0.0, -self._left / self._rate)


class Lag:
    """How far what is read lies behind what is written, and whether that gets worse."""

    def __init__(self) -> None:
        self._judged_at: float | None = None
        self._before_s = 0.0

    def hopeless(self, lag_s: float, now: float) -> bool:
        """Whether the reader is far behind and does not catch up. Ask after each read that had to
        wait for its budget; `now` is a clock that never steps."""
        if lag_s < _BEHIND_S:
            self._judged_at = None
            return False
        if self._judged_at is None:
            self._judged_at, self._before_s = now, lag_s
            return False
        if now - self._judged_at < _JUDGED_S:
            return False
        worse = lag_s >= self._before_s
        self._judged_at, self._before_s = now, lag_s
        return worse
