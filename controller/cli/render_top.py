"""What `heal7 top` shows: a row for each service, and how its figures came about. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from controller.cli import words
from controller.cli.table import Column, Row, lines, paragraph

Json = Mapping[str, Any]

_COLUMNS = (
    Column(""),
    Column("SERVICE"),
    Column("CPU", right=True),
    Column("CPU OVER TIME", optional=3),
    Column("MEMORY", right=True),
    Column("IN/S", right=True, optional=5),
    Column("OUT/S", right=True, optional=6),
    Column("READ/S", right=True, optional=8),
    Column("WRITE/S", right=True, optional=9),
    Column("P50", right=True, optional=7),
    Column("P95", right=True, optional=2),
    Column("P99", right=True, optional=10),
    Column("RESTARTS", right=True, optional=4),
    Column("24 H", right=True, optional=1),
    Column("30 D", right=True, optional=11),
)
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 16


def table(answer: Json, window: str, width: int, *, utf8: bool) -> list[Text]:
    """The services over the window; what was not seen is blank."""
    services = [one for one in answer.get("services") or [] if isinstance(one, Mapping)]
    made = paragraph(_head(answer, len(services), window), width)
    if answer.get("problem"):
        told = f"Measurements are not written: {words.printable(answer['problem'])}"
        made += paragraph(told, width, style="yellow")
    made.append(Text())
    made += lines(_COLUMNS, [_row(one, utf8=utf8) for one in services], width)
    return made


def _head(answer: Json, count: int, window: str) -> str:
    own = (answer.get("hub") or {}).get("metrics") or {}
    facts = [
        f"{words.plural(count, 'service')}, response times and restarts of the last {window}",
        f"hub {_percent(_figure(own, 'cpu_percent', 'now'))} of a core",
        words.size(_figure(own, "memory_bytes", "now")),
    ]
    return ", ".join(fact for fact in facts if fact)


def _row(one: Json, *, utf8: bool) -> Row:
    metrics = one.get("metrics") or {}
    health = str(one.get("health") or "unknown")
    look = words.HEALTH.get(health, words.UNSURE)
    trend = one.get("trend")
    return Row(
        cells=(
            look.mark(utf8=utf8),
            words.printable(one.get("name", "")),
            _percent(_figure(metrics, "cpu_percent", "now")),
            sparkline((metrics.get("cpu_percent") or {}).get("points") or []) if utf8 else "",
            words.size(_figure(metrics, "memory_bytes", "now")),
            words.size(_figure(metrics, "network_rx_bytes_per_s", "now")),
            words.size(_figure(metrics, "network_tx_bytes_per_s", "now")),
            words.size(_figure(metrics, "disk_read_bytes_per_s", "now")),
            words.size(_figure(metrics, "disk_write_bytes_per_s", "now")),
            *(
                words.milliseconds(_figure(metrics, f"response_p{q}_ms", "whole"))
                for q in (50, 95, 99)
            ),
            _count(_figure(metrics, "restarts", "whole")),
            *(_share(one, days) for days in ("24h", "30d")),
        ),
        styles=(look.style, "", "", "cyan"),
        notes=(words.printable(trend),) if trend else (),
    )


def sparkline(points: Sequence[float | None]) -> str:
    """The course of something, from 0 to the most there was; a gap stays a gap."""
    shown = _fewer(points)
    most = max((point for point in shown if point is not None), default=0.0)
    if not any(point is not None for point in shown):
        return ""
    top = len(_BARS) - 1
    return "".join(
        " " if point is None else _BARS[round(top * point / most) if most else 0] for point in shown
    )


def _fewer(points: Sequence[float | None]) -> list[float | None]:
    size = max(1, -(-len(points) // _WIDTH))
    pieces = [points[at : at + size] for at in range(0, len(points), size)]
    seen = [[point for point in piece if point is not None] for piece in pieces]
    return [sum(piece) / len(piece) if piece else None for piece in seen]


def _figure(metrics: Json, name: str, which: str) -> float | None:
    value = (metrics.get(name) or {}).get(which)
    return value if isinstance(value, (int, float)) else None


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _share(one: Json, days: str) -> str:
    share = ((one.get("availability") or {}).get(days) or {}).get("share")
    if not isinstance(share, (int, float)):
        return ""
    # 99.996 % is not 100 %: never rounded up to it.
    return "100 %" if share >= 1 else f"{int(share * 10_000) / 100:.2f} %"
