"""Finds amounts, dates, business numbers and URLs in text, and where the text contradicts itself.

Pure. Nothing is guessed: what does not parse has no value and is named in `doubts`, for a wrong
number stated with confidence is the worst thing this service could give.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

# Groups set apart by points are taken too, to be named as misplaced: a fax makes commas of points.
_NUMBER = r"(?:\d{1,3}(?:[.,]\d{3}){2,7}|\d[\d,]{0,24}(?:\.\d{1,4})?)"
_UNIT_PARTS = r"(?:\s?[조억만천]{1,2}(?:\s?\d[\d,]{0,24})?){0,3}"
_WON = rf"(?<![\d,.]){_NUMBER}{_UNIT_PARTS}\s?원(?![칙소리천])"
_SIGNED = rf"(?:[₩￦$€¥]|\b(?:KRW|USD|EUR|JPY))\s?{_NUMBER}"
_CODED = rf"(?<![\d,.]){_NUMBER}\s?(?:KRW|USD|EUR|JPY|달러|유로|엔)"
_AMOUNT = re.compile(f"{_SIGNED}|{_WON}|{_CODED}")
_CURRENCIES = (
    ("KRW", ("원", "₩", "￦", "KRW")),
    ("USD", ("$", "USD", "달러")),
    ("EUR", ("€", "EUR", "유로")),
    ("JPY", ("¥", "JPY", "엔")),
)
_UNITS = {"조": 10**12, "억": 10**8, "만": 10**4, "천": 10**3}
_PART = re.compile(r"(\d[\d,]*(?:\.\d+)*)\s?([조억만천]*)")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_POINTED = re.compile(r"\d{1,3}\.\d{3}\s?원")
_DATE = re.compile(
    r"(?<![\d.-])(\d{4})(?:\s?년\s?(\d{1,2})\s?월\s?(\d{1,2})\s?일|([-./])(\d{1,2})\4(\d{1,2})(?![\d-]))"
)
_BUSINESS = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{5}(?![\d-])")
_URL = re.compile(r"""https?://[!#$%&()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+""")

SUPPLY, TAX, TOTAL = "공급가액", "세액", "합계"
_AMOUNT_LABELS = (
    *(
        SUPPLY,
        TAX,
        TOTAL,
        "부가가치세",
        "부가세",
        "합계금액",
        "총액",
        "총금액",
        "청구금액",
        "대금",
        "계약금액",
    ),
    *("계약금", "중도금", "잔금", "단가", "금액", "보증금", "월세", "급여", "이자"),
)
_BARE_LABELS = (
    SUPPLY,
    TAX,
    TOTAL,
    "부가가치세",
    "부가세",
    "총액",
    "총금액",
    "청구금액",
    "계약금액",
)
_LABELLED = re.compile(
    rf"((?:{'|'.join(' ?'.join(word) for word in _BARE_LABELS)})[\s:|]{{0,12}})"
    r"(?<![\d,.])(\d[\d,]{3,24})(?![\d,.]|\s*\d|\s?[%년월일개건명])"
)
_SAME_AS = {"부가가치세": TAX, "부가세": TAX, "합계금액": TOTAL, "총액": TOTAL, "총금액": TOTAL}
_DATE_LABELS = (
    *("발행일", "작성일", "계약일", "계약기간", "납부기한", "지급기한", "지급일", "만료일"),
    *("시작일", "종료일", "유효기간", "견적일", "거래일", "결제일", "생년월일"),
    *("회의일", "다음회의일", "입사일", "발급일"),
)
_MISREAD = 4  # digits
_SURE_AMOUNTS = (SUPPLY, TAX, TOTAL, "계약금액")
_SURE_DATES = ("발행일", "작성일", "견적일", "거래일", "계약일", "발급일")
_SURE_NUMBERS = ("등록번호",)
_PARTY_LABELS = ("공급자", "공급받는자", "수급인", "도급인", "임대인", "임차인", "판매자", "구매자")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the text: the line from 0, and from which character to which. `line` is None for
    what no line holds, such as the target of a link."""

    line: int | None
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Amount:
    """`value` is None when the digits are not well formed; `label` is the nearest known word;
    `currency` is None where only the label says that it is an amount."""

    label: str | None
    text: str
    value: int | float | None
    currency: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class DateFound:
    """`value` is ISO 8601, None when there is no such day."""

    label: str | None
    text: str
    value: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class BusinessNumber:
    """A Korean business registration number; the check digit says whether it can exist."""

    label: str | None
    text: str
    value: str | None
    check_digit_ok: bool
    place: Place


@dataclass(frozen=True, slots=True)
class UrlFound:
    text: str
    value: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Facts:
    """In the order of the text. `doubts` are sentences that call for a person's eye."""

    amounts: tuple[Amount, ...]
    dates: tuple[DateFound, ...]
    business_numbers: tuple[BusinessNumber, ...]
    urls: tuple[UrlFound, ...]
    doubts: tuple[str, ...]


def find_facts(text: str, links: Sequence[str] = ()) -> Facts:
    """`links` are URLs known from the document's own markup; they follow those of the text."""
    amounts: list[Amount] = []
    dates: list[DateFound] = []
    numbers: list[BusinessNumber] = []
    for number, line in enumerate(text.split("\n")):
        plain = _URL.sub(lambda url: " " * len(url.group()), line)
        amounts += _amounts(plain, number)
        dates += [
            DateFound(_label(before, _DATE_LABELS), found, _iso(found), place)
            for before, found, place in _matches(_DATE, plain, number)
        ]
        numbers += [
            BusinessNumber(
                _label(before, _PARTY_LABELS), found, found, check_digit_ok(found), place
            )
            for before, found, place in _matches(_BUSINESS, plain, number)
        ]
    return Facts(
        tuple(amounts),
        tuple(dates),
        tuple(numbers),
        find_urls(text, links),
        tuple(doubts(amounts, dates)),
    )


