"""What the last probes of one life of a container said; pure.

A history belongs to an incarnation: a container that was restarted starts with an empty one, so
the failures of a dead process are never held against its successor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from controller.model.probe import ProbeResult

_KEEP = 20


@dataclass(frozen=True, slots=True)
class ProbeHistory:
    """The newest results last; counters run over the whole life, not only over `results`."""

    incarnation: str
    results: tuple[ProbeResult, ...] = ()
    failures_in_a_row: int = 0
    successes_in_a_row: int = 0
    ready_at: datetime | None = None

    @property
    def last(self) -> ProbeResult | None:
        return self.results[-1] if self.results else None

    def add(self, result: ProbeResult, successes_needed: int) -> ProbeHistory:
        """This history with one more result; `ready_at` is set at the first success that counts."""
        successes = self.successes_in_a_row + 1 if result.ok else 0
        ready = self.ready_at
        if ready is None and successes >= successes_needed:
            ready = result.at
        return replace(
            self,
            results=(*self.results, result)[-_KEEP:],
            failures_in_a_row=0 if result.ok else self.failures_in_a_row + 1,
            successes_in_a_row=successes,
            ready_at=ready,
        )
