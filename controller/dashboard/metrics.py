"""Measurements as people read them: figures, short courses and charts, without I/O.

A chart arrives drawn: what the browser adds is to look closer. So each has its words beside it, and
they say what the drawing shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.dashboard import wording
from controller.dashboard.marks import Mark
from controller.i18n import render, word
from controller.metrics.answer import Comparison, Line, Values, Window
from controller.metrics.library import Availability, History, Summary
from controller.model import metric as known
from controller.model.metric import Form, Metric, Scope, Subject, quantile
from controller.model.view import ServiceView

RANGES = {"1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
USUAL = "6h"
WIDTH, HEIGHT = 240, 64
_SPARK = (96, 22)
_LOUD = 0.1


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, how it changed since yesterday where that is worth telling, and its course."""

    text: str
    change: str = ""
    spark: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Availability over some days."""

    days: str
    text: str
    title: str
    tone: str


@dataclass(frozen=True, slots=True)
class Row:
    """One service of the table."""

    name: str
    mark: Mark | None
    cpu: Figure
    memory: Figure
    answers: tuple[Figure, Figure, Figure]
    received: str
    sent: str
    read: str
    written: str
    restarts: str
    shares: tuple[Share, ...]
    port: int | None
    port_word: str
    port_tone: str
    trend: str


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One workflow: runs by how they ended, and how long its steps took."""

    name: str
    endings: tuple[tuple[str, str, str], ...]
    steps: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart: its name, its path, and that of yesterday."""

    metric: str
    label: str
    path: str
    before: str
    facts: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of metrics of one unit; `says` tells the same in words."""

    name: str
    title: str
    unit: str
    now: str
    curves: tuple[Curve, ...]
    says: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts of one subject; `address` is where the browser asks for the numbers."""

    scope: str
    name: str
    title: str
    address: str
    charts: tuple[Chart, ...]
    drawn: bool = True


_PANELS: Mapping[Scope, Sequence[tuple[str, Sequence[Metric]]]] = {
    Scope.SERVICE: (
        ("cpu", (known.CPU,)),
        ("memory", (known.MEMORY,)),
        ("response", (known.P50, known.P95, known.P99)),
        ("network", (known.RECEIVED, known.SENT)),
        ("disk", (known.READ, known.WRITTEN)),
        ("availability", (known.AVAILABILITY,)),
    ),
    Scope.HUB: (
        ("cpu", (known.CPU,)),
        ("memory", (known.MEMORY,)),
        ("lag", (known.LAG,)),
        ("store", (known.STORE,)),
        ("logs", (known.LOG_RATE,)),
        ("streams", (known.STREAMS,)),
    ),
    Scope.WORKFLOW: (
        ("runs", (known.RUNS[0], known.RUNS[1], known.RUNS[2])),
        ("steps", known.STEPS),
    ),
}


def drawn(scope: Scope) -> list[Metric]:
    """What the charts of a subject show."""
    return [metric for _, metrics in _PANELS[scope] for metric in metrics]


def text_of(metric: Metric, value: float | None, language: str) -> str:
    """A value with its unit."""
    if value is None:
        return wording.NOTHING
    if metric.unit == known.PERCENT:
        return wording.percent(value)
    if metric.unit == known.BYTES:
        return wording.size(round(value))
    if metric.unit == known.RATE:
        return f"{wording.size(round(value))}/s"
    if metric.unit == known.MS:
        return wording.took(value, language)
    if metric.unit == known.RATIO:
        return share_text(value)
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def share_text(value: float) -> str:
    """Never rounded up to 100 %: one bad second of a month shows."""
    return "100 %" if value >= 1 else f"{int(value * 10_000) / 100:.2f} %"


def change_text(one: Comparison, language: str) -> str:
    """`+12 %`; nothing where it is little, or where yesterday is not known."""
    if one.change is None or abs(one.change) < _LOUD:
        return ""
    percent = (
        f"{one.change * 100:+.0f} %".replace("-", "−")
        if abs(one.change) < 10
        else f"×{one.change + 1:.0f}"
    )
    return word("ui.metrics.than_yesterday", language, change=percent)


def path(values: Values, width: int, height: int, top: float, pad: float = 1.5) -> str:
    """An SVG path from 0 to `top`; where nothing was seen it is broken."""
    if len(values) < 2 or top <= 0:
        return ""
    made: list[str] = []
    pen_down = False
    for n, value in enumerate(values):
        if value is None:
            pen_down = False
            continue
        x = width * n / (len(values) - 1)
        y = pad + (height - 2 * pad) * (1 - min(value, top) / top)
        made.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        if not pen_down and (n + 1 == len(values) or values[n + 1] is None):
            # A point that stands alone would draw nothing.
            made.append("h.1")
        pen_down = True
    return "".join(made)


def rows(
    found: Sequence[Summary],
    views: Mapping[str, ServiceView],
    marks: Mapping[str, Mark],
    language: str,
) -> list[Row]:
    return [
        _row(one, views.get(one.subject.name), marks.get(one.subject.name), language)
        for one in found
        if one.subject.scope is Scope.SERVICE
    ]


def _row(one: Summary, view: ServiceView | None, mark: Mark | None, language: str) -> Row:
    def now(metric: Metric) -> str:
        return text_of(metric, _now(one, metric), language)

    open_now = view.port_open if view else None
    state = {True: "open", False: "closed", None: "unknown"}[open_now]
    return Row(
        name=one.subject.name,
        mark=mark,
        cpu=_figure(one, known.CPU, language),
        memory=_figure(one, known.MEMORY, language),
        answers=(
            _over(one, known.P50, language),
            _over(one, known.P95, language),
            _over(one, known.P99, language),
        ),
        received=now(known.RECEIVED),
        sent=now(known.SENT),
        read=now(known.READ),
        written=now(known.WRITTEN),
        restarts=text_of(known.RESTARTS, one.lines[known.RESTARTS.name].now.whole, language),
        shares=tuple(_share(days, share, language) for days, share in one.availability.items()),
        port=view.port if view else None,
        port_word=word(f"ui.metrics.port.{state}", language),
        port_tone={"open": "ok", "closed": "idle", "unknown": "warn"}[state],
        trend="" if one.trend is None else render(one.trend, language),
    )


def _now(one: Summary, metric: Metric) -> float | None:
    if one.last is None:
        return None
    if metric.form is Form.QUANTILE:
        return quantile(one.last.latencies, metric.q)
    found = one.last.gauges.get(metric.kept)
    return None if found is None else found.mean


def _figure(one: Summary, metric: Metric, language: str) -> Figure:
    """What is now, and how it came to be."""
    line = one.lines[metric.name]
    top = _top([line.now.values])
    return Figure(
        text_of(metric, _now(one, metric), language),
        change_text(line, language),
        path(line.now.values, *_SPARK, top),
    )


def _over(one: Summary, metric: Metric, language: str) -> Figure:
    """What the whole window comes to."""
    line = one.lines[metric.name]
    return Figure(text_of(metric, line.now.whole, language), change_text(line, language))


def _share(days: str, found: Availability, language: str) -> Share:
    seen = wording.duration(found.due_s, language)
    title = word("ui.metrics.share_of", language, duration=seen)
    if found.share is None:
        return Share(days, wording.NOTHING, word("ui.metrics.share_none", language), "idle")
    tone = "ok" if found.share >= 0.999 else "warn" if found.share >= 0.99 else "bad"
    return Share(days, share_text(found.share), title, tone)


def flows(found: Sequence[Summary], language: str) -> list[FlowRow]:
    """Workflows, those first that ran."""
    made = []
    for one in found:
        if one.subject.scope is not Scope.WORKFLOW:
            continue
        endings = tuple(
            (
                word(f"ui.metrics.runs.{ending}", language),
                text_of(known.RUNS[n], one.lines[known.RUNS[n].name].now.whole, language),
                _ENDING_TONES[ending],
            )
            for n, ending in enumerate(known.ENDINGS)
        )
        p50, p95, p99 = (
            text_of(metric, one.lines[metric.name].now.whole, language) for metric in known.STEPS
        )
        made.append(FlowRow(one.subject.name, endings, (p50, p95, p99)))
    return made


_ENDING_TONES = {
    "succeeded": "ok",
    "compensated": "warn",
    "failed": "bad",
    "compensation_failed": "bad",
    "cancelled": "idle",
}


def blank(scope: Scope) -> History:
    """For charts that are drawn where they are seen."""
    return History(Window(0, 1, 0), [Comparison(Line(metric, ())) for metric in drawn(scope)])


def charts(subject: Subject, found: History, address: str, language: str) -> Charts:
    """Every chart of a subject, drawn; of a blank history only what they are of."""
    lines = {one.now.metric.name: one for one in found.lines}
    title = subject.name or word("ui.metrics.hub", language)
    return Charts(
        subject.scope,
        subject.name,
        title,
        address,
        tuple(
            _chart(name, title, [lines[metric.name] for metric in metrics], language)
            for name, metrics in _PANELS[subject.scope]
        ),
        drawn=found.over.count > 0,
    )


def _chart(name: str, of: str, lines: Sequence[Comparison], language: str) -> Chart:
    title = word(f"ui.metrics.chart.{name}", language)
    ratio = lines[0].now.metric.unit == known.RATIO
    shown = [values for one in lines for values in (one.now.values, _before(one))]
    top = 1.0 if ratio else _top(shown)
    curves = tuple(_curve(one, top, language) for one in lines)
    last = text_of(lines[0].now.metric, _last(lines[0].now.values), language)
    facts = "; ".join(f"{curve.label} {curve.facts}" for curve in curves)
    return Chart(
        name=name,
        title=title,
        unit=lines[0].now.metric.unit,
        now=last if len(lines) == 1 else "",
        curves=curves,
        says=word("ui.metrics.says", language, title=title, name=of, facts=facts),
        empty=not any(value is not None for one in lines for value in one.now.values),
    )


def _curve(one: Comparison, top: float, language: str) -> Curve:
    metric, before = one.now.metric, one.before
    facts = []
    if one.now.whole is not None:
        key = "whole" if metric.form is not Form.GAUGE else "mean"
        value = text_of(metric, one.now.whole, language)
        facts.append(word(f"ui.metrics.{key}", language, value=value))
    peak = max((v for v in one.now.high or () if v is not None), default=None)
    if peak is not None and metric.form is Form.GAUGE:
        value = text_of(metric, peak, language)
        facts.append(word("ui.metrics.peak", language, value=value))
    if before is not None and one.fair:
        value = text_of(metric, before.whole, language)
        facts.append(word("ui.metrics.yesterday", language, value=value))
    return Curve(
        metric.name,
        word(f"ui.metrics.line.{metric.name}", language),
        path(one.now.values, WIDTH, HEIGHT, top),
        path(_before(one), WIDTH, HEIGHT, top),
        ", ".join(facts) or wording.NOTHING,
    )


def _before(one: Comparison) -> Values:
    return one.before.values if one.before is not None else ()


def _last(values: Values) -> float | None:
    """The newest that was seen, of the last few points: the very last is only begun."""
    return next((value for value in reversed(values[-3:]) if value is not None), None)


def _top(shown: Sequence[Values]) -> float:
    """A little above the most there is, so that the line does not touch the frame."""
    most = max((value for values in shown for value in values if value is not None), default=0.0)
    return most * 1.08 if most > 0 else 1.0
