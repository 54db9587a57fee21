"""What is drawn says what was kept: gaps stay gaps, nothing is invented, wholes are right."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.metrics.answer import Line, Window, compared, line, window
from controller.model.metric import AVAILABILITY, CPU, P95, RESTARTS, down_sampled
from tests.unit.metrics.metrics_builders import near, sample, table

HOUR = Window(0, 60, 60)


@settings(deadline=None)
@given(st.floats(0, 2e9), st.floats(1, 4e7), st.integers(1, 2_000), st.sampled_from([10, 300]))
def test_a_window_covers_what_is_asked_with_not_many_more_points(
    since: float, length: float, points: int, finest: int
) -> None:
    over = window(since, since + length, points, finest)
    assert over.since <= since
    assert over.until >= since + length
    assert over.since % over.step == 0
    assert over.step >= finest
    assert over.count <= points + 2


def test_gaps_stay_gaps() -> None:
    found = line(CPU, [table(sample(0, 1.0), sample(130, 5.0), sample(140, None))], HOUR)
    assert list(found.values[:4]) == [1.0, None, 5.0, None]
    assert found.whole == 3.0


def test_each_point_has_its_extremes() -> None:
    found = line(CPU, [table(*(sample(n * 10, float(n)) for n in range(6)))], HOUR)
    assert (found.values[0], found.low[0], found.high[0]) == (2.5, 0.0, 5.0)


def test_rolled_buckets_weigh_as_much_as_they_hold() -> None:
    samples = [sample(n * 10, 10.0 if n < 30 else 1.0) for n in range(31)]
    rolled = table(*down_sampled(samples, 300), rolled=True, step=300)
    found = line(CPU, [rolled], Window(0, 600, 1))
    assert found.whole is not None
    assert near(found.whole, (30 * 10.0 + 1.0) / 31)
    assert found.high == [10.0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3_599), st.floats(0, 100, width=32)), max_size=50))
def test_a_window_split_among_tables_is_the_same(found: list[tuple[int, float]]) -> None:
    whole = table(*(sample(at, cpu) for at, cpu in found))
    parts = [table(sample(at, cpu)) for at, cpu in found]
    one, many = line(CPU, [whole], HOUR), line(CPU, parts, HOUR)
    assert one.low == many.low
    for a, b in zip(one.values, many.values, strict=True):
        assert a == b or (a is not None and b is not None and near(a, b))


def test_counts_add_up_and_what_lies_outside_does_not() -> None:
    over = Window(7_200, 60, 60)
    found = line(RESTARTS, [table(*(sample(n * 600, restarts=1) for n in range(30)))], over)
    assert found.whole == 6
    assert found.values[0] == 1
    assert found.values[1] is None


def test_availability_is_a_share_of_what_was_due() -> None:
    seen = table(sample(0, up=10), sample(10, up=0), sample(60, up=0, due=0))
    found = line(AVAILABILITY, [seen], HOUR)
    assert found.values[0] == 0.5
    assert found.values[1] is None, "a planned stop is neither good nor bad"
    assert found.whole == 0.5


def test_quantiles_merge_over_points() -> None:
    seen = table(*(sample(n * 10, took_ms=[1.0] * 19 + [1_000.0]) for n in range(6)))
    found = line(P95, [seen], Window(0, 30, 2))
    assert found.whole is not None
    assert 1 / 1.2 <= found.whole <= 1.2
    slow = line(P95, [seen, table(sample(5, took_ms=[1_000.0] * 20))], Window(0, 30, 2))
    assert slow.whole is not None
    assert slow.whole > 800


def test_a_change_needs_both_sides() -> None:
    def of(whole: float | None) -> Line:
        return Line(CPU, (), whole=whole)

    assert compared(of(3.0), of(2.0)).change == 0.5
    assert compared(of(3.0), of(None)).change is None
    assert compared(of(None), of(2.0)).change is None
    assert compared(of(3.0), None).change is None
    assert compared(of(0.0), of(0.0)).change == 0.0
    assert compared(of(1.0), of(0.0)).change is None


def test_a_day_of_which_little_is_known_is_not_compared() -> None:
    now = Line(CPU, [1.0] * 10, whole=1.0)
    known = Line(CPU, [2.0] * 8 + [None] * 2, whole=2.0)
    little = Line(CPU, [2.0] * 7 + [None] * 3, whole=2.0)
    assert (compared(now, known).change, compared(now, known).fair) == (-0.5, True)
    assert (compared(now, little).change, compared(now, little).fair) == (None, False)
