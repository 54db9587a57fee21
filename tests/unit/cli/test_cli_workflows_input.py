"""What a run is given: files read whole or refused with file and line, single values in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.cli.errors import UsageFault
from controller.cli.run_input import load, parse, with_value


def nothing() -> str:
    pytest.fail("standard input was not asked for")


def test_without_anything_it_is_an_empty_object() -> None:
    assert load(None, [], stdin=nothing) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null], "b": "no"}', {"a": [1, 2.5, None], "b": "no"}),
        ("\ufeff[1]", [1]),
        ("3", 3),
        ("a: no\nb: 22:22\nd: 2026-01-02\n", {"a": "no", "b": "22:22", "d": "2026-01-02"}),
        ("{a: 1}", {"a": 1}),
        ("", {}),
    ],
)
def test_json_and_yaml_are_read(text: str, value: Any) -> None:
    assert parse(text, "in.yaml") == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("in.json", '{"a": 1,\n "b" 2}', "in.json:2: not valid JSON: Expecting ':' delimiter"),
        ("in.json", "a: 1", "in.json:1: not valid JSON"),
        ("in.json", '{"a": NaN}', "in.json:1: not valid JSON: NaN is no number"),
        ("standard input", '{"a": 1,\n\n]', "standard input:3: not valid JSON"),
        ("in.yaml", "a: 1\nb: [1\n", "in.yaml:3: not valid YAML"),
        ("in.yaml", "a: 1\na: 2\n", "in.yaml:2: "),
        ("in.yaml", "a: .inf\n", "in.yaml: it holds a number that JSON does not have"),
        ("in.json", "[" * 100_000, "in.json:1: "),
    ],
)
def test_what_cannot_be_read_names_file_and_line(name: str, text: str, said: str) -> None:
    with pytest.raises(UsageFault) as refused:
        parse(text, name)
    assert refused.value.sentence.startswith(said)
    assert refused.value.exit_code == 2


def test_a_file_standard_input_and_single_values(tmp_path: Path) -> None:
    path = tmp_path / "in.yaml"
    path.write_text("person: {name: 김, year: 1990}\nlist: [1, 2]\n", "utf-8")
    settings = ["person.year=1991", "person.note=a=b c", "deep.er=[true]", "list.1=x"]
    assert load(str(path), settings, stdin=nothing) == {
        "person": {"name": "김", "year": 1991, "note": "a=b c"},
        "list": [1, "x"],
        "deep": {"er": [True]},
    }
    assert load("-", ["a="], stdin=lambda: '{"a": 1}') == {"a": ""}


@pytest.mark.parametrize(
    ("given", "setting", "said"),
    [
        ({}, "a.b", "is not of the form"),
        ({}, "=1", "is not of the form"),
        ({}, "a..b=1", "is not of the form"),
        ({"a": 1}, "a.b=1", "'b' cannot be set in a single value"),
        ({"a": [1]}, "a.1=1", "'1' cannot be set in a list"),
        ([1], "a=1", "'a' cannot be set in a list"),
    ],
)
def test_a_value_that_has_no_place_is_refused(given: Any, setting: str, said: str) -> None:
    with pytest.raises(UsageFault, match=said):
        with_value(given, setting)


def test_setting_a_value_leaves_what_was_given_alone() -> None:
    given = {"a": {"b": 1}}
    assert with_value(given, "a.b=2") == {"a": {"b": 2}}
    assert given == {"a": {"b": 1}}


def test_a_file_that_is_not_there_or_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="cannot be read: No such file"):
        load(str(tmp_path / "none.json"), [], stdin=nothing)
    wrong = tmp_path / "wrong.json"
    wrong.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UsageFault, match="not UTF-8"):
        load(str(wrong), [], stdin=nothing)
