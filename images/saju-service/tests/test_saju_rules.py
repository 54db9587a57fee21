"""The rules by themselves: terms, calendars, the cycle of sixty, and what hangs on a character."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from korean_lunar_calendar import KoreanLunarCalendar

from examiner.saju import chart_faults
from examiner.saju_day import day_faults
from saju_service import chart, ganji, labels, lunar, terms
from saju_service.calculate import calculate as calculate_chart
from saju_service.models import CalculateRequest
from saju_service.solar_time import equation_of_time_s


def test_every_word_of_a_chart_has_a_name() -> None:
    relations = {ganji.relation(a, b) for a in range(10) for b in range(10)}
    assert set(labels.RELATIONS) == relations | {ganji.DAY_MASTER}
    assert set(labels.ELEMENTS) == set(ganji.ELEMENTS)
    assert set(labels.STAGES) == set(ganji.STAGES)
    assert len({labels.pillar(number)["en"] for number in range(60)}) == 60
    assert len(set(terms.HANJA)) == len(set(terms.ENGLISH)) == 24


def test_hidden_stems_and_stages() -> None:
    # Source: lunar_python 1.4.8, getDayHideGan and getDayDiShi of 800 days; its hidden stems of
    # 인원용사 are all among those of 월률분야 told here, and its main one is the last.
    main = "계기갑을무병정기경신무임"
    assert "".join(ganji.hidden_stems(branch)[-1] for branch in range(12)) == main
    born = dict(zip(ganji.STEMS_HANGUL, "해오인유인유사자신묘", strict=True))
    prime = dict(zip(ganji.STEMS_HANGUL, "묘인오사오사유신자해", strict=True))
    for number, stem in enumerate(ganji.STEMS_HANGUL):
        stages = [ganji.stage(number, branch) for branch in range(12)]
        assert sorted(stages) == sorted(ganji.STAGES)
        assert stages[ganji.BRANCHES_HANGUL.index(born[stem])] == "장생"
        assert stages[ganji.BRANCHES_HANGUL.index(prime[stem])] == "제왕"


@pytest.mark.parametrize(
    ("moment", "seconds"),
    # Source: pyerfa 2.0.1.5, GAST (IAU 2006/2000A) minus apparent right ascension, minus UT.
    [
        ((1910, 2, 11, 12), -865.1),
        ((1950, 5, 14, 0), 225.0),
        ((1988, 7, 26, 6), -389.4),
        ((2000, 11, 3, 0), 985.9),
        ((2024, 12, 25, 12), -16.7),
        ((2050, 9, 1, 0), -8.3),
    ],
)
def test_equation_of_time(moment, seconds) -> None:
    assert equation_of_time_s(datetime(*moment, tzinfo=UTC)) == pytest.approx(seconds, abs=3)


def test_terms_follow_each_other_evenly() -> None:
    instants = [t.utc_ms for year in range(1900, 2052) for t in terms.of_year(year)]
    gaps = [(b - a) / 86_400_000 for a, b in pairwise(instants)]
    assert len(instants) == 152 * 24
    assert 14.6 < min(gaps) <= max(gaps) < 15.9


def test_the_instant_itself_belongs_to_the_new_month() -> None:
    ipchun = terms.of_year(2024)[2]
    assert terms.jeol_around(ipchun.utc_ms)[0] == ipchun
    assert terms.jeol_around(ipchun.utc_ms - 1)[1] == ipchun


def test_every_day_converts_there_and_back() -> None:
    day, last = date(1900, 1, 1), date(2050, 12, 31)
    while day <= last:
        assert lunar.to_solar(lunar.from_solar(day)) == day
        day += timedelta(days=3)


def test_day_pillars_agree_with_the_lunar_calendar_library() -> None:
    calendar = KoreanLunarCalendar()
    for ordinal in range(date(1900, 1, 1).toordinal(), date(2050, 12, 31).toordinal(), 97):
        day = date.fromordinal(ordinal)
        calendar.setSolarDate(day.year, day.month, day.day)
        named = calendar.getGapJaString().split()[2]
        assert named.startswith(ganji.hangul(chart.day_pillar(day)))


def test_pillars_number_the_whole_cycle() -> None:
    assert len({ganji.hanja(number) for number in range(60)}) == 60
    for number in range(60):
        assert ganji.index60(number % 10, number % 12) == number


@pytest.mark.parametrize("boundary", ["midnight", "jasi", "split_jasi"])
@pytest.mark.parametrize("hour", range(24))
def test_hour_and_day_by_each_school(boundary, hour) -> None:
    clock = datetime(2000, 1, 1, hour, 30)  # noqa: DTZ001 - a local clock; the day is 戊午
    found = chart.pillars_of(946_684_800_000, clock, boundary)
    today, tomorrow = chart.day_pillar(clock.date()), chart.day_pillar(date(2000, 1, 2))
    late = hour == 23
    assert found.day == (tomorrow if late and boundary == "jasi" else today)
    stem_day = today if boundary == "midnight" or not late else tomorrow
    assert found.hour % 12 == (hour + 1) // 2 % 12
    assert found.hour % 10 == (stem_day % 10 % 5 * 2 + found.hour % 12) % 10


@pytest.mark.parametrize("boundary", ["midnight", "jasi", "split_jasi"])
@pytest.mark.parametrize("basis", ["clock", "mean_solar"])
def test_charts_agree_with_code_that_shares_nothing_with_this(basis, boundary) -> None:
    first, days = date(1908, 4, 2), (date(2050, 12, 31) - date(1908, 4, 2)).days
    for n in range(180):
        day = first + timedelta(days=n * 28_657 % days)
        # Late hours most, where the schools differ; Korea's clocks skipped none of these.
        hour, minute, second = (4, 12, 22, 23, 23)[n % 5], n * 7 % 60, n * 13 % 60
        request = CalculateRequest(
            datetime=f"{day}T{hour:02}:{minute:02}:{second:02}",
            longitude=n * 77.77 % 360 - 180,
            time_basis=basis,
            day_boundary=boundary,
            gender="male" if n % 3 else "female",
        )
        result = calculate_chart(request, "any").model_dump(mode="json")
        assert list(chart_faults(result)) + list(day_faults(result)) == []
