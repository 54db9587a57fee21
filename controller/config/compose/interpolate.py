"""`${VAR}` in values, by the reference's rules, so that one file means the same to both.

`$A ${A} ${A:-b} ${A-b} ${A:?e} ${A?e} ${A:+b} ${A+b}`, nested, `$$` for a dollar; one that starts
no variable stands for itself, as in `^a$`. Keys are never interpolated. An unset
variable is empty text and a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from controller.config.node import Node, Report, Value

Lookup = Callable[[str], "str | None"]

# Variables that double each other could fill the memory, and so could many files that each expand a
# little less: this is for all that one load reads. Nothing honest comes near.
MAX_PRODUCED = 4 * 1024 * 1024
_MAX_NESTING = 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class InterpolationError(ValueError):
    """A template that is malformed, or a required variable without a value."""


@dataclass(slots=True)
class Interpolator:
    """Substitutes variables; `unset` gathers the names that had no value and no default, and
    `report` is told how much text came of it."""

    lookup: Lookup
    unset: set[str]
    report: Report

    def expand(self, template: str, depth: int = 0) -> str:
        """`template` with its variables replaced. Raises InterpolationError."""
        if "$" not in template:
            return template
        if depth > _MAX_NESTING:
            raise InterpolationError(f"variables are nested more than {_MAX_NESTING} deep")
        parts: list[str] = []
        at = 0
        closing = _closing_braces(template) if "${" in template else {}
        while (dollar := template.find("$", at)) >= 0:
            parts.append(template[at:dollar])
            value, at = self._variable(template, dollar + 1, closing, depth)
            self.report.produced += len(value)
            if self.report.produced > MAX_PRODUCED:
                raise InterpolationError("variables expand to more text than is allowed")
            parts.append(value)
        parts.append(template[at:])
        return "".join(parts)

    def _variable(
        self, template: str, at: int, closing: dict[int, int], depth: int
    ) -> tuple[str, int]:
        if template.startswith("$", at):
            return "$", at + 1
        if template.startswith("{", at):
            end = closing.get(at)
            if end is None:
                raise InterpolationError('a "${" without its closing "}"')
            return self._braced(template[at + 1 : end], depth), end + 1
        name = _NAME.match(template, at)
        if name is None:
            return "$", at
        return self._value(name.group()), name.end()

    def _braced(self, inside: str, depth: int) -> str:
        name = _NAME.match(inside)
        if name is None:
            raise InterpolationError(f'"${{{_shown(inside)}}}" names no variable')
        rest = inside[name.end() :]
        if not rest:
            return self._value(name.group())
        operator = _OPERATOR.match(rest)
        if operator is None:
            raise InterpolationError(
                f'"${{{_shown(inside)}}}" is not a variable; after the name come - :- ? :? + or :+'
            )
        argument = rest[operator.end() :]
        return self._applied(name.group(), operator.group(), argument, depth)

    def _applied(self, name: str, operator: str, argument: str, depth: int) -> str:
        value = self.lookup(name)
        present = value is not None and (value != "" or not operator.startswith(":"))
        if operator.endswith("+"):
            return self.expand(argument, depth + 1) if present else ""
        if present and value is not None:
            return value
        if operator.endswith("-"):
            return self.expand(argument, depth + 1)
        reason = self.expand(argument, depth + 1)
        raise InterpolationError(
            f"the required variable {name} has no value" + (f": {reason}" if reason else "")
        )

    def _value(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            self.unset.add(name)
            return ""
        return value


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _closing_braces(template: str) -> dict[int, int]:
    """Where each `${` ends, by the place of its brace; in one pass, as texts may be hostile.

    Braces in a default pair up as in the reference; where they do not, only `${` counts.
    """
    closing: dict[int, int] = {}
    for any_brace in (False, True):
        opened: list[int] = []
        for at, char in enumerate(template):
            if char == "{" and (any_brace or template[at - 1 : at] == "$"):
                opened.append(at)
            elif char == "}" and opened:
                closing[opened.pop()] = at
    return closing


def interpolate_tree(tree: Node, lookup: Lookup, report: Report) -> Node:
    """The tree with every text value interpolated; faults and unset variables go to `report`."""
    worker = Interpolator(lookup, set(), report)

    def visit(node: Node, path: str) -> Node:
        value: Value = node.value
        if isinstance(value, str):
            if "$" not in value:
                return node
            worker.unset = set()
            try:
                value = worker.expand(value)
            except InterpolationError as error:
                report.fault(node.mark, f"{path}: {error}")
            for name in sorted(worker.unset):
                report.warn(node.mark, f"{path}: the variable {name} is not set, taken as empty")
        elif isinstance(value, list):
            value = [visit(child, f"{path}[{at}]") for at, child in enumerate(value)]
        elif isinstance(value, dict):
            prefix = f"{path}." if path else ""
            value = {key: visit(child, prefix + key) for key, child in value.items()}
        else:
            return node
        return Node(value, node.mark, node.tag)

    return visit(tree, "")
