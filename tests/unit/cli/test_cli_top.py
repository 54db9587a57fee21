"""`heal7 top`: what was seen, blanks for what was not, and nothing that acts on the terminal."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from controller.cli import top
from controller.cli.errors import HubUnreachable
from controller.cli.render_top import sparkline, table
from controller.cli.session import Session
from tests.unit.cli.fakes import FakeHub, Heal7

NAMES = (
    "cpu_percent", "memory_bytes", "network_rx_bytes_per_s", "network_tx_bytes_per_s",
    "disk_read_bytes_per_s", "disk_write_bytes_per_s", "response_p50_ms", "response_p95_ms",
    "response_p99_ms", "restarts",
)  # fmt: skip


def figure(now: float | None, whole: float | None, points: list[float | None]) -> dict[str, Any]:
    return {"unit": "x", "now": now, "whole": whole, "change": None, "points": points}


def measured(name: str, seen: bool = True, **more: Any) -> dict[str, Any]:
    value = 2048.0 if seen else None
    metrics = {n: figure(value, value, [1.0, None, 3.0] if seen else []) for n in NAMES}
    share = {"share": 0.99999 if seen else None, "expected_s": 60}
    return {
        "name": name,
        "health": "healthy" if seen else "failed",
        "metrics": metrics,
        "availability": {"24h": share, "30d": share},
        "trend": None,
    } | more


def summary(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    hub = {"metrics": {"cpu_percent": figure(1.4, 1.0, []), "memory_bytes": figure(1 << 26, 1, [])}}
    return {"services": list(services), "hub": hub, "interval_s": 10, "problem": None} | more


def test_what_was_seen_is_shown_and_what_was_not_is_blank(fake_hub: FakeHub, heal7: Heal7) -> None:
    answer = summary(measured("web"), measured("db", seen=False))
    fake_hub.on("GET /metrics/summary?window=6h", answer)
    said = heal7("top", "-w", "6h", "--once", COLUMNS="200")
    assert said.returncode == 0, said.stderr
    head, _, columns, web, db = said.stdout.splitlines()
    assert head == (
        "2 services, response times and restarts of the last 6h, hub 1.4 % of a core, 64 MiB"
    )
    assert columns.split()[:3] == ["SERVICE", "CPU", "CPU"]
    assert web.split()[:3] == ["✓", "web", "2048.0"]
    assert "▃ █" in web
    assert web.split()[-2:] == ["99.99", "%"], "never rounded up to 100 %"
    assert db.split() == ["✗", "db"]


def test_a_narrow_terminal_keeps_what_matters(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("GET /metrics/summary?window=1h", summary(measured("web")))
    said = heal7("top", COLUMNS="60")
    assert max(map(len, said.stdout.splitlines()[2:])) <= 60
    assert "MEMORY" in said.stdout
    assert "P99" not in said.stdout


def test_the_document_is_the_hubs_own(fake_hub: FakeHub, heal7: Heal7) -> None:
    answer = summary(measured("web"))
    fake_hub.on("GET /metrics/summary?window=1h", answer)
    assert json.loads(heal7("top", "--json").stdout) == answer


def test_a_trend_and_a_problem_are_told_and_cannot_act(fake_hub: FakeHub, heal7: Heal7) -> None:
    answer = summary(measured("web", trend="grows\x1b[2J"), problem="disk full")
    fake_hub.on("GET /metrics/summary?window=1h", answer)
    said = heal7("top").stdout
    assert "Measurements are not written: disk full" in said
    assert "grows" in said
    assert "\x1b" not in said


def test_no_hub_is_3_and_a_wrong_window_2(fake_hub: FakeHub, heal7: Heal7) -> None:
    assert heal7("top", "-w", "2h").returncode == 2
    assert heal7("top", "--hub", "http://127.0.0.1:9").returncode == 3


def test_an_answer_with_nothing_in_it_is_readable() -> None:
    assert table({"services": [{}]}, "1h", 80, utf8=False)[-1].plain.strip() == "?"


@pytest.mark.parametrize(
    ("points", "shown"),
    [([], ""), ([None], ""), ([0.0, 0.0], "▁▁"), ([0.0, None, 4.0], "▁ █"), ([5.0] * 32, "█" * 16)],
)
def test_sparklines(points: list[float | None], shown: str) -> None:
    assert sparkline(points) == shown


def test_a_hub_that_goes_away_is_waited_for_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=StringIO(), force_terminal=True, width=120, height=30)
    session = Session("http://hub", as_json=False, language="en")
    session.__dict__["console"] = screen
    answers: list[Any] = [
        summary(measured("web")),
        HubUnreachable("The hub does not answer."),
        summary(measured("back-again")),
    ]

    def ask(_session: Session, _window: str) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    seen: list[str] = []

    def pause(seconds: float) -> None:
        assert seconds == 5
        assert isinstance(screen.file, StringIO)
        seen.append(screen.file.getvalue())
        screen.file.truncate(0)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(top, "_ask", ask)
    with pytest.raises(KeyboardInterrupt):
        top._watch(session, "1h", pause)
    assert "web" in seen[0]
    assert "What stands here is the last that it said." in seen[1]
    assert "back-again" in seen[2]
