"""The one shape in which every check says what is wrong, and how checks find a value in a record.

A fault is data, not an exception: an examiner that stops at the first fault is half an examiner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `field` names where ('' is the whole record), `value` what stood there."""

    field: str
    message: str
    value: object = None


class Missing:
    """The type of MISSING."""

    __slots__ = ()


MISSING: Final = Missing()


def find(record: object, field: str) -> object:
    """The value at `field`, or MISSING.

    `field` is a key as it stands; where there is no such key, dots part nested keys and 0-based
    list positions: `pillars.year.hanja`, `items.0.price`.
    """
    if isinstance(record, Mapping) and field in record:
        return record[field]
    value: object = record
    for part in field.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif _is_position(value, part):
            value = value[int(part)]  # type: ignore[index]
        else:
            return MISSING
    return value


def _is_position(value: object, part: str) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and part.isascii()
        and part.isdigit()
        and len(part) < 10
        and int(part) < len(value)
    )


def given(record: object, field: str) -> object:
    """Like `find`, but null counts as MISSING too: only `required` complains of either."""
    value = find(record, field)
    return MISSING if value is None else value


def shown(value: object, limit: int = 80) -> str:
    """A value as a message shows it, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
