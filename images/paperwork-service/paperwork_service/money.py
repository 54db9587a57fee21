"""Sums in won: computed here and nowhere else. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

_DIGITS = "영일이삼사오육칠팔구"
_SMALL = ("", "십", "백", "천")
_LARGE = ("", "만", "억", "조", "경")
VAT_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Sums:
    """Won, whole. `total` is `supply` and `tax`."""

    supply: int
    tax: int

    @property
    def total(self) -> int:
        return self.supply + self.tax


def line_sums(quantity: float, unit_price: int, *, taxed: bool) -> Sums:
    """Of one item: its price rounded half up, its tax cut to whole won as the tax office does."""
    exact = Decimal(str(quantity)) * unit_price
    supply = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    tax = (Decimal(supply) * VAT_PERCENT / 100).quantize(Decimal(1), ROUND_DOWN)
    return Sums(supply, int(tax) if taxed else 0)


def added(lines: Iterable[Sums]) -> Sums:
    """All items together."""
    found = list(lines)
    return Sums(sum(line.supply for line in found), sum(line.tax for line in found))


def won(amount: int) -> str:
    """`1,650,000원`."""
    return f"{amount:,}원"


def in_words(amount: int) -> str:
    """`일금 일백육십오만원정`, as it stands on papers that must not be altered."""
    return f"일금 {_words(amount)}원정"


def _words(amount: int) -> str:
    if amount == 0:
        return _DIGITS[0]
    groups, text = [], str(amount)
    while text:
        text, group = text[:-4], text[-4:]
        groups.append(group)
    parts = [_group(group) + _LARGE[place] for place, group in enumerate(groups) if int(group) != 0]
    return "".join(reversed(parts))


def _group(digits: str) -> str:
    """Up to four digits; 일 is written too, so that no digit can be put before it."""
    places = range(len(digits) - 1, -1, -1)
    return "".join(
        _DIGITS[int(digit)] + _SMALL[place]
        for digit, place in zip(digits, places, strict=True)
        if digit != "0"
    )
