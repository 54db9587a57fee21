"""The detector on seeded series: it finds what is slow, and cries wolf at most once in all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import pytest

from ai_monitoring.baseline import (
    GRACE,
    SHIFT_AFTER,
    WINDOW,
    Baseline,
    Call,
    absorb,
    drop,
    judge,
    log_ms,
    normal_of,
    settle,
)

LENGTH = 1_000
ANOMALY_SHARE = 0.02
SEEDS = range(1, 9)


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to be usual: the logarithm of the latency over that of 40 ms, by place and chance."""

    name: str
    shape: Callable[[int, float, float], float]


KINDS = (
    Kind("steady", lambda i, normal, uniform: 0.03 * normal),
    Kind("scattered", lambda i, normal, uniform: 0.2 * normal),
    Kind("a daily swing", lambda i, n, u: 0.15 * math.sin(2 * math.pi * i / 400) + 0.2 * n),
    Kind("a rush hour", lambda i, n, u: 0.6 * math.sin(2 * math.pi * i / 400) + 0.15 * n),
    Kind("slower month by month", lambda i, normal, uniform: 0.6 * i / LENGTH + 0.2 * normal),
    Kind("a new level half way", lambda i, n, u: (0.9 if i >= LENGTH // 2 else 0) + 0.1 * n),
    Kind("two kinds of work", lambda i, n, u: (0.4 if u < 0.3 else 0) + 0.1 * n),
    Kind("a long tail", lambda i, n, u: 0.1 * n + 0.12 * max(0.0, -math.log(max(u, 1e-9)) - 1)),
    Kind("whole milliseconds", lambda i, n, u: math.log(max(1, round(3 + 0.5 * n)) / 3)),
)


def series(seed: int, kind: Kind = KINDS[2]) -> list[tuple[float, bool]]:
    """(latency in ms, is an anomaly): about 40 ms. Anomalies come at random after the grace and are
    3 to 10 times slower."""
    scatter = NormalDist().samples(LENGTH, seed=seed)
    uniform = [NormalDist().cdf(x) for x in NormalDist().samples(3 * LENGTH, seed=seed + 1_000)]
    made = []
    for i in range(LENGTH):
        anomaly = i >= GRACE and uniform[i] < ANOMALY_SHARE
        slower = math.log(3 + 7 * uniform[LENGTH + i]) if anomaly else 0.0
        usual = kind.shape(i, scatter[i], uniform[2 * LENGTH + i])
        made.append((40 * math.exp(usual + slower), anomaly))
    return made


@dataclass(frozen=True, slots=True)
class Score:
    found: int
    missed: int
    false_alarms: int
    shifts: int


@cache
def score(seed: int, kind: Kind = KINDS[2]) -> Score:
    baseline, found, missed, false_alarms, shifts = Baseline(), 0, 0, 0, 0
    for latency_ms, anomaly in series(seed, kind):
        judgement = judge(baseline, latency_ms)
        baseline, shift = settle(absorb(baseline, judgement, latency_ms, "r"))
        called = judgement.call is Call.ANOMALOUS
        found += called and anomaly
        missed += anomaly and not called
        false_alarms += called and not anomaly
        shifts += shift is not None
    return Score(found, missed, false_alarms, shifts)


def check(scores: list[Score]) -> None:
    found, missed = sum(s.found for s in scores), sum(s.missed for s in scores)
    assert found + missed >= 10 * len(scores), "series without anomalies prove nothing"
    assert found / (found + missed) >= 0.95
    assert sum(s.false_alarms for s in scores) <= 1


def test_eight_series_of_one_kind() -> None:
    check([score(seed) for seed in SEEDS])


def test_nine_kinds_of_series() -> None:
    """All but the new level, whose first points are unusual indeed: it has a test of its own."""
    check([score(seed, kind) for seed, kind in enumerate(KINDS, 1) if "new level" not in kind.name])


def test_a_new_level_is_told_once_and_then_judged_by() -> None:
    scored = score(6, KINDS[5])
    assert scored.shifts == 1
    assert scored.false_alarms <= SHIFT_AFTER
    assert scored.found / (scored.found + scored.missed) >= 0.95


def test_a_new_level_keeps_what_is_known_of_the_spread() -> None:
    baseline = fed([10.0, 11.0, 12.0] * 40)
    for _ in range(SHIFT_AFTER - 1):
        baseline, shift = settle(absorb(baseline, judge(baseline, 50.0), 50.0, "new"))
        assert shift is None
    baseline, shift = settle(absorb(baseline, judge(baseline, 50.0), 50.0, "new"))
    assert shift is not None
    assert (shift.before, shift.after) == (pytest.approx(11.0), pytest.approx(50.0))
    assert judge(baseline, 52.0).call is Call.NORMAL
    assert judge(baseline, 150.0).call is Call.ANOMALOUS
    assert not baseline.learning
    assert all(point.report != "new" for point in drop(baseline, "new").points)


def test_one_usual_point_ends_a_row_of_anomalies() -> None:
    baseline = fed([10.0] * 70)
    for value in [50.0] * (SHIFT_AFTER - 1) + [10.0] + [50.0] * (SHIFT_AFTER - 1):
        baseline, shift = settle(absorb(baseline, judge(baseline, value), value, "r"))
        assert shift is None


def fed(values: list[float], report: str = "r") -> Baseline:
    baseline = Baseline()
    for value in values:
        baseline = absorb(baseline, judge(baseline, value), value, report)
    return baseline


def test_the_grace_takes_everything_in_unjudged() -> None:
    baseline = fed([10.0] * (GRACE - 1))
    assert judge(baseline, 1e6).call is Call.LEARNING
    assert judge(fed([10.0] * GRACE), 1e6).call is Call.ANOMALOUS


def test_slow_points_in_the_grace_do_not_blind_the_detector() -> None:
    baseline = fed([10.0, 11.0, 10.5] * 17 + [5_000.0] * 9)
    assert len(baseline.points) == GRACE
    assert judge(baseline, 100.0).call is Call.ANOMALOUS


def test_only_slowness_is_an_anomaly() -> None:
    assert judge(fed([10.0] * GRACE), 0.0).call is Call.NORMAL


def test_a_steady_service_is_allowed_some_jitter() -> None:
    baseline = fed([12.0] * GRACE)
    assert judge(baseline, 14.0).call is Call.NORMAL
    assert judge(baseline, 15.0).call is Call.ANOMALOUS


def test_an_anomaly_stays_out_of_the_baseline() -> None:
    baseline = fed([10.0] * GRACE)
    after = absorb(baseline, judge(baseline, 500.0), 500.0, "r")
    assert after.points == baseline.points
    assert [point.report for point in after.pending] == ["r"]


def test_the_window_follows_a_service_that_drifts() -> None:
    slowly = [10.0 * 1.002**i for i in range(1_000)]
    baseline = fed(slowly)
    usual = normal_of(baseline)
    assert usual is not None
    assert len(baseline.points) == WINDOW
    assert usual.median_ms == pytest.approx(slowly[980], rel=0.02)


def test_the_limit_is_where_the_call_changes() -> None:
    baseline = fed([10.0, 12.0, 14.0] * 40)
    usual = normal_of(baseline)
    assert usual is not None
    assert judge(baseline, usual.limit_ms * 0.999).call is Call.NORMAL
    assert judge(baseline, usual.limit_ms * 1.001).call is Call.ANOMALOUS


def test_what_a_report_brought_can_be_dropped() -> None:
    first = fed([10.0] * 70, "first")
    both = absorb(first, judge(first, 11.0), 11.0, "second")
    assert drop(both, "second") == first
    assert drop(first, "first") == Baseline()
    assert normal_of(Baseline()) is None


def test_zero_milliseconds_have_a_logarithm() -> None:
    assert math.isfinite(log_ms(0.0))
