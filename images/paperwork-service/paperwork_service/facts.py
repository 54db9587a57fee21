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

_NUMBER = r"\d[\d,]{0,24}(?:\.\d{1,4})?"
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
_PART = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?([조억만천]*)")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_DATE = re.compile(
    r"(?<![\d.-])(\d{4})(?:\s?년\s?(\d{1,2})\s?월\s?(\d{1,2})\s?일|([-./])(\d{1,2})\4(\d{1,2})(?![\d-]))"
)
_BUSINESS = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{5}(?![\d-])")
_URL = re.compile(r"""https?://[!#$%&()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+""")

SUPPLY, TAX, TOTAL = "공급가액", "세액", "합계"
_AMOUNT_LABELS = (
    *(SUPPLY, TAX, TOTAL, "부가가치세", "부가세", "총액", "총금액", "청구금액", "대금", "계약금액"),
    *("계약금", "중도금", "잔금", "단가", "금액", "보증금", "월세", "급여", "이자"),
)
_SAME_AS = {"부가가치세": TAX, "부가세": TAX, "총액": TOTAL, "총금액": TOTAL}
_DATE_LABELS = (
    *("발행일", "작성일", "계약일", "계약기간", "납부기한", "지급기한", "지급일", "만료일"),
    *("시작일", "종료일", "유효기간", "견적일", "거래일", "결제일", "생년월일"),
)
_PARTY_LABELS = ("공급자", "공급받는자", "수급인", "도급인", "임대인", "임차인", "판매자", "구매자")


@dataclass(frozen=True, slots=True)
class Amount:
    """`value` is None when the digits are not well formed; `label` is the nearest known word."""

    label: str | None
    text: str
    value: int | float | None
    currency: str


@dataclass(frozen=True, slots=True)
class DateFound:
    """`value` is ISO 8601, None when there is no such day."""

    label: str | None
    text: str
    value: str | None


@dataclass(frozen=True, slots=True)
class BusinessNumber:
    """A Korean business registration number; the check digit says whether it can exist."""

    label: str | None
    text: str
    check_digit_ok: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """In the order of the text. `doubts` are sentences that call for a person's eye."""

    amounts: tuple[Amount, ...]
    dates: tuple[DateFound, ...]
    business_numbers: tuple[BusinessNumber, ...]
    urls: tuple[str, ...]
    doubts: tuple[str, ...]


def find_facts(text: str, links: Sequence[str] = ()) -> Facts:
    """`links` are URLs known from the document's own markup; they follow those of the text."""
    urls = find_urls(text, links)
    plain = _URL.sub(" ", text)
    amounts: list[Amount] = []
    dates: list[DateFound] = []
    numbers: list[BusinessNumber] = []
    for line in plain.splitlines():
        amounts += [
            Amount(_label(before, _AMOUNT_LABELS), found, _value(found), _currency(found))
            for before, found in _matches(_AMOUNT, line)
        ]
        dates += [
            DateFound(_label(before, _DATE_LABELS), found, _iso(found))
            for before, found in _matches(_DATE, line)
        ]
        numbers += [
            BusinessNumber(_label(before, _PARTY_LABELS), found, check_digit_ok(found))
            for before, found in _matches(_BUSINESS, line)
        ]
    return Facts(tuple(amounts), tuple(dates), tuple(numbers), urls, tuple(_doubts(amounts, dates)))


def find_urls(text: str, links: Iterable[str] = ()) -> tuple[str, ...]:
    """Each http(s) URL once; the punctuation of the sentence around it is left off."""
    found = [_trim(match) for match in _URL.findall(text)]
    found += [link for link in links if link.startswith(("http://", "https://"))]
    return tuple(dict.fromkeys(found))


def check_digit_ok(number: str) -> bool:
    """The National Tax Service's check digit over the first nine digits."""
    digits = [int(char) for char in number if char.isdigit()]
    if len(digits) != 10:
        return False
    weighed = sum(d * w for d, w in zip(digits[:9], (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True))
    return (10 - (weighed + digits[8] * 5 // 10) % 10) % 10 == digits[9]


def _matches(pattern: re.Pattern[str], line: str) -> list[tuple[str, str]]:
    """Each match with the text between the previous match (or the line's start) and it."""
    result, end = [], 0
    for match in pattern.finditer(line):
        result.append((line[end : match.start()], match.group().strip()))
        end = match.end()
    return result


def _label(before: str, known: Sequence[str]) -> str | None:
    """The known word that ends last; of two that end together the longer."""
    squeezed = re.sub(r"\s+", "", before)
    ends = [(squeezed.rfind(word) + len(word), len(word), word) for word in known]
    best = max((entry for entry in ends if entry[0] >= entry[1]), default=None)
    return best[2] if best else None


def _value(text: str) -> int | float | None:
    """None for misplaced commas: `11650,000` may be 1,650,000 misread."""
    total = Decimal(0)
    for number, units in _PART.findall(text):
        if "," in number and not _GROUPED.fullmatch(number):
            return None
        factor = 1
        for unit in units:
            factor *= _UNITS[unit]
        total += Decimal(number.replace(",", "")) * factor
    return int(total) if total == total.to_integral_value() else float(total)


def _currency(text: str) -> str:
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


def _doubts(amounts: Sequence[Amount], dates: Sequence[DateFound]) -> Iterable[str]:
    for amount in amounts:
        if amount.value is None:
            yield f"the commas of {amount.text!r} are misplaced; no value is given"
    for day in dates:
        if day.value is None:
            yield f"there is no such day as {day.text!r}"
    parts = {name: _only(amounts, name) for name in (SUPPLY, TAX, TOTAL)}
    supply, tax, total = parts[SUPPLY], parts[TAX], parts[TOTAL]
    if supply is not None and tax is not None and total is not None and supply + tax != total:
        yield f"{SUPPLY} {supply:,} + {TAX} {tax:,} is not {TOTAL} {total:,}"


def _only(amounts: Sequence[Amount], name: str) -> int | float | None:
    """The one value under this label; None when there is none or several differ."""
    values = {
        amount.value
        for amount in amounts
        if amount.label is not None and _SAME_AS.get(amount.label, amount.label) == name
    }
    return next(iter(values)) if len(values) == 1 else None
