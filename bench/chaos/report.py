"""What a scenario of chaos found: figures for people, and faults that must not be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; what does not apply is ''."""

    what: str
    measured: str
    peer: str = ""
    ratio: str = ""
    goal: str = ""


@dataclass(slots=True)
class Report:
    """`faults` are sentences on what must never happen; `notes` say how to read the figures."""

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(
        self, what: str, measured: str, peer: str = "", ratio: str = "", goal: str = ""
    ) -> None:
        self.rows.append(Row(what, measured, peer, ratio, goal))


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """The 99th percentile, between two values where it falls between them."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def millis(value_s: float) -> str:
    return f"{value_s * 1000:.0f} ms"


def table(reports: Sequence[Report], title: str = "Healing on the real engine") -> Table:
    """Every row of every report."""
    shown = Table(title=title)
    for column in ("what", "measured", "peer", "ratio", "goal"):
        shown.add_column(column, justify="left" if column in ("what", "goal") else "right")
    for report in reports:
        for row in report.rows:
            shown.add_row(row.what, row.measured, row.peer, row.ratio, row.goal)
        if report.rows:
            shown.add_section()
    return shown
