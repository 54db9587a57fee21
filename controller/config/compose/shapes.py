"""Small checks that say which shape a value may have, composed into the tables of `schema.py`.

A check looks at one node, writes faults into the report, and never raises: so all faults of a
file come out at once, each with its line, what was found and what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping

from controller.config.node import Node, Report, plain

Check = Callable[[Node, str, Report], None]

_TRUE = {"true", "y", "yes", "on"}
_FALSE = {"false", "n", "no", "off"}
RESOURCE_NAME = re.compile(r"[a-zA-Z0-9._-]+")


def anything(node: Node, path: str, report: Report) -> None:
    """Accepts every value."""


def by_kind(**allowed: Check) -> Check:
    """Chooses the check by the kind of the value: nothing, boolean, number, text, list, mapping."""

    def check(node: Node, path: str, report: Report) -> None:
        if node.value is None and report.laid_over:
            return
        chosen = allowed.get(node.kind)
        if chosen is None:
            report.fault(node.mark, f"{path}: found {described(node)}, allowed: {_either(allowed)}")
            return
        chosen(node, path, report)

    return check


def described(node: Node) -> str:
    """The kind and, where short, the value of a node, for a message."""
    if node.kind in ("number", "text", "boolean"):
        shown = str(node.value)
        return f"{node.kind} {shown[:40]!r}" if node.kind == "text" else f"{node.kind} {shown[:40]}"
    return node.kind


def _either(names: Collection[str]) -> str:
    return " or ".join(names)


def parsed(parse: Callable[[str], object]) -> Check:
    """Text that `parse` accepts; its ValueError becomes the fault."""

    def check(node: Node, path: str, report: Report) -> None:
        try:
            parse(str(node.value))
        except ValueError as error:
            report.fault(node.mark, f"{path}: found {described(node)}; {error}")

    return check


def matching(pattern: str, hint: str) -> Check:
    """Text that matches a whole pattern."""
    compiled = re.compile(pattern)

    def check(node: Node, path: str, report: Report) -> None:
        if not compiled.fullmatch(str(node.value)):
            report.fault(node.mark, f"{path}: found {described(node)}; allowed: {hint}")

    return check


def one_of(*words: str) -> Check:
    """Text out of a few words."""

    def check(node: Node, path: str, report: Report) -> None:
        if node.value not in words:
            report.fault(
                node.mark,
                f"{path}: found {described(node)}; allowed: {', '.join(words)}",
                word=str(node.value),
                known=words,
            )

    return by_kind(text=check)


def _integer(low: float, high: float) -> Check:
    def check(node: Node, path: str, report: Report) -> None:
        number = as_integer(node)
        if number is None:
            report.fault(node.mark, f"{path}: found {described(node)}, allowed: a whole number")
        elif not low <= number <= high:
            bounds = f"from {low:g}" + (f" to {high:g}" if math.isfinite(high) else " up")
            report.fault(node.mark, f"{path}: found {number}, allowed: a whole number {bounds}")

    return check


def integer(low: float = -math.inf, high: float = math.inf) -> Check:
    """A whole number, or text that is one (variables only make text)."""
    check = _integer(low, high)
    return by_kind(number=check, text=check)


def as_integer(node: Node) -> int | None:
    """The whole number a node stands for, or None."""
    value = node.value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,19}", value):
        return int(value)
    return None


def as_number(node: Node) -> float | None:
    """The finite number a node stands for, or None."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _number(node: Node, path: str, report: Report) -> None:
    number = as_number(node)
    if number is None or number < 0:
        report.fault(node.mark, f"{path}: found {described(node)}, allowed: a number from 0 up")


number_from_zero: Check = _number


def as_boolean(node: Node) -> bool | None:
    """The truth a node stands for, or None; `yes` and `on` count where a boolean is asked for."""
    if isinstance(node.value, bool):
        return node.value
    word = str(node.value).lower() if isinstance(node.value, str) else ""
    if word in _TRUE:
        return True
    return False if word in _FALSE else None


def _boolean_text(node: Node, path: str, report: Report) -> None:
    if as_boolean(node) is None:
        report.fault(node.mark, f"{path}: found {described(node)}, allowed: true or false")


text: Check = by_kind(text=anything)
text_or_nothing: Check = by_kind(text=anything, nothing=anything)
boolean: Check = by_kind(boolean=anything, text=_boolean_text)
number: Check = by_kind(number=_number, text=_number)
text_or_number: Check = by_kind(text=anything, number=anything)
scalar: Check = by_kind(text=anything, number=anything, boolean=anything, nothing=anything)


def list_items(item: Check, *, unique: bool = False) -> Check:
    """The check of a list's items, for use inside `by_kind`."""

    def check(node: Node, path: str, report: Report) -> None:
        seen: dict[str, int] = {}
        for at, child in enumerate(node.items()):
            item(child, f"{path}[{at}]", report)
            if unique:
                first = seen.setdefault(repr(plain(child)), at)
                if first != at:
                    report.fault(child.mark, f"{path}[{at}]: the same as item [{first}]")

    return check


def list_of(item: Check, *, unique: bool = False) -> Check:
    """A list whose items all pass `item`."""
    return by_kind(list=list_items(item, unique=unique))


def entries(value: Check, *, key: re.Pattern[str] | None = None, extensions: bool = False) -> Check:
    """The check of a mapping with free keys, for use inside `by_kind`."""

    def check(node: Node, path: str, report: Report) -> None:
        for name, child in node.map().items():
            if extensions and name.startswith("x-"):
                continue
            if key is not None and not key.fullmatch(name):
                report.fault(
                    child.mark, f"{path}: the name {name[:80]!r} may hold only A-Z a-z 0-9 . _ -"
                )
            value(child, f"{path}.{name}", report)

    return check


def map_of(value: Check, *, key: re.Pattern[str] | None = None) -> Check:
    """A mapping with free keys whose values all pass `value`."""
    return by_kind(mapping=entries(value, key=key))


def fields(
    known: Mapping[str, Check], *, required: Collection[str] = (), extensions: bool = True
) -> Check:
    """The check of a mapping with known keys, for use inside `by_kind`.

    A key that is not known is a fault naming the nearest that is; `x-…` passes.
    """

    def check(node: Node, path: str, report: Report) -> None:
        prefix = f"{path}." if path else ""
        for name, child in node.map().items():
            if extensions and name.startswith("x-"):
                continue
            if name not in known:
                report.fault(
                    child.mark, f"{prefix}{name[:80]}: unknown key", word=name, known=known
                )
            elif child.tag != "!reset":
                known[name](child, f"{prefix}{name}", report)
        for name in required:
            if name not in node.map():
                report.missing(node.mark, f"{path}: the key {name} is missing")

    return check


def record(
    known: Mapping[str, Check], *, required: Collection[str] = (), nothing: bool = False
) -> Check:
    """A mapping with known keys, optionally left empty."""
    check = fields(known, required=required)
    return by_kind(mapping=check, nothing=anything) if nothing else by_kind(mapping=check)


texts: Check = list_of(text)
unique_texts: Check = list_of(text, unique=True)
text_or_texts: Check = by_kind(text=anything, list=list_items(text))
