"""From a JSON Schema to a form and from what is posted back to the input that was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.dashboard import form
from controller.dashboard.form import Kind, Reading

SCHEMA: dict[str, Any] = {
    "type": ["object", "null"],
    "required": ["name", "count"],
    "anyOf": [{"required": ["name"]}, {"required": ["size"]}],
    "properties": {
        "name": {"type": "string", "title": "Name", "x-title-ko": "이름", "description": "Who",
                 "x-description-ko": "누구", "examples": ["kim"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "size": {"type": ["number", "null"]},
        "loud": {"type": "boolean", "default": True},
        "tone": {"enum": ["low", "high", 1, "1", None], "default": 1},
        "urls": {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]},
        "place": {"type": "object", "required": ["city"],
                  "properties": {"city": {"type": "string"}, "a/b~c": {"type": "integer"}}},
        "odd": {"type": "array", "items": {"type": "object"}},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "api_key": {"type": "string", "default": "hunter2"},
    },
}  # fmt: skip


def by_name(found: tuple[form.Field, ...]) -> dict[str, form.Field]:
    return {field.name: field for outer in found for field in (outer, *outer.fields)}


def test_every_property_has_the_field_that_fits() -> None:
    kinds = {name: field.kind for name, field in by_name(form.fields(SCHEMA, "en")).items()}
    assert kinds == {
        "/name": Kind.TEXT, "/count": Kind.INTEGER, "/size": Kind.NUMBER, "/loud": Kind.BOOLEAN,
        "/tone": Kind.CHOICE, "/urls": Kind.LIST, "/place": Kind.GROUP, "/place/city": Kind.TEXT,
        "/place/a~1b~0c": Kind.INTEGER, "/odd": Kind.JSON, "/either": Kind.JSON,
        "/api_key": Kind.TEXT,
    }  # fmt: skip


def test_labels_help_and_limits_come_from_the_schema_in_the_readers_language() -> None:
    english, korean = (by_name(form.fields(SCHEMA, lang)) for lang in ("en", "ko"))
    assert (english["/name"].label, english["/name"].help) == ("Name", "Who")
    assert (korean["/name"].label, korean["/name"].help) == ("이름", "누구")
    assert english["/name"].required
    assert english["/name"].example == "kim"
    assert english["/place/a~1b~0c"].label == "a/b~c"
    count = english["/count"]
    assert (count.least, count.most, count.value, count.required) == ("1", "9", "3", True)
    assert not english["/size"].required


def test_defaults_are_filled_in_but_never_a_secret() -> None:
    shown = {name: field.value for name, field in by_name(form.fields(SCHEMA, "en")).items()}
    assert shown["/loud"] == "true"
    # The number 1, not the text.
    assert shown["/tone"] == "2"
    assert shown["/urls"] == "a\nb"
    assert shown["/api_key"] == ""
    assert by_name(form.fields(SCHEMA, "en"))["/api_key"].secret


def test_what_is_posted_becomes_the_input() -> None:
    posted = {
        "/name": [" kim "], "/count": ["4"], "/size": ["2.5"], "/loud": ["false"], "/tone": ["3"],
        "/urls": ["http://a\r\n\r\n http://b \r\n"], "/place/city": ["서울"],
        "/place/a~1b~0c": ["7"], "/odd": ['[{"a": 1}]'], "/either": ['"x"'], "/nothing": ["x"],
    }  # fmt: skip
    assert form.read(SCHEMA, posted) == Reading(
        {
            "name": " kim ", "count": 4, "size": 2.5, "loud": False, "tone": "1",
            "urls": ["http://a", "http://b"], "place": {"city": "서울", "a/b~c": 7},
            "odd": [{"a": 1}], "either": "x",
        },
        {},
    )  # fmt: skip


def test_what_is_empty_is_left_out_and_what_is_required_is_missed() -> None:
    assert form.read(SCHEMA, {"/size": [""], "/urls": [" \r\n"], "/place/city": [""]}) == Reading(
        {},
        {
            "/name": "ui.workflow.form.required",
            "/count": "ui.workflow.form.required",
            "/place/city": "ui.workflow.form.required",
        },
    )


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("/count", "four", "integer"),
        ("/count", "1.5", "integer"),
        ("/count", "9" * 5000, "integer"),
        ("/size", "nan", "number"),
        ("/size", "1e999", "number"),
        ("/tone", "9", "choice"),
        ("/tone", "low", "choice"),
        ("/odd", "{", "json"),
        ("/odd", "NaN", "json"),
        ("/odd", "[" * 100_000, "json"),
    ],
)
def test_what_cannot_be_read_is_named_and_kept_for_correction(
    name: str, text: str, fault: str
) -> None:
    posted = {"/name": ["kim"], "/count": ["1"], "/place/city": ["x"]} | {name: [text]}
    assert form.read(SCHEMA, posted).faults == {name: f"ui.workflow.form.{fault}"}
    again = by_name(form.fields(SCHEMA, "en", posted, {name: "No."}))
    assert (again[name].value, again[name].fault) == (text, "No.")


def test_a_posted_secret_is_not_sent_back() -> None:
    again = by_name(form.fields(SCHEMA, "en", {"/api_key": ["hunter2"], "/name": ["kim"]}))
    assert (again["/api_key"].value, again["/name"].value) == ("", "kim")


@pytest.mark.parametrize(
    "schema",
    [None, {}, True, {"type": "array"}, {"type": "object"}, {"oneOf": [{"type": "object"}]}],
)
def test_what_is_no_group_is_one_box_for_json(schema: Any) -> None:
    usable = schema if isinstance(schema, dict) else None
    (box,) = form.fields(usable, "en")
    assert (box.name, box.kind) == (form.WHOLE, Kind.JSON)
    assert form.read(usable, {form.WHOLE: ['{"a": [1]}']}) == Reading({"a": [1]}, {})
    assert form.read(usable, {}) == Reading(None, {})


def test_an_optional_group_that_stays_empty_is_not_meant() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    optional = {"type": "object", "properties": {"g": inner}}
    assert form.read(optional, {"/g/a": [""]}).value == {}
    assert form.read(optional | {"required": ["g"]}, {}).value == {"g": {}}


def test_faults_of_the_hubs_check_stand_at_their_field() -> None:
    names = form.names(form.fields(SCHEMA, "en"))
    at, others = form.placed(
        ["input.name: 'x' is too short", "input.place.city: no", "input.urls.3: not a URL",
         "input: more is required", "input.other: unknown", "Idempotency-Key: bad"],
        names,
    )  # fmt: skip
    assert at == {"/name": "'x' is too short", "/place/city": "no", "/urls": "not a URL"}
    assert others == ("input: more is required", "input.other: unknown", "Idempotency-Key: bad")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


KEYS = ("type", "properties", "items", "enum", "default", "title", "required", "anyOf", "const",
        "minimum", "examples")  # fmt: skip
SCHEMAS = st.dictionaries(st.sampled_from(KEYS), JSON)
POSTED = st.dictionaries(st.text(max_size=4), st.lists(st.text(max_size=5), max_size=2))


@given(SCHEMAS, POSTED)
def test_no_schema_breaks_the_page(schema: dict[str, Any], posted: dict[str, list[str]]) -> None:
    whole = {"type": "object", "properties": {"x": schema, "y": {"type": "string"}}}
    for one in (schema, whole):
        assert form.fields(one, "ko")
        json.dumps(form.read(one, posted).value)
