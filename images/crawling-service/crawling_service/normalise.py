"""Brings one value of a record into its proper form, and says by which rule. Pure.

Text is tidied without loss (Unicode's composed form, white space, invisible characters). Dates and
numbers are rewritten only where a field was named for it, and left alone where they can be read in
more than one way: 03/04/2025 is nobody's certain date.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

Form = Literal["NFC", "NFKC"]
# Zero-width space, word joiner, soft hyphen, byte order mark: seen by nobody, unequal for programs.
# Joiners inside words (U+200C, U+200D) stay: scripts and emoji need them.
_INVISIBLE = re.compile("[\u200b\u2060\u00ad\ufeff\u200e\u200f]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACE = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_NUMERIC_DATE = re.compile(r"(\d{4})[-./\s]{1,2}(\d{1,2})[-./\s]{1,2}(\d{1,2})[.일]?")
_KOREAN_DATE = re.compile(r"(\d{4})\s*[년年]\s*(\d{1,2})\s*[월月]\s*(\d{1,2})\s*[일日]")
_PACKED_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_NAMED_DATE = re.compile(r"(\d{1,2})\s+([a-z]{3,9})\.?,?\s+(\d{4})", re.I)
_US_NAMED_DATE = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})", re.I)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?")
_UNITS = re.compile(r"^[₩$€¥£\s]+|[\s]*(원|명|개|건|%|퍼센트|KRW|USD|EUR|JPY)$", re.I)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of text everywhere, and of which fields dates and numbers are made."""

    form: Form = "NFC"
    whitespace: bool = True
    dates: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """A value before and after one rule."""

    rule: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Normalised:
    """`unreadable` is the kind (date, number) that was asked for and not found, else None."""

    value: str
    changes: tuple[Change, ...]
    unreadable: str | None = None


def normalise(text: str, field: str, wishes: Wishes) -> Normalised:
    """One value of one field."""
    rules: list[tuple[str, Callable[[str], str]]] = [
        (f"unicode_{wishes.form.lower()}", lambda t: unicodedata.normalize(wishes.form, t)),
    ]
    if wishes.whitespace:
        rules += [("invisible", _visible), ("whitespace", _tidy)]
    value, changes = text, []
    for rule, apply in rules:
        after = apply(value)
        if after != value:
            changes.append(Change(rule, value, after))
            value = after
    unreadable = None
    for kind, fields, read in (
        ("date", wishes.dates, iso_date),
        ("number", wishes.numbers, plain_number),
    ):
        if field in fields and value:
            found = read(value)
            if found is None:
                unreadable = kind
            elif found != value:
                changes.append(Change(kind, value, found))
                value = found
    return Normalised(value, tuple(changes), unreadable)


def iso_date(text: str) -> str | None:
    """YYYY-MM-DD; None for what is no date or may be two."""
    plain = text.strip()
    for pattern in (_NUMERIC_DATE, _KOREAN_DATE, _PACKED_DATE):
        found = pattern.fullmatch(plain)
        if found:
            return _date(*(int(part) for part in found.groups()))
    found = _NAMED_DATE.fullmatch(plain)
    if found:
        return _date(int(found[3]), _month(found[2]), int(found[1]))
    found = _US_NAMED_DATE.fullmatch(plain)
    if found:
        return _date(int(found[3]), _month(found[1]), int(found[2]))
    return None


def plain_number(text: str) -> str | None:
    """Digits with a point and no groups: "₩1,650,000원" → "1650000". None where it is unclear."""
    plain = _UNITS.sub("", unicodedata.normalize("NFKC", text).strip())
    plain = _UNITS.sub("", plain).strip().replace("\u2212", "-")
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    if not _PLAIN.fullmatch(plain) or len(plain) > 40:
        return None
    try:
        return format(Decimal(plain), "f")
    except InvalidOperation:
        return None


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", text)


def _tidy(text: str) -> str:
    lines = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    joined = "\n".join(_SPACE.sub(" ", line).strip() for line in lines)
    return _BLANK_LINES.sub("\n\n", joined).strip()


def _date(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _month(name: str) -> int:
    short = name.lower()[:3]
    return _MONTHS.index(short) + 1 if short in _MONTHS else 0
