"""What the page of metrics says and draws is what was measured: gaps, shares, changes, words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.dashboard import metrics
from controller.dashboard.metrics import change_text, charts, path, rows, share_text, text_of
from controller.i18n import word
from controller.metrics.answer import Comparison, Line, Window
from controller.metrics.library import Availability, History, Summary
from controller.model import metric as known
from controller.model.metric import METRICS, Bucket, Metric, Scope, Subject, spread
from controller.model.observation import State
from controller.model.text import Text
from controller.model.view import Desired, Health, ServiceView

WEB = Subject(Scope.SERVICE, "web")
OVER = Window(0, 60, 4)
TEMPLATES = Path(metrics.__file__).parent / "templates"


def compared(metric: Metric, change: float | None = None) -> Comparison:
    before = Line(metric, [1.0, 1.0, 1.0, 1.0], whole=1.0)
    return Comparison(Line(metric, [1.0, None, 3.0, 2.0], (), (3.0,), 2.0), before, change, True)


def history() -> History:
    return History(OVER, [compared(metric) for metric in metrics.drawn(Scope.SERVICE)])


def test_a_gap_breaks_the_line_and_a_lonely_point_is_seen() -> None:
    drawn = path([1.0, 1.0, None, 2.0, None, None, 4.0], 60, 20, 4.0, pad=0)
    assert drawn == "M0.0 15.0L10.0 15.0M30.0 10.0h.1M60.0 0.0h.1"
    assert path([None, None], 60, 20, 4.0) == ""
    assert path([1.0], 60, 20, 4.0) == ""


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.999999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %")],
)
def test_a_share_is_never_rounded_up_to_all(share: float, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (known.CPU, 12.34, "12.3 %"),
        (known.MEMORY, 61 << 20, "61 MB"),
        (known.SENT, 2048.0, "2.0 kB/s"),
        (known.P95, 4.2, "4.2 ms"),
        (known.AVAILABILITY, 0.9993, "99.93 %"),
        (known.RESTARTS, 3.0, "3"),
        (known.LOG_RATE, 0.4, "0.4"),
        (known.CPU, None, "–"),
    ],
)
def test_values_have_their_units(metric: Metric, value: float | None, text: str) -> None:
    assert text_of(metric, value, "en") == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (0.12, "+12 % vs yesterday"),
        (-0.5, "−50 % vs yesterday"),
        (24.0, "×25 vs yesterday"),
        (0.05, ""),
        (None, ""),
    ],
)
def test_only_a_change_worth_telling_is_told(change: float | None, text: str) -> None:
    assert change_text(compared(known.CPU, change), "en") == text


def summary(last: Bucket | None, shares: Mapping[str, Availability]) -> Summary:
    found = {name: compared(metric) for name, metric in METRICS[Scope.SERVICE].items()}
    return Summary(
        WEB, last, OVER, found, shares, Text("metrics.trend.memory", {"mb": 3, "hours": 6})
    )


def test_a_row_tells_what_is_now_and_what_was_not_seen() -> None:
    view = ServiceView(
        "web", 8012, Desired.RUNNING, State.RUNNING, Health.HEALTHY, Text("x"),
        datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    last = Bucket(0, 10, {known.CPU.name: spread(4.25), known.RECEIVED.name: spread(1024.0)})
    shares = {"24h": Availability(0.9991, 86_400), "7d": Availability(None, 0)}
    (row,) = rows([summary(last, shares)], {"web": view}, {}, "en")
    assert (row.cpu.text, row.received, row.sent) == ("4.2 %", "1.0 kB/s", "–")
    assert [(s.text, s.tone) for s in row.shares] == [("99.91 %", "ok"), ("–", "idle")]
    assert row.shares[1].title == "It was never meant to run"
    assert (row.port, row.port_word, row.port_tone) == (8012, "not seen", "warn")
    assert row.trend.startswith("Memory has been growing by 3 MB")
    (old,) = rows([summary(None, {})], {}, {}, "ko")
    assert (old.cpu.text, old.port, old.mark) == ("–", None, None)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_charts_say_what_they_draw_and_other_pages_can_show_them(language: str) -> None:
    section = charts(WEB, history(), "/metrics/history?service=web", language)
    assert [chart.name for chart in section.charts] == [
        "cpu", "memory", "response", "network", "disk", "availability",
    ]  # fmt: skip
    cpu = section.charts[0]
    assert "web" in cpu.says
    assert "2.0 %" in cpu.says
    assert "3.0 %" in cpu.says
    assert cpu.curves[0].path.count("M") == 2, "nothing is drawn across the gap"
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    template = jinja.from_string(
        '{% from "_charts.html" import service_charts %}{{ service_charts(t, measured) }}'
    )
    facts = {"section": section, "range": "6h", "range_s": 21_600, "refresh_s": 10, "more": "/x"}

    def t(key: str, **params: str | int) -> str:
        return word(f"ui.{key}", language, **params)

    html = template.render(t=t, measured=facts)
    assert html.count("<figure") == 6
    assert "style=" not in html
    assert len(set(re.findall(r' id="([^"]+)"', html))) == len(re.findall(r' id="', html))
    assert t("metrics.unread") in template.render(t=t, measured=facts | {"section": None})


def test_what_is_drawn_elsewhere_claims_nothing() -> None:
    for scope in Scope:
        section = charts(Subject(scope, "x"), metrics.blank(scope), "/metrics/history?", "en")
        assert not section.drawn
        assert section.charts
        assert all(curve.facts == "–" for chart in section.charts for curve in chart.curves)


def test_of_nothing_it_is_said_that_nothing_was_seen() -> None:
    empty = [Comparison(Line(m, [None] * 4)) for m in metrics.drawn(Scope.HUB)]
    section = charts(known.HUB, History(OVER, empty), "/metrics/history?", "en")
    assert all(chart.empty and chart.now == "–" for chart in section.charts)
    assert section.title == "HEAL7 Hub"
