"""Whether an expression calls functions that JMESPath has, with as many arguments as they take.

JMESPath itself finds that out only when it evaluates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from jmespath.functions import Functions

from controller.config.node import nearest

_KNOWN: dict[str, dict[str, Any]] = Functions.FUNCTION_TABLE


def function_faults(source: str) -> list[str]:
    """What is wrong with the calls in an expression that can be read, a sentence each."""
    return list(_faults(jmespath.compile(source.strip()).parsed))


def _faults(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield from _call_faults(node["value"], len(node["children"]))
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _faults(child)


def _call_faults(name: str, given: int) -> Iterator[str]:
    if name not in _KNOWN:
        yield f"there is no function {name}(){nearest(name, _KNOWN)}"
        return
    signature = _KNOWN[name]["signature"]
    least, many = len(signature), bool(signature and signature[-1].get("variadic"))
    if given < least or (given > least and not many):
        wanted = f"{least} or more" if many else str(least)
        yield f"{name}() has {given} arguments, and takes {wanted}"