def unfound(line: str) -> str | None:
    """A label that digits follow though no fact of its kind is on the line: it was misread."""
    facts = find_facts(line)
    kinds = (
        (_SURE_AMOUNTS, facts.amounts),
        (_SURE_DATES, facts.dates),
        (_SURE_NUMBERS, facts.business_numbers),
    )
    for labels, found in kinds:
        for label in labels:
            at = line.rfind(label)
            if at >= 0 and not found and sum(char.isdigit() for char in line[at:]) >= _MISREAD:
                return label
    return None


def find_urls(text: str, links: Iterable[str] = ()) -> tuple[UrlFound, ...]:
    """Each http(s) URL once; the punctuation of the sentence around it is left off."""
    found: dict[str, UrlFound] = {}
    for number, line in enumerate(text.split("\n")):
        for match in _URL.finditer(line):
            url = _trim(match.group())
            place = Place(number, match.start(), match.start() + len(url))
            found.setdefault(url, UrlFound(url, url, place))
    for link in links:
        if link.startswith(("http://", "https://")):
            found.setdefault(link, UrlFound(link, link, Place(None)))
    return tuple(found.values())


def check_digit_ok(number: str) -> bool:
    """The National Tax Service's check digit over the first nine digits."""
    digits = [int(char) for char in number if char.isdigit()]
    if len(digits) != 10:
        return False
    weighed = sum(d * w for d, w in zip(digits[:9], (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True))
    return (10 - (weighed + digits[8] * 5 // 10) % 10) % 10 == digits[9]


def _amounts(line: str, number: int) -> list[Amount]:
    """With a currency; and, where a known label stands before it, grouped digits without one."""
    found = [
        Amount(_label(before, _AMOUNT_LABELS), text, _value(text), _currency(text), place)
        for before, text, place in _matches(_AMOUNT, line, number)
    ]
    blank = line
    for amount in found:
        start, end = amount.place.start, amount.place.end
        blank = blank[:start] + "\x00" * (end - start) + blank[end:]
    for match in _LABELLED.finditer(blank):
        text, place = match.group(2), Place(number, match.start(2), match.end(2))
        found.append(
            Amount(_label(match.group(1), _AMOUNT_LABELS), text, value_of(text), None, place)
        )
    return sorted(found, key=lambda amount: amount.place.start)


def _matches(pattern: re.Pattern[str], line: str, number: int) -> list[tuple[str, str, Place]]:
    """Each match with the text between the previous match (or the line's start) and it."""
    result, end = [], 0
    for match in pattern.finditer(line):
        place = Place(number, match.start(), match.end())
        result.append((line[end : match.start()], match.group().strip(), place))
        end = match.end()
    return result


def _label(before: str, known: Sequence[str]) -> str | None:
    """The known word that ends last; of two that end together the longer."""
    squeezed = re.sub(r"\s+", "", before)
    ends = [(squeezed.rfind(word) + len(word), len(word), word) for word in known]
    best = max((entry for entry in ends if entry[0] >= entry[1]), default=None)
    return best[2] if best else None


def _value(text: str) -> int | float | None:
    """None for `650.000원` too: 650 or 650,000, and nobody can tell which was meant."""
    return None if _POINTED.fullmatch(text) else value_of(text)


def value_of(text: str) -> int | float | None:
    """None for misplaced commas: `11650,000` may be 1,650,000 misread."""
    total = Decimal(0)
    for number, units in _PART.findall(text):
        if number.count(".") > 1 or ("," in number and not _GROUPED.fullmatch(number)):
            return None
        factor = 1
        for unit in units:
            factor *= _UNITS[unit]
        total += Decimal(number.replace(",", "")) * factor
    return int(total) if total == total.to_integral_value() else float(total)


def _currency(text: str) -> str | None:
    return next(code for code, signs in _CURRENCIES if any(sign in text for sign in signs))


def _iso(text: str) -> str | None:
    year, month, day = (int(part) for part in re.findall(r"\d+", text)[:3])
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _trim(url: str) -> str:
    """Leaves off the sentence's punctuation; a bracket stays where the URL itself opened it."""
    while url.endswith(tuple(".,;:!?'")) or any(
        url.endswith(close) and url.count(close) > url.count(opening)
        for opening, close in ("()", "[]")
    ):
        url = url[:-1]
    return url


def doubts(amounts: Sequence[Amount], dates: Sequence[DateFound]) -> Iterable[str]:
    """Sentences about what does not parse and about sums that do not hold."""
    for amount in amounts:
        if amount.value is None:
            yield f"the commas of {amount.text!r} are misplaced; no value is given"
    for day in dates:
        if day.value is None:
            yield f"there is no such day as {day.text!r}"
    supply, tax, total = (_only(amounts, name) for name in (SUPPLY, TAX, TOTAL))
    if supply is not None and tax is not None and total is not None and supply + tax != total:
        yield f"{SUPPLY} {supply:,} + {TAX} {tax:,} is not {TOTAL} {total:,}"


def role(amount: Amount) -> str | None:
    """The amount's label, or the one of 공급가액, 세액 and 합계 that means the same."""
    return None if amount.label is None else _SAME_AS.get(amount.label, amount.label)


def _only(amounts: Sequence[Amount], name: str) -> int | float | None:
    """The one value under this label; None when there is none or several differ."""
    values = {amount.value for amount in amounts if role(amount) == name}
    return next(iter(values)) if len(values) == 1 else None
