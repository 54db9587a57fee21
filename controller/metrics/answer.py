"""From what is kept to what is drawn: so many points over a time, each with its spread; pure.

A point in which nothing was seen is None: a gap of a chart is where the hub was away, and a line
drawn across it would be a claim.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controller.metrics.table import LATENCIES, Table
from controller.model.metric import DUE_S, UP_S, Form, Metric, quantile

STEPS_S = (
    10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600,
    43_200, 86_400,
)  # fmt: skip
"""Lengths of time people know."""

Values = Sequence[float | None]
_FAIR = 0.8


@dataclass(frozen=True, slots=True)
class Window:
    """`count` points of `step` seconds from `since` on."""

    since: int
    step: int
    count: int

    @property
    def until(self) -> int:
        return self.since + self.step * self.count

    def before(self, seconds: int) -> Window:
        """The same, so long ago."""
        return Window(self.since - seconds, self.step, self.count)


@dataclass(frozen=True, slots=True)
class Line:
    """One metric over a window. `low` and `high` are the extremes within each point of a gauge;
    `whole` is what the window as a whole comes to."""

    metric: Metric
    values: Values
    low: Values = ()
    high: Values = ()
    whole: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A line and the same of an earlier window. Where much less was seen then, the wholes are of
    different times and say nothing of each other: it is not `fair`, and there is no `change`."""

    now: Line
    before: Line | None = None
    change: float | None = None
    fair: bool = False


def window(since: float, until: float, points: int, finest: int) -> Window:
    """At most about `points` points, of a length that people know and not less than `finest`,
    beginning at whole multiples of it, so that a chart does not flicker when it is asked again."""
    wanted = max(finest, (until - since) / max(1, points))
    step = next((s for s in STEPS_S if s >= wanted), math.ceil(wanted / 86_400) * 86_400)
    begin = math.floor(since / step) * step
    return Window(begin, step, max(1, math.ceil((until - begin) / step)))


def columns_of(metrics: Iterable[Metric]) -> frozenset[str]:
    """What of a table it takes to draw them."""
    found: set[str] = set()
    for metric in metrics:
        if metric.form is Form.QUANTILE:
            found.add(LATENCIES)
        elif metric.form is Form.SHARE:
            found |= {UP_S, DUE_S}
        else:
            found.add(metric.kept)
    return frozenset(found)


def lines(metrics: Iterable[Metric], tables: Sequence[Table], over: Window) -> list[Line]:
    """Each metric over the window, from tables that hold it and may reach beyond it."""
    metrics = list(metrics)
    is_timed = any(metric.form is Form.QUANTILE for metric in metrics)
    # All quantiles are of the same times, and those are the most there is to go through.
    cells = _latencies(tables, over) if is_timed else []
    return [
        _quantile(metric, cells) if metric.form is Form.QUANTILE else line(metric, tables, over)
        for metric in metrics
    ]


def line(metric: Metric, tables: Sequence[Table], over: Window) -> Line:
    """One metric over the window."""
    if metric.form is Form.GAUGE:
        return _gauge(metric, tables, over)
    if metric.form is Form.QUANTILE:
        return _quantile(metric, _latencies(tables, over))
    if metric.form is Form.SHARE:
        return _share(metric, tables, over)
    return _count(metric, tables, over)


def compared(now: Line, before: Line | None) -> Comparison:
    """How the whole changed, relative to before."""
    if before is None or now.whole is None or before.whole is None:
        return Comparison(now, before)
    if _seen(before.values) < _FAIR * _seen(now.values):
        return Comparison(now, before)
    if before.whole == 0:
        return Comparison(now, before, 0.0 if now.whole == 0 else None, fair=True)
    return Comparison(now, before, (now.whole - before.whole) / before.whole, fair=True)


def _seen(values: Values) -> int:
    return sum(value is not None for value in values)


@dataclass(slots=True)
class _Sums:
    """By point: sums of what falls into it, None where nothing does."""

    over: Window
    cells: list[float | None] = field(default_factory=list)
    total: float | None = None

    def __post_init__(self) -> None:
        self.cells = [None] * self.over.count

    def add(self, at: int, amount: float) -> None:
        place = (at - self.over.since) // self.over.step
        if 0 <= place < self.over.count:
            self.cells[place] = (self.cells[place] or 0.0) + amount
            self.total = (self.total or 0.0) + amount


def _gauge(metric: Metric, tables: Iterable[Table], over: Window) -> Line:
    since, step, count = over.since, over.step, over.count
    low: list[float | None] = [None] * count
    high: list[float | None] = [None] * count
    sums, weights = [0.0] * count, [0.0] * count
    for table in tables:
        for at, mean, least, most, number in table.spreads(metric.kept):
            place = (at - since) // step
            if not 0 <= place < count:
                continue
            sums[place] += mean * number
            weights[place] += number
            old = low[place]
            low[place] = least if old is None or least < old else old
            old = high[place]
            high[place] = most if old is None or most > old else old
    values = [s / weight if weight else None for s, weight in zip(sums, weights, strict=True)]
    whole = sum(weights)
    return Line(metric, values, low, high, sum(sums) / whole if whole else None)


def _count(metric: Metric, tables: Iterable[Table], over: Window) -> Line:
    sums = _Sums(over)
    for table in tables:
        for at, count in table.tally(metric.kept):
            sums.add(at, count)
    return Line(metric, sums.cells, whole=sums.total)


def _share(metric: Metric, tables: Iterable[Table], over: Window) -> Line:
    up, due = _Sums(over), _Sums(over)
    for table in tables:
        for at, seconds in table.tally(UP_S):
            up.add(at, seconds)
        for at, seconds in table.tally(DUE_S):
            due.add(at, seconds)
    pairs = zip(up.cells, due.cells, strict=True)
    values = [share(part, whole) for part, whole in pairs]
    return Line(metric, values, whole=share(up.total, due.total))


def share(up_s: float | None, due_s: float | None) -> float | None:
    """Of what was due, how much was; None where nothing was due."""
    return min(1.0, (up_s or 0.0) / due_s) if due_s else None


def _latencies(tables: Iterable[Table], over: Window) -> list[dict[int, float]]:
    """By point, how many took how long."""
    since, step, count = over.since, over.step, over.count
    cells: list[dict[int, float]] = [{} for _ in range(count)]
    for table in tables:
        for at, number, tally in table.latencies():
            place = (at - since) // step
            if 0 <= place < count:
                cell = cells[place]
                cell[number] = cell.get(number, 0.0) + tally
    return cells


def _quantile(metric: Metric, cells: Sequence[Mapping[int, float]]) -> Line:
    whole: dict[int, float] = {}
    for cell in cells:
        for number, found in cell.items():
            whole[number] = whole.get(number, 0.0) + found
    values = [quantile(cell, metric.q) for cell in cells]
    return Line(metric, values, whole=quantile(whole, metric.q))
