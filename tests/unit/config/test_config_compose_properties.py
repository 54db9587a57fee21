"""What holds for every compose file, good or bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.cli.compose import escaped
from controller.config.compose.merge import merge_all
from controller.config.node import Node, Report, plain
from controller.config.yaml12 import read
from controller.errors import ConfigError
from tests.unit.config.compose_corpus import BODIES, file_of
from tests.unit.config.compose_mutants import mutants
from tests.unit.config.config_helpers import compile_texts

QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)


def model_of(text: str) -> dict[str, Any] | None:
    """The model as it is printed, None where the file is refused."""
    try:
        found: dict[str, Any] = escaped(compile_texts(text, project="demo").model)
    except ConfigError:
        return None
    return found


@pytest.mark.parametrize("body", BODIES)
def test_normalising_twice_changes_nothing(body: str) -> None:
    once = model_of(file_of(body))
    # The print of an empty network_mode is that of a service which says nothing of networks.
    if once is None or body == 'network_mode: ""':
        return
    assert model_of(_readable(once)) == once


def _readable(model: dict[str, Any]) -> str:
    """The printed model as a file, the reference's own names of block limits taken back."""
    text = json.dumps(model)
    for name in ("Path", "Rate", "Weight"):
        text = text.replace(f'"{name}":', f'"{name.lower()}":')
    return text


def tree(body: str) -> Node:
    return read(f"services: {{web: {{{', '.join(_flow(body))}}}}}", "t.yaml")


def _flow(body: str) -> list[str]:
    loaded = yaml.safe_load(body) or {}
    return [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in loaded.items()]


MERGEABLE = [
    body
    for body in BODIES
    if not any(word in body for word in ("!reset", "!override", "null", "logging", "0x10", "\n"))
]


@QUIET
@given(st.lists(st.sampled_from(MERGEABLE), min_size=3, max_size=3))
def test_laying_files_over_one_another_is_associative(bodies: list[str]) -> None:
    a, b, c = (tree(body) for body in bodies)

    def merged(*trees: Node) -> tuple[Node, list[str]]:
        report = Report(partial=True)
        return merge_all(list(trees), report), report.faults

    left, faults_left = merged(merged(a, b)[0], c)
    right, faults_right = merged(a, merged(b, c)[0])
    if not (faults_left or faults_right or merged(a, b)[1] or merged(b, c)[1]):
        assert plain(left) == plain(right)


@QUIET
@given(st.lists(st.sampled_from(BODIES), min_size=1, max_size=4, unique_by=lambda b: b[:4]))
def test_keys_beside_one_another_do_not_disturb_the_reading(bodies: list[str]) -> None:
    found = model_of(file_of(*bodies))
    if found is not None:
        assert set(found["services"]) >= {"b"}


@QUIET
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    model_of(text)
    model_of(file_of(f"command: {text}"))
    model_of(file_of(f"labels: [{json.dumps(text)}]"))


def test_two_thousand_mutants_are_read_or_refused() -> None:
    for text in mutants(seed=1, count=2000):
        model_of(text)
