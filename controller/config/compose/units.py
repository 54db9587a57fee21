"""Durations, sizes and numbers as Compose writes them, and as its normalised form prints them."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_NS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 10**9,
    "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9, "w": 7 * 86_400 * 10**9,
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKmMgGtTpP])?[iI]?[bB]?")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as `1m30s`, `500ms` or `0`. Raises ValueError."""
    if text == "0":
        return 0
    total, at = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != at:
            break
        total += float(part.group(1)) * _NS[part.group(2)]
        at = part.end()
    if at != len(text) or not text or total > 2**63:
        raise ValueError("a duration has a number and a unit, like 10s, 1m30s or 500ms")
    return round(total)


def format_duration(nanoseconds: int) -> str:
    """The reference's print of a duration: `1m30s`, `1.5s`, `500ms`."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 10**9:
        unit = next(u for u in ("ms", "us", "ns") if nanoseconds >= _NS[u])
        return _decimal(nanoseconds, _NS[unit]) + ("µs" if unit == "us" else unit)
    hours, rest = divmod(nanoseconds, _NS["h"])
    minutes, rest = divmod(rest, _NS["m"])
    seconds = _decimal(rest, 10**9) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(amount: int, unit: int) -> str:
    whole, part = divmod(amount, unit)
    digits = str(part).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def parse_bytes(value: str | int | float) -> int:
    """Bytes of a size such as `512m`, `1.5gb` or `1024`; -1 stays. Raises ValueError."""
    if isinstance(value, (int, float)):
        if not math.isfinite(value) or value != int(value):
            raise ValueError("a size is a whole number of bytes, or text like 512m or 1gb")
        return int(value)
    text = value.strip()
    if re.fullmatch(r"[-+]?\d{1,19}", text):
        return int(text)
    found = _SIZE.fullmatch(text)
    if found is None or len(text) > 40:
        raise ValueError("a size is a number with a unit b, k, m, g or t, like 512m or 1gb")
    amount = float(found.group(1)) * 1024 ** _POWERS[(found.group(2) or "").lower()]
    return int(amount)


def go_text(value: str | int | float | bool | None) -> str:
    """A scalar as the reference prints it into text: `true`, `1.5`, `1e+06`; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    return str(value)


def _go_float(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    exact = Decimal(repr(value)).normalize()
    digits = "".join(str(digit) for digit in exact.as_tuple().digits)
    power = exact.adjusted() if value else 0
    if -4 <= power < 6:
        return f"{exact:f}"
    head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{'-' if value < 0 else ''}{head}e{'+' if power >= 0 else '-'}{abs(power):02d}"
