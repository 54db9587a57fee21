"""The strict YAML reader: YAML 1.2 types, lines of faults, and no patience with hostile input."""

from __future__ import annotations

import math
from typing import Any

import pytest

from controller.config.node import plain
from controller.config.yaml12 import read, read_documents, resolve_plain
from controller.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:22", "22:22"),
        ("1:30:00", "1:30:00"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("017", 15),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("08", 8.0),
        ("1_000", 1000),
        ("+12", 12),
        ("-3", -3),
        ("0", 0),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("2024-01-02", "2024-01-02"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("~", None),
        ("null", None),
        ("", None),
        ("1.2.3", "1.2.3"),
        ("18446744073709551615", 18446744073709551615),
        ("127.0.0.1:80:80", "127.0.0.1:80:80"),
        ("=", "="),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    found = resolve_plain(text)
    assert (found, type(found)) == (value, type(value))


def test_quoted_scalars_are_text() -> None:
    assert plain(read("a: '017'\nb: \"true\"\nc: !!str 12\n", "f")) == {
        "a": "017",
        "b": "true",
        "c": "12",
    }


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    tree = read("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 9\n", "f")
    assert plain(tree)["z"] == {"a": 9, "b": 2, "c": 4}


def test_every_node_knows_its_line() -> None:
    tree = read("services:\n  web:\n    ports:\n      - 1\n      - 2\n", "c.yaml")
    assert str(tree.where("services", "web")) == "c.yaml:2"
    assert str(tree.where("services", "web", "ports", 1)) == "c.yaml:5"
    assert str(tree.where("services", "web", "nothing")) == "c.yaml:2"


def test_a_name_is_found_in_a_list_of_pairs() -> None:
    tree = read("env:\n  - A=1\n  - B=2\n", "c.yaml")
    assert tree.where("env", "B").line == 3


def test_all_duplicate_keys_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "c.yaml")
    assert caught.value.faults == [
        "c.yaml:4: b.c: the key appears twice, first at line 3",
        "c.yaml:5: a: the key appears twice, first at line 1",
    ]


def test_documents_are_read_in_order_and_empty_ones_skipped() -> None:
    assert [plain(d) for d in read_documents("a: 1\n---\n---\nb: 2\n", "f")] == [{"a": 1}, {"b": 2}]


def test_an_empty_text_is_an_empty_mapping() -> None:
    assert plain(read("# nothing\n", "f")) == {}


def test_a_byte_anchored_as_key_can_be_used_as_key() -> None:
    assert plain(read("&k name: 1\nother: {*k : 2}\n", "f")) == {"name": 1, "other": {"name": 2}}


ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALIAS_BOMB, "aliases are expanded"),
        ("[" * 500, "levels deep"),
        ("{a: " * 500, "levels deep"),
        ("- " * 5000, "levels deep"),
        ("a: " * 2000, "not valid YAML"),
        ("a: &a [*a]", "refers to itself"),
        ("a: &a {b: *a}", "refers to itself"),
        ("a: &a {<<: *a}", "refers to itself"),
        ("a: *nowhere", "has no anchor"),
        ("a: &x 1\nb: [" + ",".join(["*x"] * 2500) + "]", "more than 2000 aliases"),
        ("x" * 300_000, "characters"),
        ("a: [" + ",".join("1" * 120_000) + "]", "too much"),
        ("a: !!python/object/apply:os.system [id]", "unknown tag"),
        ("a: !include b.yaml", "unknown tag"),
        ("? [a, b]\n: 1", "a key must be text"),
        ("1: a", "not text; quote it"),
        ("true: a", "not text; quote it"),
        ("~: a", "not text; quote it"),
        ("a: b: c", "not valid YAML"),
        ("a: 'x", "not valid YAML"),
        ("a:\n\t- b", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("a: }", "not valid YAML"),
        ("<<: 5", "<< takes a mapping"),
        ("%YAML 3.0\n---\na: 1", "not valid YAML"),
        ("a: 1\n---\nb: 2", "a second document"),
    ],
)
def test_hostile_or_broken_text_is_a_config_error_with_a_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "bad.yaml")
    assert said in caught.value.detail
    assert all(fault.startswith("bad.yaml:") for fault in caught.value.faults)


def test_the_alias_bomb_is_as_small_as_they_come() -> None:
    assert len(ALIAS_BOMB) < 400
