"""Does a four-pillars chart agree with itself? What saju-service says, checked without asking it.

A chart is bound by rules that need no ephemeris: only sixty of the 120 stem-branch pairs exist, the
year's stem fixes the month's, the day's stem fixes the hour's, and 오행, 십신, 공망 and 대운 follow
from the pillars. An implementation that goes wrong nearly always breaks one of these. With the
instant and the options echoed, day and hour are computed anew as well (`examiner.saju_day`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from examiner.faults import MISSING, Fault, find, given

STEMS = "甲乙丙丁戊己庚辛壬癸"
BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
STEMS_HANGUL = "갑을병정무기경신임계"
BRANCHES_HANGUL = "자축인묘진사오미신유술해"
ELEMENTS = "목화토금수"
BRANCH_ELEMENTS = "수토목목토화화토금금토수"
MAIN_HIDDEN_STEMS = "癸己甲乙戊丙丁己庚辛戊壬"
# Rows: what the other element is to the day's (same, its child, its prey, its master, its mother);
# columns: same or other polarity.
TEN_GODS = (
    ("비견", "겁재"),
    ("식신", "상관"),
    ("편재", "정재"),
    ("편관", "정관"),
    ("편인", "정인"),
)
POSITIONS = ("year", "month", "day", "hour")
RAT = 0


@dataclass(frozen=True, slots=True)
class Pillar:
    """A stem (0–9) and a branch (0–11) of one parity: one of the sixty."""

    stem: int
    branch: int

    @property
    def hanja(self) -> str:
        return STEMS[self.stem] + BRANCHES[self.branch]

    @property
    def hangul(self) -> str:
        return STEMS_HANGUL[self.stem] + BRANCHES_HANGUL[self.branch]

    def shifted(self, by: int) -> Pillar:
        """The pillar `by` places on in the cycle of sixty."""
        return Pillar((self.stem + by) % 10, (self.branch + by) % 12)


def chart_faults(result: Mapping[str, object]) -> Iterator[Fault]:
    """Every way in which the chart in `result` contradicts itself.

    Shape: `pillars.{year,month,day,hour}.{hanja,hangul}` and `ohaeng` are asked for; `sipsin`,
    `gongmang` and `daeun` are checked where they are present.
    """
    pillars: dict[str, Pillar] = {}
    for position in POSITIONS:
        parsed = _parse(result, position)
        if isinstance(parsed, Pillar):
            pillars[position] = parsed
        else:
            yield parsed
    yield from _spelling_faults(result, pillars)
    yield from _month_faults(pillars)
    yield from _hour_faults(result, pillars)
    yield from _sipsin_faults(result, pillars)
    yield from _gongmang_faults(result, pillars)
    yield from _daeun_faults(result, pillars)
    if len(pillars) == len(POSITIONS):
        yield from _ohaeng_faults(result, pillars)


def parse_pillar(hanja: object) -> Pillar | str:
    """A pillar from its two characters, or why it is none."""
    if not isinstance(hanja, str) or len(hanja) != 2:
        return "a pillar is two hanja, a stem and a branch"
    stem, branch = STEMS.find(hanja[0]), BRANCHES.find(hanja[1])
    if stem < 0:
        return f"{hanja[0]} is not one of the ten stems"
    if branch < 0:
        return f"{hanja[1]} is not one of the twelve branches"
    if stem % 2 != branch % 2:
        return f"{hanja} is not one of the sixty: its stem and branch differ in polarity"
    return Pillar(stem, branch)


def month_stem(year_stem: int, month_branch: int) -> int:
    """The stem that a month of this branch has in a year of this stem; 寅 is the first month."""
    return (year_stem % 5 * 2 + 2 + (month_branch - 2) % 12) % 10


def hour_stem(day_stem: int, hour_branch: int) -> int:
    """The stem that an hour of this branch has in a day of this stem; 子 is the first hour."""
    return (day_stem % 5 * 2 + hour_branch) % 10


def ten_god(day_stem: int, other_stem: int) -> str:
    """십신: what another stem is to the day's stem."""
    relation = (other_stem // 2 - day_stem // 2) % 5
    return TEN_GODS[relation][(other_stem - day_stem) % 2]


def _parse(result: Mapping[str, object], position: str) -> Pillar | Fault:
    field = f"pillars.{position}.hanja"
    hanja = given(result, field)
    if hanja is MISSING:
        return Fault(field, f"the {position} pillar is missing")
    parsed = parse_pillar(hanja)
    return parsed if isinstance(parsed, Pillar) else Fault(field, parsed, hanja)


def _spelling_faults(
    result: Mapping[str, object], pillars: Mapping[str, Pillar]
) -> Iterator[Fault]:
    for position, pillar in pillars.items():
        field = f"pillars.{position}.hangul"
        hangul = given(result, field)
        if hangul is not MISSING and hangul != pillar.hangul:
            yield Fault(field, f"{pillar.hanja} is read {pillar.hangul}", hangul)


def _month_faults(pillars: Mapping[str, Pillar]) -> Iterator[Fault]:
    if "year" not in pillars or "month" not in pillars:
        return
    year, month = pillars["year"], pillars["month"]
    stem = month_stem(year.stem, month.branch)
    if month.stem != stem:
        right = STEMS[stem] + BRANCHES[month.branch]
        message = f"in a {STEMS[year.stem]} year the {BRANCHES[month.branch]} month is {right}"
        yield Fault("pillars.month.hanja", message, month.hanja)


def _hour_faults(result: Mapping[str, object], pillars: Mapping[str, Pillar]) -> Iterator[Fault]:
    if "day" not in pillars or "hour" not in pillars:
        return
    day, hour = pillars["day"], pillars["hour"]
    right = [hour_stem(day.stem, hour.branch)]
    boundary = given(result, "options.day_boundary")
    if hour.branch == RAT and boundary in (MISSING, "split_jasi"):
        # 야자시: from 23:00 the hour already counts from tomorrow while the day is still today's.
        right.append(hour_stem((day.stem + 1) % 10, hour.branch))
    if hour.stem not in right:
        pairs = " or ".join(STEMS[stem] + BRANCHES[hour.branch] for stem in right)
        message = f"on a {STEMS[day.stem]} day the {BRANCHES[hour.branch]} hour is {pairs}"
        yield Fault("pillars.hour.hanja", message, hour.hanja)


def _ohaeng_faults(result: Mapping[str, object], pillars: Mapping[str, Pillar]) -> Iterator[Fault]:
    counts = given(result, "ohaeng")
    if not isinstance(counts, Mapping):
        yield Fault("ohaeng", "the counts of the five elements are missing")
        return
    elements = [ELEMENTS[pillar.stem // 2] for pillar in pillars.values()]
    elements += [BRANCH_ELEMENTS[pillar.branch] for pillar in pillars.values()]
    right = {element: elements.count(element) for element in ELEMENTS}
    said = dict(counts)
    if said == right:
        return
    numbers = [number for number in said.values() if isinstance(number, int)]
    wanted = ", ".join(f"{element} {number}" for element, number in right.items())
    total = sum(numbers)
    message = f"the eight characters hold {wanted}"
    if total != 8:
        message = f"the counts sum to {total}, not 8; {message}"
    yield Fault("ohaeng", message, said)


def _sipsin_faults(result: Mapping[str, object], pillars: Mapping[str, Pillar]) -> Iterator[Fault]:
    if "day" not in pillars or given(result, "sipsin") is MISSING:
        return
    day_stem = pillars["day"].stem
    for position, pillar in pillars.items():
        hidden = STEMS.index(MAIN_HIDDEN_STEMS[pillar.branch])
        right = {
            "stem": "일간" if position == "day" else ten_god(day_stem, pillar.stem),
            "branch": ten_god(day_stem, hidden),
        }
        for part, name in right.items():
            field = f"sipsin.{position}.{part}"
            said = find(result, field)
            if said != name:
                was = None if said is MISSING else said
                yield Fault(field, f"by the day's {STEMS[day_stem]} this is {name}", was)


def _gongmang_faults(
    result: Mapping[str, object], pillars: Mapping[str, Pillar]
) -> Iterator[Fault]:
    said = given(result, "gongmang")
    if "day" not in pillars or said is MISSING:
        return
    day = pillars["day"]
    first = (day.branch - day.stem + 10) % 12
    right = [BRANCHES_HANGUL[first], BRANCHES_HANGUL[(first + 1) % 12]]
    if said != right:
        yield Fault("gongmang", f"of a {day.hanja} day they are {' and '.join(right)}", said)


def _daeun_faults(result: Mapping[str, object], pillars: Mapping[str, Pillar]) -> Iterator[Fault]:
    daeun = given(result, "daeun")
    if daeun is MISSING or not {"year", "month"} <= pillars.keys():
        return
    direction = given(daeun, "direction")
    if direction not in ("forward", "backward"):
        yield Fault("daeun.direction", "it is forward or backward", _plain(direction))
        return
    gender = given(result, "options.gender")
    if gender in ("male", "female"):
        forward = (pillars["year"].stem % 2 == 0) == (gender == "male")
        if (direction == "forward") != forward:
            right = "forward" if forward else "backward"
            message = f"for a {gender} born in a {STEMS[pillars['year'].stem]} year it is {right}"
            yield Fault("daeun.direction", message, direction)
    yield from _daeun_order_faults(daeun, pillars["month"], 1 if direction == "forward" else -1)


def _daeun_order_faults(daeun: object, month: Pillar, step: int) -> Iterator[Fault]:
    listed = given(daeun, "pillars")
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        yield Fault("daeun.pillars", "the list of pillars is missing", _plain(listed))
        return
    for index, entry in enumerate(listed):
        right = month.shifted(step * (index + 1)).hanja
        said = find(entry, "hanja")
        if said != right:
            message = f"{index + 1} on from the month's {month.hanja} comes {right}"
            yield Fault(f"daeun.pillars.{index}.hanja", message, _plain(said))
            # One slip shifts all that follow; saying so once is enough.
            return


def _plain(value: object) -> object:
    return None if value is MISSING else value
