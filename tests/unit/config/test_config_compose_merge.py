"""Several compose files become one, key by key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from config_helpers import FOLDER, compile_texts, faults_of, web_text


def merged(*bodies: str) -> dict[str, Any]:
    texts = [web_text(body) for body in bodies]
    found: dict[str, Any] = compile_texts(*texts).model["services"]["web"]
    return found


CASES: list[tuple[str, str, str, Any]] = [
    ("user: a", "user: b", "user", "b"),
    ("user: a", "hostname: h", "user", "a"),
    ("command: [a, b]", "command: [c]", "command", ["c"]),
    ("command: [a]", "command:", "command", None),
    ("entrypoint: a b", "entrypoint: []", "entrypoint", []),
    ("environment: {A: 1, B: 2}", "environment: [B=3, C=4]", "environment",
     {"A": "1", "B": "3", "C": "4"}),
    ("labels: [a=1]", "labels: {b: 2}", "labels", {"a": "1", "b": "2"}),
    ("expose: [80]", "expose: [81, 80]", "expose", ["80", "81"]),
    ("cap_add: [A]", "cap_add: [B, A]", "cap_add", ["A", "B"]),
    ("dns: 1.1.1.1", "dns: [2.2.2.2]", "dns", ["1.1.1.1", "2.2.2.2"]),
    ("tmpfs: /a", "tmpfs: /b", "tmpfs", ["/a", "/b"]),
    ("extra_hosts: ['a:1.1.1.1']", "extra_hosts: {b: 2.2.2.2}", "extra_hosts",
     ["a=1.1.1.1", "b=2.2.2.2"]),
    ("networks: [default]", "networks: {default: {aliases: [x]}}", "networks",
     {"default": {"aliases": ["x"]}}),
    ("healthcheck: {test: a, retries: 1}", "healthcheck: {test: b}", "healthcheck",
     {"test": ["CMD-SHELL", "b"], "retries": 1}),
    ("healthcheck: {test: [CMD, a]}", "healthcheck: {test: [CMD, b]}", "healthcheck",
     {"test": ["CMD", "b"]}),
    ("logging: {driver: a, options: {x: y}}", "logging: {driver: a, options: {z: w}}", "logging",
     {"driver": "a", "options": {"x": "y", "z": "w"}}),
    ("logging: {driver: a, options: {x: y}}", "logging: {driver: b}", "logging", {"driver": "b"}),
    ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 5}", "ulimits", {"nofile": 5}),
    ("sysctls: [a=1]", "sysctls: {a: 2}", "sysctls", {"a": "2"}),
    ("build: .", "build: {dockerfile: D}", "build", {"context": FOLDER, "dockerfile": "D"}),
    ("environment: {A: 1}", "environment: !reset {}", "environment", None),
    ("ports: ['80:80']", "ports: !override ['81:81']", "ports",
     [{"mode": "ingress", "target": 81, "published": "81", "protocol": "tcp"}]),
    ("environment: {A: 1, B: 2}", "environment: {A: !reset null}", "environment", {"B": "2"}),
    ("environment: {A: 1}", "environment: !override {B: 2}", "environment", {"B": "2"}),
    ("user: a", "user: !reset null", "user", None),
    # a variable without a value is said, and takes the place of one that has a value
    ("environment: [A=1, B=2]", "environment: [B]", "environment", {"A": "1", "B": None}),
    ("environment: {A: 1}", "environment: {A: }", "environment", {"A": None}),
    ("labels: {b: 2}", "labels: [b]", "labels", {"b": ""}),
    ("build: {args: {A: 1, B: 2}}", "build: {args: [A]}", "build",
     {"context": FOLDER, "dockerfile": "Dockerfile", "args": {"B": "2"}}),
    ("build: {tags: [t], extra_hosts: [a=1]}", "build: {tags: [t, u], extra_hosts: [a=1]}", "build",
     {"context": FOLDER, "dockerfile": "Dockerfile", "tags": ["t", "u"], "extra_hosts": ["a=1"]}),
    ("networks: {default: {aliases: [x]}}", "networks: {default: {aliases: [x, y]}}", "networks",
     {"default": {"aliases": ["x", "y"]}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "over", "key", "expected"), CASES, ids=[f"{c[0]} + {c[1]}" for c in CASES]
)
def test_two_files_merge(base: str, over: str, key: str, expected: Any) -> None:
    assert merged(base, over).get(key) == expected


def test_mounts_merge_by_target() -> None:
    found = merged("volumes: ['./a:/x', './b:/y']", "volumes: [{type: tmpfs, target: /x}]")
    assert [(m["type"], m["target"]) for m in found["volumes"]] == [("tmpfs", "/x"), ("bind", "/y")]


def test_ports_stay_unique() -> None:
    found = merged("ports: ['80:80', '443:443']", "ports: ['80:80', '81:80']")
    assert [p["published"] for p in found["ports"]] == ["80", "443", "81"]


def test_dependencies_merge_over_both_syntaxes() -> None:
    base = "services: {a: {image: i, depends_on: [b]}, b: {image: i}, c: {image: i}}"
    over = "services: {a: {depends_on: {c: {condition: service_healthy}}}}"
    found = compile_texts(base, over).model["services"]["a"]["depends_on"]
    assert {name: entry["condition"] for name, entry in found.items()} == {
        "b": "service_started",
        "c": "service_healthy",
    }


def test_a_key_that_must_be_there_may_come_from_another_file() -> None:
    base = "services: {a: {image: i, depends_on: {b: {condition: service_healthy}}}, b: {image: i}}"
    found = compile_texts(base, "services: {a: {depends_on: {b: {required: false}}}}")
    assert found.model["services"]["a"]["depends_on"]["b"] == {
        "condition": "service_healthy",
        "required": False,
    }


def test_a_key_that_is_reset_away_is_missed() -> None:
    body = "volumes: [{type: !reset bind, source: ./a, target: /b}]"
    assert "services.web.volumes[0]: the key type is missing" in faults_of(web_text(body))[0]


def test_three_files_merge_left_to_right() -> None:
    assert merged("user: a\nhostname: a", "user: b", "user: c") == merged("user: c\nhostname: a")


def test_a_late_fault_names_the_file_that_said_it() -> None:
    faults = faults_of(web_text("user: a"), web_text("networks: [gone]"))
    assert faults[0].startswith(f"{FOLDER}/c1.yaml:4: services.web.networks")


def test_merging_unlike_things_is_refused() -> None:
    faults = faults_of(web_text("x-a: 1\nbuild: {args: [A=1]}"), web_text("build: {args: {A: 2}}"))
    assert faults == []
    faults = faults_of(web_text("x-a: {b: 1}"), web_text("x-a: [1]"))
    assert "cannot be merged" in faults[0]


def test_normalising_what_is_normal_changes_nothing() -> None:
    first = compile_texts(web_text("ports: ['80:80']\ntmpfs: /x\nmem_limit: 1m\ndns: 1.1.1.1"))
    again = compile_texts(json.dumps(first.model))
    assert again.model == first.model
