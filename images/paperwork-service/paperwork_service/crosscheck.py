"""Weighs what several readings of a picture say, so that no misread digit passes for a fact.

Pure. A fact read from a picture keeps its value when a reading by another model, at another size,
agrees and none contradicts, or when 공급가액 + 세액 = 합계 holds for one choice among the readings
and for no other. Otherwise its value is None and a sentence asks for a person's eye.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from paperwork_service.facts import (
    SUPPLY,
    TAX,
    TOTAL,
    Amount,
    BusinessNumber,
    DateFound,
    Facts,
    Place,
    UrlFound,
    doubts,
    role,
    unfound,
    value_of,
)
from paperwork_service.seen import Line, PageSeen, Word

_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_NUMBERS = re.compile(r"\d[\d,.\-]*")
_POINTS = re.compile(r"\s*[.,][.,\s]*(?=\d)")
_REST = re.compile(r"\d{3}(?!\d)")
_MARGIN = 0.004
_UNITS = "조억만천"
_UNSURE, _LONG = 0.6, 4
_OVERLAP = 0.5
_SUM = (SUPPLY, TAX, TOTAL)
FactT = TypeVar("FactT", Amount, DateFound, BusinessNumber, UrlFound)


@dataclass(frozen=True, slots=True)
class Source:
    """How a fact was read. `box` is left, top, right, bottom in shares of the page; it and the
    confidence are None for what was text already."""

    method: str
    page: int | None
    confidence: float | None = None
    box: list[float] | None = None


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line of the text that OCR read: the page it is on and its words."""

    page: PageSeen
    words: Line


Lines = dict[int, SeenLine]


def source_of(place: Place, lines: Lines, page: int | None) -> Source:
    """`page` is that of the line where it was text."""
    seen = None if place.line is None else lines.get(place.line)
    if seen is None:
        return Source("text", page)
    words = _words_at(seen.words, place)
    return Source(
        "ocr",
        seen.page.page,
        round(min(word.confidence for word in words), 2) if words else 0.0,
        _box(words) if words else None,
    )


def confirm(facts: Facts, lines: Lines) -> Facts:
    """The facts, those of pictures without the values that nothing confirms."""
    if not lines:
        return facts
    amounts, sums = _confirm_amounts(facts.amounts, lines)
    dates = [_confirmed(day, lines, _agrees_on_date) for day in facts.dates]
    numbers = [_confirmed(number, lines, _agrees_exactly) for number in facts.business_numbers]
    urls = [_confirmed(url, lines, _agrees_on_url) for url in facts.urls]
    pairs: list[tuple[Any, Any]] = [
        *zip(facts.amounts, amounts, strict=True),
        *zip(facts.dates, dates, strict=True),
        *zip(facts.business_numbers, numbers, strict=True),
        *zip(facts.urls, urls, strict=True),
    ]
    unsure = [
        f"the readings of {after.text!r} differ or none confirms it; no value is given"
        for before, after in pairs
        if after.value is None and (before.value is not None or _is_seen(before, lines))
    ]
    texts = (" ".join(word.text for word in line.words) for line in lines.values())
    lost = [f"what follows {label!r} could not be read" for t in texts if (label := unfound(t))]
    lost += _unsure_numbers(facts, lines)
    of_text = [a for a in amounts if not _is_seen(a, lines) or a.value is not None]
    known_days = [d for d in dates if not _is_seen(d, lines) or d.value is not None]
    spoken = [doubt for doubt in doubts(of_text, known_days) if doubt not in sums]
    return Facts(
        tuple(amounts), tuple(dates), tuple(numbers), tuple(urls), (*unsure, *sums, *lost, *spoken)
    )


def _unsure_numbers(facts: Facts, lines: Lines) -> list[str]:
    """Long numbers that are no fact and that OCR is unsure of: they may be one, misread."""
    places = [
        fact.place
        for kind in (facts.amounts, facts.dates, facts.business_numbers, facts.urls)
        for fact in kind
    ]
    said = []
    for number, line in lines.items():
        taken = [w for p in places if p.line == number for w in _words_at(line.words, p)]
        said += [
            f"{word.text!r} may be a number or a date that was misread"
            for word in line.words
            if word not in taken and word.confidence < _UNSURE and len(_digits(word.text)) >= _LONG
        ]
    return said


