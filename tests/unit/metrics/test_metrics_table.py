"""A table is the same after it was packed, and one that is damaged is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.metrics.table import LATENCIES, Table, pack, unpack
from controller.model.metric import Bucket, Spread, down_sampled
from tests.unit.metrics.metrics_builders import near, sample, table

FLOATS = st.floats(0, float(1 << 50), width=32)
NAMES = st.sampled_from(["cpu_percent", "memory_bytes", "새 지표"])
SPREADS = st.builds(Spread, FLOATS, FLOATS, FLOATS, st.floats(1, 30, width=32))
BUCKETS = st.lists(
    st.builds(
        Bucket,
        st.integers(1_700_000_000, 1_900_000_000),
        st.just(300),
        st.dictionaries(NAMES, SPREADS),
        st.dictionaries(st.sampled_from(["up_s", "runs_failed"]), FLOATS),
        st.dictionaries(st.integers(0, 255), st.integers(1, 1 << 31).map(float)),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=40)
@given(BUCKETS)
def test_a_rolled_table_comes_back_as_it_was(buckets: list[Bucket]) -> None:
    before = table(*buckets, rolled=True, step=300)
    after = unpack(pack(before))
    assert list(after.buckets()) == buckets


@settings(deadline=None, max_examples=40)
@given(BUCKETS)
def test_of_single_measurements_the_mean_is_all_there_is(buckets: list[Bucket]) -> None:
    after = list(unpack(pack(table(*buckets, step=300))).buckets())
    for old, new in zip(buckets, after, strict=True):
        assert new.counts == old.counts
        assert new.latencies == old.latencies
        assert {n: (s.low, s.mean, s.n) for n, s in new.gauges.items()} == {
            n: (s.mean, s.mean, 1.0) for n, s in old.gauges.items()
        }


def test_columns_and_buckets_say_the_same() -> None:
    buckets = [sample(n * 10, None if n == 3 else n, took_ms=[n, 2 * n]) for n in range(1, 9)]
    found = table(*buckets)
    assert [(at, mean) for at, mean, *_ in found.spreads("cpu_percent")] == [
        (n * 10, n) for n in range(1, 9) if n != 3
    ]
    assert list(found.tally("up_s")) == [(n * 10, 10.0) for n in range(1, 9)]
    assert sum(tally for _, _, tally in found.latencies()) == 16
    assert found.last() == list(found.buckets())[-1] == buckets[-1]
    assert list(found.buckets(30, 50)) == buckets[2:4]


def test_only_what_is_wanted_is_unpacked() -> None:
    buckets = [sample(n * 10, n, took_ms=[n]) for n in range(1, 9)]
    body = pack(table(*buckets))
    some = unpack(body, {"memory_bytes", "due_s"})
    assert (list(some.gauges), list(some.counts)) == (["memory_bytes"], ["due_s"])
    assert list(some.spreads("memory_bytes")) == list(table(*buckets).spreads("memory_bytes"))
    assert list(some.latencies()) == []
    assert [one.at for one in some.buckets()] == [one.at for one in buckets]
    timed = unpack(body, {LATENCIES})
    assert list(timed.latencies()) == list(table(*buckets).latencies())
    assert timed.gauges == {}


def test_a_copy_does_not_change_with_the_original() -> None:
    found = table(sample(10))
    copy = found.copy()
    found.append(sample(20))
    assert len(copy) == 1
    assert len(list(copy.spreads("cpu_percent"))) == 1


@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[:-9], lambda b: b[:30] + b"\0\0" + b[32:], lambda b: b"x" * 50],
    ids=["empty", "cut", "changed", "other"],
)
def test_a_damaged_block_is_refused(damage: object) -> None:
    body = pack(table(*(sample(n * 10, n * 1.1) for n in range(360))))
    with pytest.raises(ValueError, match="damaged"):
        unpack(damage(body))  # type: ignore[operator]


def test_an_hour_and_a_day_take_little_room() -> None:
    hour = [sample(n * 10, 1 + n % 7 * 0.1, took_ms=[3.1, 3.4, 5.0]) for n in range(360)]
    assert len(pack(table(*hour))) < 2_000
    rolled = down_sampled([sample(n * 10, n % 9) for n in range(8_640)], 300)
    day = Table(300, rolled=True)
    day.extend(rolled)
    assert len(pack(day)) < 4_000
    assert near(sum(due for _, due in day.tally("due_s")), 86_400)
