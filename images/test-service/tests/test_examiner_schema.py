"""JSON Schema says what is wrong, and no schema can reach the network or hold the process."""

from __future__ import annotations

from typing import Any

import pytest

from examiner.regexes import RuleError
from examiner.schema import Schema

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "born": {"type": "string", "format": "date"},
        "parent": {"$ref": "#"},
    },
    "additionalProperties": False,
}


def said(schema: dict[str, Any], record: Any) -> list[tuple[str, str]]:
    return [(fault.field, fault.message) for fault in Schema(schema).faults(record)]


def test_a_good_record_has_no_fault() -> None:
    assert said(PERSON, {"name": "kim", "born": "1992-10-24", "parent": {"name": "lee"}}) == []


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        ({}, "", "'name' is a required property"),
        ({"name": "Kim"}, "name", "does not match"),
        ({"name": "kim", "born": "1992-02-30"}, "born", "is not a 'date'"),
        ({"name": "kim", "parent": {"name": 1}}, "parent.name", "is not of type 'string'"),
        ({"name": "kim", "age": 3}, "", "Additional properties are not allowed"),
    ],
)
def test_a_fault_is_placed(record: dict[str, Any], field: str, words: str) -> None:
    [(where, message)] = said(PERSON, record)
    assert where == field
    assert words in message


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "text"}, r"\$\.type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft 2020-12"),
        ({"patternProperties": {"(a+)+$": {}}}, "schema.patternProperties is not supported"),
        ({"allOf": [{"$dynamicRef": "#x"}]}, r"schema.allOf.0.\$dynamicRef is not supported"),
    ],
)
def test_a_schema_that_is_refused(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleError, match=words):
        Schema(schema)


@pytest.mark.parametrize("ref", ["http://127.0.0.1:1/schema.json", "#/$defs/nobody", "other"])
def test_a_reference_never_leaves_the_schema(ref: str) -> None:
    with pytest.raises(RuleError, match="leads nowhere"):
        said({"$ref": ref}, {})


def test_a_reference_to_itself_is_stopped() -> None:
    with pytest.raises(RuleError, match=r"leads to itself|visits"):
        said({"$ref": "#"}, {})


def test_references_that_multiply_are_stopped() -> None:
    layers: dict[str, Any] = {
        f"l{i}": {"allOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 2} for i in range(40)
    }
    schema = {"$ref": "#/$defs/l0", "$defs": layers | {"l40": {"type": "object"}}}
    with pytest.raises(RuleError, match="visits"):
        said(schema, {})


def test_a_slow_pattern_in_a_schema_is_stopped() -> None:
    with pytest.raises(RuleError, match="needs more than"):
        said({"pattern": "^(a|aa)+$"}, "a" * 200 + "b")
