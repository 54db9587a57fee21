"""What a run is given: a JSON or YAML file and single values, read before the hub is asked.

Whether a workflow can use it is for the hub to say; that it can be read at all is said here, with
file and line. YAML is read as the configuration is: `no` is a text, and a key stands only once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controller.cli.errors import UsageFault
from controller.config.node import plain
from controller.config.yaml12 import read
from controller.errors import ConfigError

STDIN = "-"


def load(
    source: str | None, settings: Sequence[str], *, stdin: Callable[[], str] | None = None
) -> Any:
    """The input of a run: what `source` holds (an empty object without one), and over it each of
    `settings`. Raises UsageFault."""
    name = "standard input" if source == STDIN else str(source)
    given = {} if source is None else parse(_text(source, stdin or sys.stdin.read), name)
    for setting in settings:
        given = with_value(given, setting)
    return given


def parse(text: str, name: str) -> Any:
    """The value of a JSON or YAML text. Raises UsageFault that names file and line."""
    try:
        # A mark that some editors put first; neither reader takes it.
        return json.loads(text.removeprefix("\ufeff"), parse_constant=_no_number)
    except RecursionError:
        raise UsageFault(f"{name}:1: it is nested too deeply.") from None
    except ValueError as error:
        broken = error
    if name.endswith(".json"):
        raise _json_fault(name, broken)
    try:
        return _finite(plain(read(text, name)), name)
    except ConfigError as wrong:
        if text.lstrip().startswith(("{", "[")):
            raise _json_fault(name, broken) from None
        raise UsageFault(
            f"{wrong.faults[0]}.", remedy="The input is one JSON or YAML document."
        ) from None


def with_value(given: Any, setting: str) -> Any:
    """`given` with the value of `a.b=value` at its place. Raises UsageFault."""
    path, equals, text = setting.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise UsageFault(
            f"--set {setting!r} is not of the form a.b=value.",
            remedy="A value is JSON where it reads as JSON, else text.",
        )
    return _placed(given, keys, _value(text), path)


def _placed(into: Any, keys: Sequence[str], value: Any, path: str) -> Any:
    if not keys:
        return value
    first, *rest = keys
    if isinstance(into, list) and first.isdecimal() and int(first) < len(into):
        number = int(first)
        return [*into[:number], _placed(into[number], rest, value, path), *into[number + 1 :]]
    if not isinstance(into, dict):
        kind = "a list" if isinstance(into, list) else "a single value"
        raise UsageFault(f"--set {path}: {first!r} cannot be set in {kind}.")
    return {**into, first: _placed(into.get(first, {}), rest, value, path)}


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _text(source: str, stdin: Callable[[], str]) -> str:
    try:
        return stdin() if source == STDIN else Path(source).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UsageFault(f"{source}: it is not UTF-8 (byte {error.start}).") from error
    except OSError as error:
        raise UsageFault(f"{source} cannot be read: {error.strerror or error}.") from error


def _json_fault(name: str, error: ValueError) -> UsageFault:
    if isinstance(error, json.JSONDecodeError):
        where = f"{name}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno})"
    else:
        where = f"{name}:1: not valid JSON: {error}"
    return UsageFault(f"{where}.", remedy="The input is one JSON or YAML document.")


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _finite(value: Any, name: str) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise UsageFault(f"{name}: it holds a number that JSON does not have.") from None
    return value
