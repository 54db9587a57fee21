"""What the services' own READMEs promise: every example in them runs, and answers what is shown."""

from __future__ import annotations

import re

import pytest

from tests.e2e.e2e_support import PORTS, ROOT, Home, shell
from tests.e2e.readme_examples import examples, unlike


@pytest.fixture(scope="module")
def stack(machine: Home) -> Home:
    """The home stack; the examples of one service leave the others as they are."""
    shell("make up")
    machine.wait_healthy()
    return machine


@pytest.mark.parametrize("service", PORTS)
def test_every_example_runs_and_answers_what_is_shown(stack: Home, service: str) -> None:
    folder = ROOT / "images" / service
    markdown = (folder / "README.md").read_text("utf-8")
    found = examples(markdown)
    asked = set(re.findall(r"localhost:(\d+)", found.script))
    assert str(PORTS[service]) in asked, "the README shows no request to its own service"
    assert asked <= {str(port) for port in PORTS.values()}
    printed = shell(found.script, cwd=folder, timeout=120).out
    assert unlike(found, printed) == []
