"""Converters of single values into canonical form, and the context they share.

They take nodes that have passed `schema.py`, so a value of the wrong kind does not reach them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.config.compose import shapes
from controller.config.compose.rebase import absolute
from controller.config.compose.units import (
    format_duration,
    go_text,
    parse_bytes,
    parse_duration,
)
from controller.config.node import Node, Report, plain


@dataclass(slots=True)
class Room:
    """How many single ports the ranges of a whole stack may still expand to."""

    ports: int = 65_536

    def take(self, count: int) -> None:
        """Raises ValueError when the room is used up."""
        self.ports -= count
        if self.ports < 0:
            raise ValueError("the port ranges of the stack hold more than 65536 ports in all")


@dataclass(frozen=True, slots=True)
class Context:
    """What the canonical form depends on beside the tree: the environment and where paths start.

    `key` is the dotted key under conversion, for messages.
    """

    project_directory: str
    env: Mapping[str, str]
    report: Report
    key: str = ""
    room: Room = field(default_factory=Room)

    def at(self, key: str) -> Context:
        """The same context, at a key that faults are told by."""
        return Context(self.project_directory, self.env, self.report, key, self.room)

    def fault(self, node: Node, text: str) -> None:
        """A fault at the node's line, under the key of this context."""
        self.report.fault(node.mark, f"{self.key}: {text}")

    def warn(self, node: Node, text: str) -> None:
        """A warning at the node's line, under the key of this context."""
        self.report.warn(node.mark, f"{self.key}: {text}")

    def path(self, text: str) -> str:
        """An absolute path; `~` is the home directory of the environment."""
        return absolute(text, self.project_directory, self.env)


Convert = Callable[[Node, Context], Any]


def is_empty(value: Any) -> bool:
    """Whether the normalised form leaves the value out."""
    return value is None or value is False or value in ("", [], {}) or value == 0


def plain_value(node: Node, _context: Context) -> Any:
    """The value as it stands, without `x-` keys."""
    return without_extensions(plain(node))


def without_extensions(value: Any) -> Any:
    """Plain data without `x-` keys at any depth."""
    if isinstance(value, dict):
        return {k: without_extensions(v) for k, v in value.items() if not k.startswith("x-")}
    if isinstance(value, list):
        return [without_extensions(item) for item in value]
    return value


def boolean(node: Node, _context: Context) -> bool | None:
    """True or false, from text too."""
    return shapes.as_boolean(node)


def integer(node: Node, _context: Context) -> int | None:
    """A whole number, from text too."""
    return shapes.as_integer(node)


def number(node: Node, _context: Context) -> float | int | None:
    """A number, whole where it is."""
    number = shapes.as_number(node)
    return int(number) if number is not None and number.is_integer() else number


def scalar(node: Node) -> str | int | float | bool | None:
    """The scalar of a node; None for a list or mapping."""
    return None if isinstance(node.value, (dict, list)) else node.value


def size(node: Node, _context: Context) -> str:
    """Bytes as text; empty for none."""
    value = node.value
    assert isinstance(value, (int, float, str))
    number = parse_bytes(value)
    return str(number) if number else ""


def duration(node: Node, _context: Context) -> str:
    """A duration in the reference's print."""
    return format_duration(parse_duration(str(node.value)))


def texts(node: Node, _context: Context) -> list[str]:
    """A list of texts, from one text too."""
    if isinstance(node.value, list):
        return [go_text(scalar(item)) for item in node.value]
    return [go_text(scalar(node))]


def pairs(node: Node) -> dict[str, str | None]:
    """KEY=value pairs of either syntax; None where only the key is given."""
    if isinstance(node.value, dict):
        return {
            key: None if child.value is None else go_text(scalar(child))
            for key, child in node.value.items()
        }
    pairs: dict[str, str | None] = {}
    for item in node.items():
        key, equals, value = str(item.value).partition("=")
        pairs[key] = value if equals else None
    return pairs


def labels(node: Node, _context: Context) -> dict[str, str]:
    """Pairs whose missing values are empty text."""
    return {key: value or "" for key, value in pairs(node).items()}


def paths(node: Node, context: Context) -> list[str]:
    """A list of absolute paths."""
    return [context.path(text) for text in texts(node, context)]


def mapped(converts: Mapping[str, Convert], keep: tuple[str, ...] = ()) -> Convert:
    """A converter of a mapping whose keys have converters of their own; empty values drop out."""

    def convert(node: Node, context: Context) -> dict[str, Any]:
        found = {}
        for key, child in node.map().items():
            if not key.startswith("x-"):
                value = converts.get(key, plain_value)(child, context)
                if key in keep or not is_empty(value):
                    found[key] = value
        return found

    return convert
