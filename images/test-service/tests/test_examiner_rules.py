"""Each rule finds its own kind of fault and keeps silent about everything else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from examiner.examine import examine
from examiner.faults import MISSING, find
from examiner.regexes import RuleError
from examiner.rules import Rule

RULE = TypeAdapter(Rule)


def faults(rule: dict[str, Any], *records: dict[str, Any]) -> list[tuple[int | None, str, str]]:
    found = examine(records, [RULE.validate_python(rule)]).findings
    return [(f.index, f.fault.field, f.fault.message) for f in found]


@pytest.mark.parametrize(
    ("rule", "good", "bad", "message"),
    [
        ({"rule": "equals", "value": "a"}, "a", "b", "must be 'a'"),
        ({"rule": "equals", "value": 1}, 1.0, True, "must be 1"),
        ({"rule": "equals", "value": [1, 2]}, [1, 2], [2, 1], "must be [1, 2]"),
        ({"rule": "one_of", "values": ["a", 1]}, 1, True, "must be one of ['a', 1]"),
        ({"rule": "range", "min": 1, "max": 2}, 2, 2.1, "must lie in 1 to 2"),
        ({"rule": "range", "min": 0}, 10**400, float("nan"), "must lie in 0 to …"),
        ({"rule": "range", "max": 5}, -1, "5", "must be a number"),
        ({"rule": "range", "max": 5}, 0, True, "must be a number"),
        ({"rule": "length", "min": 1}, [0], [], "has length 0, not in 1 to …"),
        ({"rule": "length", "max": 2}, "ab", 3, "must be text or a list"),
        ({"rule": "pattern", "pattern": "[0-9]+"}, "12", "12a", "does not match [0-9]+"),
        ({"rule": "pattern", "pattern": "[0-9]+"}, "12", 12, "must be text"),
        ({"rule": "date"}, "2024-02-29", "2025-02-29", "is no date (YYYY-MM-DD)"),
        ({"rule": "date"}, "2024-02-29", "20240229", "is no date (YYYY-MM-DD)"),
        ({"rule": "time"}, "23:59", "17:60", "is no time of day (HH:MM, 00:00 to 23:59)"),
        ({"rule": "time"}, "00:00", "24:00", "is no time of day (HH:MM, 00:00 to 23:59)"),
        ({"rule": "time"}, "09:00", "٠٩:00", "is no time of day (HH:MM, 00:00 to 23:59)"),
    ],
)
def test_a_value_rule(rule: dict[str, Any], good: Any, bad: Any, message: str) -> None:
    rule = rule | {"field": "x"}
    assert faults(rule, {"x": good}, {"x": bad}, {"x": None}, {}) == [(1, "x", message)]


def test_required_alone_complains_of_absence() -> None:
    rule = {"rule": "required", "fields": ["a", "b"]}
    records = ({"a": 0, "b": False}, {"a": None, "b": " "}, {"b": []})
    assert faults(rule, *records) == [
        (1, "a", "is required"),
        (1, "b", "is required"),
        (2, "a", "is required"),
    ]


def test_a_pair_is_about_known_names_only() -> None:
    rule = {"rule": "pair", "field": "name", "other": "code", "pairs": {"one": "1"}}
    records = (
        {"name": "one", "code": "1"},
        {"name": "one", "code": "2"},
        {"name": "two", "code": "1"},
        {"name": ["one"], "code": "1"},
    )
    assert faults(rule, *records) == [(1, "code", "one goes with 1")]


def test_unique_names_each_repetition_and_tells_1_from_text() -> None:
    rule = {"rule": "unique", "fields": ["x"]}
    records = ({"x": 1}, {"x": "1"}, {"x": 1}, {"x": [1]}, {"x": [1]}, {}, {"x": None})
    assert [index for index, _, _ in faults(rule, *records)] == [2, 4]


def test_unique_over_two_fields() -> None:
    rule = {"rule": "unique", "fields": ["x", "y"]}
    records = ({"x": 1, "y": 1}, {"x": 1, "y": 2}, {"x": 1, "y": 1})
    assert faults(rule, *records) == [(2, "x, y", "repeats an earlier record")]


@pytest.mark.parametrize(("strict", "wrong"), [(False, [2]), (True, [1, 2])])
def test_ordered_compares_neighbours(strict: bool, wrong: list[int]) -> None:
    rule = {"rule": "ordered", "field": "d", "strict": strict}
    records = ({"d": "2"}, {"d": "2"}, {"d": "1"}, {}, {"d": "3"})
    assert [index for index, _, _ in faults(rule, *records)] == wrong


def test_ordered_says_when_values_cannot_be_compared() -> None:
    rule = {"rule": "ordered", "field": "d"}
    [(index, _, message)] = faults(rule, {"d": "2"}, {"d": 3})
    assert (index, message) == (1, "cannot be ordered after '2'")


def test_complete_is_about_the_whole() -> None:
    rule = {"rule": "complete", "field": "n", "values": ["a", "b", "b", "c"]}
    assert faults(rule, {"n": "b"}, {"n": 1}) == [
        (None, "n", "a is missing"),
        (None, "n", "c is missing"),
    ]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"rule": "nonsense"}, "does not match any of the expected tags"),
        ({"rule": "range", "field": "x"}, "give min, max or both"),
        ({"rule": "range", "field": "x", "min": 2, "max": 1}, "min 2 is above max 1"),
        ({"rule": "length", "field": "x", "min": 2, "max": 1}, "min 2 is above max 1"),
        ({"rule": "pattern", "field": "x", "pattern": "("}, "is no regular expression"),
        ({"rule": "required", "fields": []}, "at least 1 item"),
        ({"rule": "date", "field": "x", "zone": "KST"}, "Extra inputs"),
        ({"rule": "schema", "schema": {"type": "text"}}, "$.type"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_cause(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RULE.validate_python(rule)
    assert words in str(caught.value)


def test_a_slow_pattern_is_stopped() -> None:
    rule = {"rule": "pattern", "field": "x", "pattern": "(a|aa)+"}
    with pytest.raises(RuleError, match="needs more than"):
        faults(rule, {"x": "a" * 200 + "b"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a.b", "the key itself"),
        ("c.d", 1),
        ("c.list.1.e", 2),
        ("c.list.2.e", MISSING),
        ("c.list.-1", MISSING),
        ("c.d.e", MISSING),
        ("text.0", MISSING),
        ("", MISSING),
    ],
)
def test_where_a_field_leads(field: str, value: object) -> None:
    record = {"a.b": "the key itself", "c": {"d": 1, "list": [{}, {"e": 2}]}, "text": "xyz"}
    assert find(record, field) == value


def test_groups_are_examined_each_by_itself_with_indices_of_the_request() -> None:
    records = [
        {"url": "/1", "cells": {"n": "a"}},
        {"url": "/2", "cells": {"n": "a"}},
        {"url": "/2", "cells": {"n": "a"}},
    ]
    rule = RULE.validate_python({"rule": "unique", "fields": ["n"]})
    examination = examine(records, [rule], ["url"], "cells")
    assert [(g.name, g.records, g.errors) for g in examination.groups] == [
        ("/1", 1, 0),
        ("/2", 2, 1),
    ]
    [finding] = examination.findings
    assert (finding.group, finding.index) == ("/2", 2)


@pytest.mark.parametrize(
    ("records", "options", "words"),
    [
        ([{"x": 1}], {"group_by": ["url"]}, "record 0 has no plain value at 'url'"),
        ([{"x": [1]}], {"group_by": ["x"]}, "record 0 has no plain value at 'x'"),
        ([{"x": 1}], {"values_at": "cells"}, "record 0 holds no object at 'cells'"),
        ([{"x": i} for i in range(201)], {"group_by": ["x"]}, "more than 200 groups"),
    ],
)
def test_grouping_that_does_not_fit(
    records: list[dict[str, Any]], options: dict[str, Any], words: str
) -> None:
    rule = RULE.validate_python({"rule": "unique", "fields": ["x"]})
    with pytest.raises(RuleError, match=words):
        examine(records, [rule], **options)
