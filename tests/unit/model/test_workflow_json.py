"""A definition comes back from the journal exactly as it went in, or not at all."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.workflow import Call, Concurrency, Definition, OnLimit, Retry, Step
from controller.model.workflow_json import definition_from_json, definition_to_json, hashed

_numbers = st.floats(0, 1e9)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_calls = st.builds(Call, st.text(), st.text(), _json, st.none() | st.text())
_steps = st.builds(
    Step,
    id=st.text(),
    service=st.text(),
    call=_calls,
    needs=st.lists(st.text(), max_size=3).map(tuple),
    when=_json,
    retry=st.builds(Retry, st.integers(1, 100), _numbers, _numbers),
    timeout_s=_numbers,
    undo=st.none() | _calls,
    start=st.booleans(),
)
_definitions = st.builds(
    Definition,
    name=st.text(),
    steps=st.lists(_steps, max_size=4).map(tuple),
    hash=st.text(),
    description=st.dictionaries(st.text(), st.text(), max_size=2),
    timeout_s=_numbers,
    output=_json,
    input_schema=st.none() | st.dictionaries(st.text(), _json, max_size=3),
    schedule=st.none() | st.text(),
    concurrency=st.none()
    | st.builds(Concurrency, st.integers(1, 1000), st.sampled_from(list(OnLimit))),
)

_STEP = Step(
    id="one",
    service="web",
    call=Call("POST", "/actions/make", {"a": ["${{ input }}"]}, "make"),
    needs=("zero",),
    when="${{ input.a }}",
    undo=Call("DELETE", "/made"),
    start=True,
)
FULL = hashed(
    Definition(
        name="full",
        steps=(Step("zero", "web", Call("GET", "/")), _STEP),
        hash="",
        description={"ko": "가득", "en": "full"},
        output={"b": 1.5},
        input_schema={"type": "object"},
        schedule="0 3 * * *",
        concurrency=Concurrency(4, OnLimit.REJECT),
    )
)


@given(_definitions)
def test_every_definition_comes_back_as_it_was(definition: Definition) -> None:
    stored = json.dumps(definition_to_json(definition))
    assert definition_from_json(json.loads(stored)) == definition


_WRONG: dict[type, Any] = {
    str: 3, int: 1.5, float: "1", bool: 1, dict: [], list: {}, type(None): 3,
}  # fmt: skip
# What people may write anything into.
_FREE = {"input", "when", "output", "input_schema", "description"}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a stored definition whose kind is settled."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, child in value.items():
            if key not in _FREE:
                yield from places(child, (*path, key))
    elif isinstance(value, list):
        for at, child in enumerate(value):
            yield from places(child, (*path, at))


PLACES = list(places(definition_to_json(FULL)))


def altered(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(definition_to_json(FULL))
    node: Any = raw
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return raw


def test_the_places_are_all_there() -> None:
    assert len(PLACES) > 40
    assert ("steps", 1, "retry", "attempts") in PLACES


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_another_kind_of_value_is_refused(path: tuple[str | int, ...]) -> None:
    node: Any = definition_to_json(FULL)
    for step in path:
        node = node[step]
    with pytest.raises(ValueError, match=re.escape(str(path[-1]))):
        definition_from_json(altered(path, _WRONG[type(node)]))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_missing_and_an_unknown_key_are_refused(path: tuple[str | int, ...]) -> None:
    raw: Any = definition_to_json(FULL)
    node = raw
    for step in path[:-1]:
        node = node[step]
    if isinstance(node[path[-1]], dict):
        with pytest.raises(ValueError, match="unknown later"):
            definition_from_json(altered((*path, "later"), 1))
    if isinstance(path[-1], str):
        del node[path[-1]]
        with pytest.raises(ValueError, match=f"{path[-1]} is missing"):
            definition_from_json(raw)


@pytest.mark.parametrize("raw", [None, [], "x", 3])
def test_what_is_no_definition_at_all_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="definition: no object"):
        definition_from_json(raw)


def test_a_boolean_is_no_number() -> None:
    for path in (("timeout_s",), ("steps", 0, "retry", "attempts"), ("concurrency", "limit")):
        with pytest.raises(ValueError, match="number but bool"):
            definition_from_json(altered(path, True))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"steps": (_STEP,)},
        {"steps": (replace(_STEP, call=replace(_STEP.call, input=None)), *FULL.steps[:1])},
        {"steps": (FULL.steps[0], replace(_STEP, undo=None))},
        {"timeout_s": 1.0},
        {"output": None},
        {"input_schema": None},
        {"schedule": None},
        {"concurrency": Concurrency(5)},
    ],
)
def test_the_hash_is_of_all_that_is_meant(change: dict[str, Any]) -> None:
    changed = hashed(replace(FULL, **change))
    assert changed.hash != FULL.hash
    assert len(changed.hash) == 64


def test_the_hash_is_not_of_the_description_nor_of_the_order_of_keys() -> None:
    assert hashed(replace(FULL, description={})).hash == FULL.hash
    one = replace(FULL, output={"a": 1, "b": 2})
    other = replace(FULL, output={"b": 2, "a": 1})
    assert hashed(one).hash == hashed(other).hash
    assert hashed(hashed(one)).hash == hashed(one).hash