def _is_seen(fact: Amount | DateFound | BusinessNumber | UrlFound, lines: Lines) -> bool:
    return fact.place.line is not None and fact.place.line in lines


def _confirmed(fact: FactT, lines: Lines, agrees: Callable[[str, str], bool]) -> FactT:
    """Without its value unless another reading of every word of it agrees."""
    if fact.place.line is None or fact.place.line not in lines:
        return fact
    seen = lines[fact.place.line]
    for word in _words_at(seen.words, fact.place):
        if not any(char.isdigit() for char in word.text) and not isinstance(fact, UrlFound):
            continue
        part = _part(seen.words, word, fact.place)
        english = _text_at(seen.page.english, word)
        korean = _text_at(seen.page.korean, word)
        if not agrees(part, english) or not (isinstance(fact, UrlFound) or agrees(part, korean)):
            return replace(fact, value=None)
    return fact


def _agrees_exactly(part: str, other: str) -> bool:
    """The same digits and signs, as in a business number; what clings to it is left off."""
    wanted = _NUMBERS.search(part)
    return wanted is not None and wanted.group().rstrip(",.-") in (
        found.rstrip(",.-") for found in _NUMBERS.findall(other)
    )


def _agrees_on_date(part: str, other: str) -> bool:
    """년, 월 and 일 read as Latin may look like one more digit, and no more than one."""
    wanted = _digits(part)
    found = _digits(other)
    if found == wanted:
        return True
    has_unit = any(unit in part for unit in "년월일")
    return has_unit and any(
        digits.startswith(wanted) and len(digits) <= len(wanted) + 2
        for digits in (_digits(number) for number in _NUMBERS.findall(other))
    )


def _agrees_on_url(part: str, other: str) -> bool:
    return part.rstrip(".,;") in other


def _confirm_amounts(
    amounts: Sequence[Amount], lines: Lines
) -> tuple[list[Amount], tuple[str, ...]]:
    """The amounts of pictures with the value the readings agree on; sentences on sums that fail."""
    readings = [_readings(amount, lines) for amount in amounts]
    settled = [
        amount if found is None else replace(amount, value=found.agreed())
        for amount, found in zip(amounts, readings, strict=True)
    ]
    pages: dict[int, list[int]] = {}
    for index, amount in enumerate(amounts):
        if amount.place.line is not None and amount.place.line in lines:
            pages.setdefault(lines[amount.place.line].page.page, []).append(index)
    failed = [_settle_sum(settled, readings, page) for page in pages.values()]
    return settled, tuple(said for said in failed if said is not None)


def _settle_sum(
    settled: list[Amount], readings: Sequence[_Readings | None], page: Sequence[int]
) -> str | None:
    """Fits the three amounts of a page's sum together. Where all are agreed and yet do not add up,
    it takes their values and says so."""
    found = (_place_of(settled, page, name) for name in _SUM)
    trio = [place for place in found if place is not None]
    if len(trio) < len(_SUM):
        return None
    choices = [_choices(settled[place], readings[place]) for place in trio]
    agreed = sum(settled[place].value is not None for place in trio)
    fits = [pick for pick in itertools.product(*choices) if pick[0] + pick[1] == pick[2]]
    fitted = agreed > 0 and len(fits) == 1
    if not fitted and agreed < len(_SUM):
        return None  # what is agreed stays, what is not is named already
    values = fits[0] if fitted else (None, None, None)
    for place, value in zip(trio, values, strict=True):
        settled[place] = replace(settled[place], value=value)
    if fitted:
        return None
    said = " and ".join(f"{name} {settled[p].text}" for name, p in zip(_SUM, trio, strict=True))
    return f"the sum does not hold for {said}, as they were read"


def _place_of(amounts: Sequence[Amount], page: Sequence[int], name: str) -> int | None:
    """Where the page's one amount of this role is; None where there is none or are several."""
    found = [index for index in page if role(amounts[index]) == name]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class _Readings:
    """What each look makes of one amount; `digits` are those of the first, commas or not, and
    `digits_agree` the same where English begins with them."""

    text: int | float | None
    korean: int | float | None
    english: int | float | None
    digits_agree: int | None
    digits: int | None = None

    def agreed(self) -> int | float | None:
        """The value that both models give, when no well-formed reading differs."""
        if self.english is not None:
            same = [v for v in (self.text, self.korean, self.digits_agree) if v == self.english]
            others = {v for v in (self.text, self.korean) if v is not None}
            return self.english if same and others <= {self.english} else None
        if self.digits_agree is not None and self.text == self.korean == self.digits_agree:
            return self.digits_agree
        return None


