"""Cleans a list of records: every value in its proper form, and each thing once. Pure.

What is done is told: which value changed by which rule, and which record is left out because it is
which other. Records of facts that read alike and differ in a digit are two facts, so a near
duplicate must have the same digits in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crawling_service.normalise import Change, Wishes, normalise
from crawling_service.similar import twins

Mode = Literal["none", "exact", "near"]
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Item:
    """A record before and after. `group`: only records of one group can be each other's double."""

    group: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Changed:
    """What one rule did to one field of the record at `index`."""

    index: int
    field: str
    change: Change


@dataclass(frozen=True, slots=True)
class Removed:
    """Left out: it is the record at `of`, `similarity` of it."""

    index: int
    of: int
    kind: Literal["exact", "near", "empty"]
    similarity: float


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that was to be a date or a number and is left as it is."""

    index: int
    field: str
    kind: str
    value: str


@dataclass(slots=True)
class Cleaned:
    """`kept` are the places of the records that stay; `items` holds every record, cleaned."""

    items: list[Item] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def clean_items(
    items: Sequence[Item], wishes: Wishes, mode: Mode, threshold: float, keys: Sequence[str]
) -> Cleaned:
    """`keys` are the fields by which records are the same; all of them where none is named."""
    done = Cleaned()
    for index, item in enumerate(items):
        done.items.append(Item(item.group, _clean_fields(index, item, wishes, done)))
    if mode == "none":
        done.kept = list(range(len(items)))
        return done
    done.kept = _without_exact(done, keys)
    if mode == "near":
        _drop_near(done, keys, threshold)
    return done


def _clean_fields(index: int, item: Item, wishes: Wishes, done: Cleaned) -> dict[str, str]:
    cleaned = {}
    for name, value in item.fields.items():
        result = normalise(value, name, wishes)
        cleaned[name] = result.value
        done.changed += [Changed(index, name, change) for change in result.changes]
        if result.unreadable is not None:
            done.unreadable.append(Unreadable(index, name, result.unreadable, result.value))
    return cleaned


def _without_exact(done: Cleaned, keys: Sequence[str]) -> list[int]:
    first: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    kept = []
    for index, item in enumerate(done.items):
        identity = (item.group, tuple(sorted(_compared(item, keys).items())))
        of = first.setdefault(identity, index)
        if not any(item.fields.values()):
            done.removed.append(Removed(index, index, "empty", 1.0))
        elif of != index:
            done.removed.append(Removed(index, of, "exact", 1.0))
        else:
            kept.append(index)
    return kept


def _drop_near(done: Cleaned, keys: Sequence[str], threshold: float) -> None:
    blocks: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index in done.kept:
        item = done.items[index]
        digits = tuple(_DIGITS.findall(_text(item, keys)))
        blocks.setdefault((item.group, digits), []).append(index)
    dropped = set()
    for block in blocks.values():
        for twin in twins([_text(done.items[index], keys) for index in block], threshold):
            index, of = block[twin.index], block[twin.of]
            done.removed.append(Removed(index, of, "near", twin.similarity))
            dropped.add(index)
    done.kept = [index for index in done.kept if index not in dropped]


def _compared(item: Item, keys: Sequence[str]) -> dict[str, str]:
    return {name: item.fields.get(name, "") for name in keys} if keys else dict(item.fields)


def _text(item: Item, keys: Sequence[str]) -> str:
    return " ".join(_compared(item, keys).values())
