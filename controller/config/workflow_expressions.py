"""Whether the expressions of a workflow name what will be there when they are evaluated.

A name that nobody has gives nothing in JMESPath, without a word. So a wrong one is found here, or
it is found in the middle of the night.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from controller.config.workflow_functions import function_faults
from controller.config.workflow_place import Place
from controller.model import expression

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WHOLE = re.compile(r"\s*\$\{\{(?:(?!\$\{\{|\}\}).)*\}\}\s*", re.DOTALL)
_ROOTS = ("input", "run", "steps")
# JMESPath has no word for nothing: it is a name that nobody has.
_NOTHING = "null"


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions at a place can name. `sees` answers for a known step; `undo` also knows
    `error`."""

    steps: Collection[str]
    sees: Callable[[str], bool]
    undo: bool = False

    @property
    def roots(self) -> tuple[str, ...]:
        return (*_ROOTS, "error") if self.undo else _ROOTS


def check_values(place: Place, scope: Scope) -> None:
    """Reports what is wrong with the expressions and numbers at or below a place."""
    for leaf, value in place.leaves():
        check_number(leaf, value)
        if isinstance(value, str) and "${{" in value:
            _check_text(leaf, value, scope)


def check_number(place: Place, value: Any) -> None:
    """Reports a number that no JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        place.fault(f"found {value}; JSON has no such number")


def check_condition(place: Place, value: Any, scope: Scope) -> None:
    """Reports what is wrong with `when`."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        check_values(place, scope)
    else:
        place.fault("a condition is one whole expression, such as ${{ input.count > `0` }}")


def _check_text(place: Place, text: str, scope: Scope) -> None:
    try:
        faults = expression.faults(text)
        roots = frozenset() if faults else expression.roots_named(text)
        named = frozenset() if faults else expression.steps_named(text)
        calls = [] if faults else EXPRESSION.findall(text)
        faults += [fault for source in calls for fault in function_faults(source)]
    except RecursionError:
        place.fault("the expression is nested too deeply")
        return
    for sentence in faults:
        place.fault(sentence)
    for root in sorted(roots - {*scope.roots, _NOTHING}):
        _unknown_root(place, root, scope)
    for step in sorted(named):
        if step not in scope.steps:
            place.fault(f"there is no step {step!r}", word=step, known=scope.steps)
        elif not scope.sees(step):
            place.fault(f"the step {step!r} is not sure to be over by then; name it in `needs`")


def _unknown_root(place: Place, root: str, scope: Scope) -> None:
    if root in ("true", "false"):
        place.fault(f"{root} stands in backticks in an expression: `{root}`")
        return
    known = ", ".join(scope.roots)
    place.fault(f"{root!r} is nothing that is known here ({known})", word=root, known=scope.roots)