def _choices(amount: Amount, found: _Readings | None) -> list[int | float]:
    if found is None:
        return [] if amount.value is None else [amount.value]
    if amount.value is not None:
        return [amount.value]
    values = (found.text, found.korean, found.english, found.digits)
    return list(dict.fromkeys(value for value in values if value is not None))


def _readings(amount: Amount, lines: Lines) -> _Readings | None:
    """None for an amount that was text already."""
    if amount.place.line is None or amount.place.line not in lines:
        return None
    seen = lines[amount.place.line]
    words = [w for w in _words_at(seen.words, amount.place) if any(c.isdigit() for c in w.text)]
    if _torn(seen.words, amount.place):
        return _Readings(None, None, None, None)
    if len(words) != 1:  # 1억 2천만원: only the first look knows the units
        return _Readings(amount.value, None, None, None)
    part = _part(seen.words, words[0], amount.place)
    digits = _digits(part)
    english = _text_at(seen.page.english, words[0])
    korean, text = _text_at(seen.page.korean, words[0]), amount.value
    if amount.currency in (None, "KRW"):  # won have no decimals: a point is a comma misread
        part, english, korean = (_POINTS.sub(",", look) for look in (part, english, korean))
        text = text if any(unit in amount.text for unit in _UNITS) else _same_amount(part)
    grouped = _GROUPED.search(english)
    latin = int(_digits(grouped.group())) if grouped else None
    agree = _agrees_on_date(part + "일", english) if "," not in part else latin == int(digits)
    plain = int(digits) if not any(unit in amount.text for unit in _UNITS) else None
    return _Readings(text, _same_amount(korean), latin, plain if agree else None, plain)


def _torn(words: Line, place: Place) -> bool:
    """Whether it may be the rest of a number whose comma became a gap, as in `15,672 888원`."""
    line = " ".join(word.text for word in words)
    found = line[place.start : place.end]
    before, after = line[: place.start].rstrip()[-1:], line[place.end :].lstrip()[:1]
    is_rest = _REST.match(found) is not None and _goes_on(before)
    return is_rest or (found[-1:].isdigit() and _goes_on(after))


def _goes_on(char: str) -> bool:
    return char.isdigit() or char in (",", ".")


def _same_amount(text: str) -> int | float | None:
    """The number of a reading in Korean, None where its commas are misplaced."""
    found = _NUMBERS.search(text)
    number = found.group().rstrip(",.-") if found else ""
    return value_of(number) if number and not {"-", "."} & set(number) else None


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isdigit())


def _words_at(words: Line, place: Place) -> list[Word]:
    """The words that the characters of the place belong to."""
    found, at = [], 0
    for word in words:
        end = at + len(word.text)
        if at < place.end and end > place.start:
            found.append(word)
        at = end + 1
    return found


def _part(words: Line, wanted: Word, place: Place) -> str:
    """What of the word is inside the place: `합계1,000원` holds more than the amount."""
    at = 0
    for word in words:
        if word is wanted:
            return word.text[max(0, place.start - at) : max(0, place.end - at)]
        at += len(word.text) + 1
    return ""


def _text_at(lines: Iterable[Line], word: Word) -> str:
    """What another look read where this word is."""
    found = [w for line in lines for w in line if _overlaps(w, word)]
    return " ".join(w.text for w in sorted(found, key=lambda w: w.left))


def _overlaps(one: Word, other: Word) -> bool:
    """On the same line, and half of the narrower within the wider."""
    middle = (one.top + one.bottom) / 2
    if not other.top - _MARGIN <= middle <= other.bottom + _MARGIN:
        return False
    shared = min(one.right, other.right) - max(one.left, other.left)
    return shared > _OVERLAP * min(one.right - one.left, other.right - other.left)


def _box(words: Sequence[Word]) -> list[float]:
    return [
        round(min(w.left for w in words), 4),
        round(min(w.top for w in words), 4),
        round(max(w.right for w in words), 4),
        round(max(w.bottom for w in words), 4),
    ]
