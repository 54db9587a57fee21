"""What the last probes of one life of a container said; pure.

A history belongs to an incarnation: a container that was restarted starts with an empty one, so
the failures of a dead process are never held against its successor. Thresholds work as the
kubelet's do: `failures` bad answers in a row make a service unhealthy, and only `successes` good
ones in a row make it well again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from controller.model.probe import ProbeResult
from controller.model.spec import ProbeSpec

_KEEP = 20
_FLAPPING_BAD = 5
_FLAPPING_RUNS = 3


@dataclass(frozen=True, slots=True)
class ProbeHistory:
    """The newest results last; counters run over the whole life, not only over `results`.

    `ready_at` is the first success that counts, `since_ready` how many results there are from it
    on. `unhealthy` is the latch of the thresholds and only works after readiness. `first_bad_at`
    is when the present bad episode began, before readiness too; None while there is none.
    `forgiven` says that what was bad has been forgotten and nothing has been proved since.
    """

    incarnation: str
    results: tuple[ProbeResult, ...] = ()
    failures_in_a_row: int = 0
    successes_in_a_row: int = 0
    ready_at: datetime | None = None
    since_ready: int = 0
    unhealthy: bool = False
    first_bad_at: datetime | None = None
    forgiven: bool = False

    @property
    def last(self) -> ProbeResult | None:
        return self.results[-1] if self.results else None

    @property
    def window(self) -> tuple[ProbeResult, ...]:
        """The newest results since readiness, at most 20, over which flapping is judged."""
        return self.results[-self.since_ready :] if self.since_ready else ()

    @property
    def flapping(self) -> bool:
        """Bad again and again: often within the window, and not in one piece."""
        good = [result.ok for result in self.window]
        runs = sum(not now and before for before, now in zip([True, *good], good, strict=False))
        return good.count(False) >= _FLAPPING_BAD and runs >= _FLAPPING_RUNS

    @property
    def silent(self) -> bool:
        """The newest failure was a hang: the connection was taken and no answer came."""
        bad = next((result for result in reversed(self.results) if not result.ok), None)
        return bad is not None and bad.timed_out and bad.port_open is True

    def add(self, result: ProbeResult, probe: ProbeSpec) -> ProbeHistory:
        """This history with one more result, judged by the thresholds of `probe`."""
        failures = 0 if result.ok else self.failures_in_a_row + 1
        successes = self.successes_in_a_row + 1 if result.ok else 0
        proved = successes >= probe.successes
        ready_at = self.ready_at or (result.at if proved else None)
        enough = failures >= probe.failures
        grown = replace(
            self,
            results=(*self.results, result)[-_KEEP:],
            failures_in_a_row=failures,
            successes_in_a_row=successes,
            ready_at=ready_at,
            since_ready=self.since_ready + (ready_at is not None),
            unhealthy=ready_at is not None and (enough or (self.unhealthy and not proved)),
            forgiven=self.forgiven and not proved and not enough,
        )
        return replace(grown, first_bad_at=_first_bad(self, grown, result))

    def forgive(self) -> ProbeHistory:
        """This life with a clean slate, for a service that was sick because of another one."""
        return ProbeHistory(self.incarnation, ready_at=self.ready_at, forgiven=True)


def _first_bad(before: ProbeHistory, grown: ProbeHistory, result: ProbeResult) -> datetime | None:
    if grown.flapping and not before.flapping:
        return next(seen.at for seen in grown.window if not seen.ok)
    if result.ok and not grown.unhealthy and not grown.flapping:
        return None
    return before.first_bad_at or (None if result.ok else result.at)
