"""docs/cli.md tells of every command and every option, and of none that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from controller.cli.app import app
from tests.unit.cli.fakes import ROOT

DOCS = (ROOT / "docs" / "cli.md").read_text("utf-8")


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its full name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
        return
    for name, child in inner.items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))
SECTION = re.compile(r"^### `heal7 ([a-z ]+[a-z])[^`]*`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
SECTIONS: dict[str, str] = dict(SECTION.findall(DOCS))


def test_the_same_commands() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_told_of(name: str) -> None:
    options = {
        spelling
        for parameter in COMMANDS[name].params
        for spelling in parameter.opts
        if spelling.startswith("-") and spelling not in ("-h", "--help")
    }
    documented = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", SECTIONS[name]))
    assert options <= documented
    assert {o for o in documented if o.startswith("--")} <= options | {"--help"}


def test_options_before_the_command_are_told_of() -> None:
    root = typer.main.get_command(app)
    for parameter in root.params:
        assert all(f"`{o}" in DOCS for o in parameter.opts), parameter.opts
