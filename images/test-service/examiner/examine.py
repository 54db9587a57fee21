"""Apply rules to records, table by table, and count what is wrong. Pure.

Collected records often come from several tables in one list; a rule such as `unique` means each
table by itself, hence groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from examiner.faults import MISSING, Fault, find, shown
from examiner.regexes import RuleError
from examiner.rules import Record, RuleBase

MAX_GROUPS = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault with the rule that found it, its group, and the 0-based record in the request."""

    group: str
    index: int | None
    rule: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Group:
    """One table: its name ('' when records are not grouped), size and number of findings."""

    name: str
    records: int
    errors: int


@dataclass(frozen=True, slots=True)
class Examination:
    """Groups in the order of their first record; findings by group, then by rule."""

    groups: tuple[Group, ...]
    findings: tuple[Finding, ...]


def examine(
    records: Sequence[Record],
    rules: Sequence[RuleBase],
    group_by: Sequence[str] = (),
    values_at: str | None = None,
) -> Examination:
    """Examine `records`, those that agree in all fields of `group_by` as one table.

    `values_at` names the member that holds a record's own values, where they are wrapped. Raises
    RuleError for a rule that cannot be applied, a record without such a member, or too many groups.
    """
    groups: list[Group] = []
    findings: list[Finding] = []
    for name, indices in _grouped(records, group_by).items():
        table = [_values(records[index], index, values_at) for index in indices]
        found = list(_findings(name, table, indices, rules))
        groups.append(Group(name, len(table), len(found)))
        findings += found
    return Examination(tuple(groups), tuple(findings))


def _findings(
    name: str, table: Sequence[Record], indices: Sequence[int], rules: Sequence[RuleBase]
) -> Iterable[Finding]:
    for rule in rules:
        for placed in rule.check(table):
            index = None if placed.index is None else indices[placed.index]
            yield Finding(name, index, rule.name, placed.fault)


def _grouped(records: Sequence[Record], group_by: Sequence[str]) -> Mapping[str, list[int]]:
    if not group_by:
        return {"": list(range(len(records)))}
    groups: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        groups.setdefault(_group_name(record, index, group_by), []).append(index)
        if len(groups) > MAX_GROUPS:
            raise RuleError(
                f"group_by {', '.join(group_by)} makes more than {MAX_GROUPS} groups; "
                "name fields that tell tables apart, not rows"
            )
    return groups


def _group_name(record: Record, index: int, group_by: Sequence[str]) -> str:
    parts = []
    for field in group_by:
        value = find(record, field)
        if value is MISSING or isinstance(value, dict | list):
            raise RuleError(f"record {index} has no plain value at {field!r} to be grouped by")
        parts.append(str(value))
    return " ".join(parts)


def _values(record: Record, index: int, values_at: str | None) -> Mapping[str, Any]:
    if values_at is None:
        return record
    values = find(record, values_at)
    if not isinstance(values, Mapping):
        raise RuleError(
            f"record {index} holds no object at {values_at!r} (found {shown(_plain(values))}); "
            "values_at names the member that holds each record's values"
        )
    return values


def _plain(value: object) -> object:
    return "nothing" if value is MISSING else value
