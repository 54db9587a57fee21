"""What expressions give, what is said of wrong ones, and which names they hold."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model.expression import (
    ExpressionError,
    evaluate,
    faults,
    fill,
    roots_named,
    steps_named,
    truth,
)

CONTEXT: dict[str, Any] = {
    "input": {"name": "김", "count": 3, "none": None, "list": [1, 2], "evil": "${{ run.id }}"},
    "run": {"id": "r1"},
    "steps": {
        "a": {"output": {"urls": ["u", "v"]}, "timing": {"ms": 1}},
        "b-c": {"output": None, "timing": None},
    },
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ input.count }}", 3),
        ("  ${{input.list}}\n", [1, 2]),
        ("${{ input.missing.deep }}", None),
        ("${{ steps.*.timing }}", [{"ms": 1}]),
        ('${{ steps."b-c".output }}', None),
        ("${{ steps.a.output.urls[:1] }}", ["u"]),
        ("${{ not_null(input.none, `20`) }}", 20),
        ("${{ input.none == null }}", True),
        ("${{ input.count > `2` }}", True),
        ("${{\n  input.count\n}}", 3),
        ("${{ {n: input.name} }}", {"n": "김"}),
        ("${{ input.name }}/${{ input.count }}", "김/3"),
        ("n=${{ input.list }} ${{ input.none }}", "n=[1, 2] null"),
        ("${{ run.id }}:a", "r1:a"),
        ("no expression, $5 and {{ braces }}", "no expression, $5 and {{ braces }}"),
        ("", ""),
    ],
)
def test_what_an_expression_gives(text: str, value: Any) -> None:
    assert evaluate(text, CONTEXT) == value


def test_expressions_are_found_in_all_values_and_in_no_key() -> None:
    value = {"a": ["${{ run.id }}", 1, None], "${{ run.id }}": {"b": "x${{ run.id }}"}}
    assert evaluate(value, CONTEXT) == {"a": ["r1", 1, None], "${{ run.id }}": {"b": "xr1"}}


def test_what_an_expression_gives_is_never_evaluated_again() -> None:
    assert evaluate("${{ input.evil }}", CONTEXT) == "${{ run.id }}"
    assert evaluate("<${{ input.evil }}>", CONTEXT) == "<${{ run.id }}>"


def test_each_part_of_a_path_is_encoded() -> None:
    assert fill("/a/${{ input.name }}/${{ input.list }}", CONTEXT, ascii) == "/a/'\\uae40'/'[1, 2]'"
    assert fill("/plain", CONTEXT, ascii) == "/plain"


@pytest.mark.parametrize("text", ["${{ length(input.count) }}", "${{ nothing(input) }}"])
def test_what_cannot_be_evaluated_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"^\$\{\{ (length|nothing)"):
        evaluate(text, CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "${{ to_number('nan') }}",
        "${{ sum([`1e308`, `1e308`]) }}",
        "${{ {deep: [to_number('-inf')]} }}",
        "n=${{ map(&to_number(@), ['1', 'nan']) }}",
    ],
)
def test_a_number_that_json_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="a number that JSON does not have"):
        evaluate(text, CONTEXT)
    assert evaluate("${{ to_number('1.5') }}", CONTEXT) == 1.5


def test_numbers_are_looked_for_however_deep_an_answer_is() -> None:
    deep: Any = 1.5
    for _ in range(5000):
        deep = [deep]
    assert evaluate("${{ {n: sum([`1`]), all: input} }}", {"input": deep})["n"] == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${{ input. }}", "${{ input. }}: "),
        ("${{ }}", "${{ }}: "),
        ("${{ steps.a-b }}", 'stands in double quotes: steps."my-step".output'),
        ("${{ input", "'${{ input': an opened ${{ has no }} to close it"),
        ({"a": [{"b": "${{ ) }}"}]}, "${{ ) }}: "),
    ],
)
def test_what_is_wrong_is_said(value: Any, said: str) -> None:
    found = faults(value)
    assert len(found) == 1
    assert said in found[0]
    assert "\n" not in found[0]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(faults(["${{ ( }} ${{ ) }}", {"a": "${{ ["}])) == 3
    assert faults({"a": "${{ input }}", "b": [1, None, "${{ run.id }} of"]}) == []


@pytest.mark.parametrize(
    ("text", "roots", "steps"),
    [
        ("none", set(), set()),
        ("${{ input }}", {"input"}, set()),
        ("${{ steps.a.output }}${{ run.id }}", {"steps", "run"}, {"a"}),
        ('${{ steps."b-c".output.steps.d }}', {"steps"}, {"b-c"}),
        ("${{ steps.*.timing }}", {"steps"}, set()),
        ("${{ steps.a.output.urls[0] }}", {"steps"}, {"a"}),
        ("${{ steps.a.output[?x == `1`].y[] | [0] }}", {"steps"}, {"a"}),
        ("${{ steps.a || steps.b }}", {"steps"}, {"a", "b"}),
        ("${{ {x: steps.a, y: [inptu.z]} }}", {"steps", "inptu"}, {"a"}),
        ("${{ input.x != null && !error }}", {"input", "null", "error"}, set()),
        ("${{ length(steps.a.output) > `3` }}", {"steps"}, {"a"}),
        ("${{ 'text' }}", set(), set()),
    ],
)
def test_the_names_in_an_expression(text: str, roots: set[str], steps: set[str]) -> None:
    assert roots_named([text]) == roots
    assert steps_named({"a": text}) == steps


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (None, False),
        (False, False),
        ("", False),
        ([], False),
        ({}, False),
        (True, True),
        ("x", True),
        ([0], True),
        ({"a": None}, True),
        (1, True),
    ],
)
def test_what_holds_as_a_condition(value: Any, holds: bool) -> None:
    assert truth(value) is holds


def test_zero_is_a_value_that_holds() -> None:
    assert truth(0)
    assert truth(0.0)
    assert not any(map(truth, (None, False, "", [], {})))


@pytest.mark.parametrize(
    "source", ["sort_by(input.list, &name)", "map(&x, input.list)", "input.a[?steps.x]"]
)
def test_what_is_asked_of_each_item_is_no_root_and_no_step(source: str) -> None:
    value = f"${{{{ {source} }}}}"
    assert roots_named(value) == {"input"}
    assert steps_named(value) == frozenset()
