"""Rule sets that need not be sent: what the stack's own workflows examine.

`solar_terms` holds for a year's table of the 24 절기 as the demo site publishes it. The rules are
few and disjoint, so that one slip of a table's author gives the faults a person would count: a
misnamed row is a wrong pair, and also repeats one name and leaves another missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from examiner.rules import (
    Complete,
    Date,
    Ordered,
    Pair,
    Required,
    RuleBase,
    SajuRule,
    Time,
    Unique,
)

# Names as the Korea Astronomy and Space Science Institute publishes them, in a year's order.
SOLAR_TERMS = {
    "소한": "小寒",
    "대한": "大寒",
    "입춘": "立春",
    "우수": "雨水",
    "경칩": "驚蟄",
    "춘분": "春分",
    "청명": "淸明",
    "곡우": "穀雨",
    "입하": "立夏",
    "소만": "小滿",
    "망종": "芒種",
    "하지": "夏至",
    "소서": "小暑",
    "대서": "大暑",
    "입추": "立秋",
    "처서": "處暑",
    "백로": "白露",
    "추분": "秋分",
    "한로": "寒露",
    "상강": "霜降",
    "입동": "立冬",
    "소설": "小雪",
    "대설": "大雪",
    "동지": "冬至",
}


class RuleSet(StrEnum):
    """The rule sets that a request can name."""

    SOLAR_TERMS = "solar_terms"
    SAJU = "saju"


RULE_SETS: dict[RuleSet, Sequence[RuleBase]] = {
    RuleSet.SOLAR_TERMS: (
        Required(rule="required", fields=["절기", "한자", "날짜", "시각"]),
        Date(rule="date", field="날짜"),
        Time(rule="time", field="시각"),
        Pair(rule="pair", field="절기", other="한자", pairs=SOLAR_TERMS),
        Unique(rule="unique", fields=["절기"]),
        # Not strict: a repeated row is a fault already, by its name.
        Ordered(rule="ordered", field="날짜"),
        Complete(rule="complete", field="절기", values=list(SOLAR_TERMS)),
    ),
    RuleSet.SAJU: (SajuRule(rule="saju"),),
}

# What a service's result is examined by when a request brings no rules.
BY_SERVICE = {"saju-service": RuleSet.SAJU}
