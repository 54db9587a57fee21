"""The detector on seeded series: it finds what is slow, and cries wolf at most once a series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import pytest

from ai_monitoring.baseline import (
    GRACE,
    WINDOW,
    Baseline,
    Call,
    absorb,
    drop,
    judge,
    log_ms,
    normal_of,
)

LENGTH = 1_000
ANOMALY_SHARE = 0.02
SEEDS = range(1, 9)


def series(seed: int) -> list[tuple[float, bool]]:
    """(latency in ms, is an anomaly): about 40 ms, 20 % of scatter, a swing of 15 % over the day.

    Anomalies come at random after the grace and are 3 to 10 times slower.
    """
    scatter = NormalDist(0, 0.2).samples(LENGTH, seed=seed)
    uniform = [NormalDist().cdf(x) for x in NormalDist().samples(2 * LENGTH, seed=seed + 1_000)]
    made = []
    for i in range(LENGTH):
        anomaly = i >= GRACE and uniform[i] < ANOMALY_SHARE
        slower = math.log(3 + 7 * uniform[LENGTH + i]) if anomaly else 0.0
        swing = 0.15 * math.sin(2 * math.pi * i / 400)
        made.append((math.exp(math.log(40) + swing + scatter[i] + slower), anomaly))
    return made


@dataclass(frozen=True, slots=True)
class Score:
    found: int
    missed: int
    false_alarms: int


@cache
def score(seed: int) -> Score:
    baseline, found, missed, false_alarms = Baseline(), 0, 0, 0
    for latency_ms, anomaly in series(seed):
        judgement = judge(baseline, latency_ms)
        baseline = absorb(baseline, judgement, latency_ms, "r")
        called = judgement.call is Call.ANOMALOUS
        found += called and anomaly
        missed += anomaly and not called
        false_alarms += called and not anomaly
    return Score(found, missed, false_alarms)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_series(seed: int) -> None:
    scored = score(seed)
    assert scored.found + scored.missed >= 10, "a series without anomalies proves nothing"
    assert scored.missed <= 1
    assert scored.false_alarms <= 1


def test_all_series_together() -> None:
    scores = [score(seed) for seed in SEEDS]
    found, missed = sum(s.found for s in scores), sum(s.missed for s in scores)
    assert found / (found + missed) >= 0.95
    assert sum(s.false_alarms for s in scores) <= 1


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
