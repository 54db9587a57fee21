"""Buckets add up without losing anything, and quantiles are as near as they claim."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.model.metric import (
    CPU,
    METRICS,
    UP_S,
    Bucket,
    Form,
    down_sampled,
    latency_class,
    latency_of,
    merged,
    quantile,
    spread,
)
from tests.unit.metrics.metrics_builders import near, sample

VALUES = st.floats(0, 1e12, allow_nan=False)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5_000), VALUES), min_size=1, max_size=60))
def test_down_sampling_keeps_sums_extremes_and_numbers(found: list[tuple[int, float]]) -> None:
    buckets = [
        Bucket(at, 10, {CPU.name: spread(v)}, {UP_S: v}, {latency_class(v): 1.0}) for at, v in found
    ]
    rolled = down_sampled(buckets, 300)
    assert [one.at for one in rolled] == sorted({at - at % 300 for at, _ in found})
    values = [v for _, v in found]
    spreads = [one.gauges[CPU.name] for one in rolled]
    assert min(s.low for s in spreads) == min(values)
    assert max(s.high for s in spreads) == max(values)
    assert sum(s.n for s in spreads) == len(values)
    assert near(sum(s.mean * s.n for s in spreads), sum(values))
    assert near(sum(one.counts[UP_S] for one in rolled), sum(values))
    assert sum(sum(one.latencies.values()) for one in rolled) == len(values)


def test_what_was_not_seen_does_not_count_as_zero() -> None:
    both = merged([sample(0, cpu=None), sample(10, cpu=4.0)], 0, 300)
    assert both.gauges[CPU.name].mean == 4.0
    assert both.gauges[CPU.name].n == 1
    assert merged([sample(0, cpu=None)], 0, 300).gauges.keys() == {"memory_bytes"}


@settings(deadline=None)
@given(st.lists(st.floats(0.06, 3e6), min_size=20, max_size=300), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_within_a_class_of_the_exact_one(times: list[float], q: float) -> None:
    classes: dict[int, float] = {}
    for ms in times:
        classes[latency_class(ms)] = classes.get(latency_class(ms), 0.0) + 1
    found = quantile(classes, q)
    exact = sorted(times)[max(0, -(-int(q * 1000 * len(times)) // 1000) - 1)]
    assert found is not None
    assert exact / 1.2 <= found <= exact * 1.2


@pytest.mark.parametrize("ms", [0.0, 0.05, 0.051, 1.0, 12.3, 59_999.0, 1e9])
def test_every_time_lies_in_its_class(ms: float) -> None:
    number = latency_class(ms)
    assert ms <= latency_of(number) * 1.000001
    assert number == 0 or ms > latency_of(number - 1) * 0.999999


def test_nothing_took_no_time() -> None:
    assert quantile({}, 0.5) is None


def test_a_time_beyond_all_classes_is_in_the_last() -> None:
    assert latency_class(1e30) == 255


def test_only_quantiles_have_a_share() -> None:
    for metrics in METRICS.values():
        assert all(bool(m.q) == (m.form is Form.QUANTILE) for m in metrics.values())
