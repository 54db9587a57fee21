"""Follows one series: learns what is usual, and says when it begins and ends not to be. Pure.

A single odd value of a scraped series is noise that nobody should be woken for: it must last.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from statistics import median

from ai_monitoring.baseline import Baseline, Call, Judgement, Shift, absorb, judge, settle
from ai_monitoring.measures import MEASURES

# Values in a row that begin, and that end, what is wrong.
BEGIN_AFTER = 3
END_AFTER = 3
RECENT = 240
ERRORS_PERCENT = 20.0
_BLOCKS = 8
_GROWTH = 1.2
_FULL_PERCENT = {"memory_used_percent": 95.0, "disk_used_percent": 90.0}


class Wrong(StrEnum):
    """What can be wrong with a series."""

    UNUSUAL = "unusual"
    ERRORS = "errors"
    FULL = "full"
    GROWING = "growing"


@dataclass(frozen=True, slots=True)
class Watch:
    """One series so far. `recent` are (seconds since 1970, value); `wrong` is what is told now."""

    target: str
    subject: str
    measure: str
    baseline: Baseline = field(default_factory=Baseline)
    recent: tuple[tuple[float, float], ...] = ()
    bad: int = 0
    good: int = 0
    wrong: Wrong | None = None

    @property
    def name(self) -> str:
        return ":".join(part for part in (self.target, self.subject, self.measure) if part)


@dataclass(frozen=True, slots=True)
class Turn:
    """After one more value. `began` and `ended` are said once each; so is a `shift`."""

    watch: Watch
    judgement: Judgement
    began: Wrong | None = None
    ended: Wrong | None = None
    shift: Shift | None = None


def follow(watch: Watch, at: float, value: float) -> Turn:
    """One more value, at a time in seconds since 1970."""
    judgement = _judged(watch, value)
    baseline, shift = settle(absorb(watch.baseline, judgement, value, ""))
    recent = (*watch.recent, (at, value))[-RECENT:]
    now = _what(watch.measure, value, judgement, recent, watch.wrong)
    bad, good = (watch.bad + 1, 0) if now else (0, watch.good + 1)
    after = replace(watch, baseline=baseline, recent=recent, bad=bad, good=good)
    if watch.wrong is None and now is not None and bad >= _lasting(now):
        return Turn(replace(after, wrong=now), judgement, began=now, shift=shift)
    if watch.wrong is not None and (good >= END_AFTER or shift is not None):
        return Turn(replace(after, wrong=None), judgement, ended=watch.wrong, shift=shift)
    return Turn(after, judgement, shift=shift)


def _judged(watch: Watch, value: float) -> Judgement:
    if watch.measure == "error_percent":  # a share that is mostly zero has no logarithm to judge
        return Judgement(Call.NORMAL)
    judgement = judge(watch.baseline, value)
    if judgement.call is Call.ANOMALOUS and value < MEASURES[watch.measure].least:
        return Judgement(Call.NORMAL, judgement.z, judgement.normal)
    return judgement


def _what(
    measure: str,
    value: float,
    judgement: Judgement,
    recent: tuple[tuple[float, float], ...],
    told: Wrong | None,
) -> Wrong | None:
    if measure == "error_percent":
        return Wrong.ERRORS if value >= ERRORS_PERCENT else None
    if measure in _FULL_PERCENT and value >= _FULL_PERCENT[measure]:
        return Wrong.FULL
    if judgement.call is Call.ANOMALOUS:
        return Wrong.UNUSUAL
    if measure == "memory_mb" and told in (None, Wrong.GROWING) and is_growing(recent):
        return Wrong.GROWING
    return None


def _lasting(wrong: Wrong) -> int:
    """What is already a judgement over a long time need not last again."""
    return 1 if wrong is Wrong.GROWING else BEGIN_AFTER


def is_growing(recent: tuple[tuple[float, float], ...]) -> bool:
    """Over all that is kept: every eighth higher than the one before, and a fifth gained."""
    if len(recent) < RECENT:
        return False
    size = RECENT // _BLOCKS
    levels = [
        median(value for _, value in recent[i : i + size]) for i in range(0, size * _BLOCKS, size)
    ]
    rises = all(later > earlier for earlier, later in pairwise(levels))
    return rises and levels[-1] >= _GROWTH * levels[0]
