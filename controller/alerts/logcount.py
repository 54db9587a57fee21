"""How many lines of a kind each service wrote lately, by ten seconds; pure.

Lines are counted by the time they carry, so what is read late, such as after the hub was away,
counts for when it was written. Patterns are tried on the beginning of a line only: a flood of long
lines must not keep the hub busy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.alerts.facts import Counted
from controller.alerts.rules import LogPattern, Rules
from controller.model.alert import Rule
from controller.model.log import Entry, Level, Stream

_BUCKET_S = 10
_LONGEST = 2_000
_LAST = 300


@dataclass(slots=True)
class _Count:
    """Lines by the number of their ten seconds since 1970."""

    buckets: dict[int, int] = field(default_factory=dict)
    last: str = ""

    def add(self, bucket: int, said: str) -> None:
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.last = said

    def drop_before(self, bucket: int) -> None:
        if self.buckets and min(self.buckets) < bucket:
            self.buckets = {at: n for at, n in self.buckets.items() if at >= bucket}


class LogCounter:
    """Counts. `noted` is told every entry, as it comes."""

    def __init__(self, rules: Rules):
        self._patterns = rules.patterns if rules.of(Rule.LOG_PATTERN).enabled else ()
        self._errors_s = rules.of(Rule.ERROR_RATE).window_s
        self._counts_errors = rules.of(Rule.ERROR_RATE).enabled
        self._counts: dict[tuple[str, str], _Count] = {}

    def noted(self, service: str, entry: Entry) -> None:
        if entry.stream is Stream.HUB:
            return
        bucket = entry.at // (_BUCKET_S * 1_000_000_000)
        if self._counts_errors and entry.level >= Level.ERROR:
            self._of(service, "").add(bucket, entry.text[:_LAST])
        if self._patterns:
            said = entry.text[:_LONGEST]
            for pattern in self._patterns:
                meant = pattern.services is None or service in pattern.services
                if meant and pattern.match.search(said):
                    self._of(service, pattern.name).add(bucket, said[:_LAST])

    def _of(self, service: str, pattern: str) -> _Count:
        found = self._counts.get((service, pattern))
        if found is None:
            found = self._counts[(service, pattern)] = _Count()
        return found

    def forget(self, services: Iterable[str]) -> None:
        """What these wrote is not held against them."""
        gone = set(services)
        for key in [key for key in self._counts if key[0] in gone]:
            del self._counts[key]

    def counted(self, now: datetime) -> tuple[Counted, ...]:
        """Every count within its window."""
        found = []
        windows = {pattern.name: pattern for pattern in self._patterns}
        for (service, name), count in list(self._counts.items()):
            window_s = _window_s(windows.get(name), self._errors_s)
            first = int(now.timestamp() - window_s) // _BUCKET_S + 1
            count.drop_before(first)
            if not count.buckets:
                del self._counts[(service, name)]
                continue
            begun = datetime.fromtimestamp(min(count.buckets) * _BUCKET_S, UTC)
            found.append(Counted(service, sum(count.buckets.values()), begun, name, count.last))
        return tuple(found)


def _window_s(pattern: LogPattern | None, errors_s: float) -> float:
    return pattern.window_s if pattern is not None else errors_s
