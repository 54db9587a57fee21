"""A trend is told where there is one, and chance is not taken for one."""

from __future__ import annotations

import random  # noqa: TID251 - seeded

import pytest

from controller.i18n import render
from controller.metrics.trend import POINT_S, memory_sentence, trend

MB = 1 << 20
HOURS = 24 * POINT_S / 3_600


def leak(per_hour: float, noise: float = 0.0, seed: int = 1) -> list[float | None]:
    chance = random.Random(seed)
    step = per_hour * POINT_S / 3_600
    return [(100 + n * step + chance.gauss(0, noise)) * MB for n in range(24)]


def test_a_leak_is_told_with_its_pace_and_end() -> None:
    found = trend(leak(3.0, noise=0.3), POINT_S, limit=256 * MB)
    assert found is not None
    assert found.per_hour / MB == pytest.approx(3.0, rel=0.1)
    assert found.full_in_s is not None
    assert found.full_in_s / 3_600 == pytest.approx((256 - 117) / 3, rel=0.15)
    told = memory_sentence(found)
    assert told is not None
    assert told.key == "metrics.trend.memory_full_hours"
    assert "3" in render(told, "ko")
    assert render(told, "en").startswith("Memory has been growing by 3")


def test_without_a_limit_no_end_is_told() -> None:
    told = memory_sentence(trend(leak(3.0), POINT_S))
    assert told is not None
    assert told.key == "metrics.trend.memory"


def test_what_takes_days_is_told_in_days_and_what_takes_months_not_at_all() -> None:
    days = memory_sentence(trend(leak(3.0), POINT_S, limit=400 * MB))
    assert days is not None
    assert (days.key, days.params["left"]) == ("metrics.trend.memory_full_days", 4)
    months = memory_sentence(trend(leak(3.0), POINT_S, limit=9_000 * MB))
    assert months is not None
    assert months.key == "metrics.trend.memory"


def test_that_memory_shrinks_alarms_nobody() -> None:
    assert trend(leak(-3.0), POINT_S) is not None
    assert memory_sentence(trend(leak(-3.0), POINT_S)) is None


def test_little_time_many_gaps_and_little_growth_say_nothing() -> None:
    values = leak(3.0)
    assert trend(values[:10], POINT_S) is None
    assert trend([v if n % 4 else None for n, v in enumerate(values)], POINT_S) is None
    assert trend(leak(0.3), POINT_S) is None
    assert trend([5.0] * 24, POINT_S) is None


def test_a_step_is_not_a_trend() -> None:
    assert trend([100.0 if n < 12 else 200.0 for n in range(24)], POINT_S) is None


def test_noise_and_wandering_are_seldom_taken_for_a_trend() -> None:
    chance = random.Random(7)
    noise = wander = 0
    for _ in range(200):
        flat = [100 + chance.gauss(0, 20) for _ in range(24)]
        noise += trend(flat, POINT_S) is not None
        place, walk = 100.0, list[float | None]()
        for _ in range(24):
            place += chance.gauss(0, 3)
            walk.append(place)
        wander += trend(walk, POINT_S) is not None
    assert noise == 0
    assert wander <= 10
