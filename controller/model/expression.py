"""`${{ … }}` in definitions: JMESPath over what a run knows, as a whole value or inside a text.

Only the values of definitions are ever evaluated, never what a service answered. JMESPath reads
and computes; it has no assignment, no loop without end and no way out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import exceptions
from jmespath.parser import ParsedResult

_EVERYTHING = re.compile(r"[@*\\]")
_CALCULATES = re.compile("to_number|sum|avg")
"""The functions that can make a number of what is none, or one too large."""
_PART = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class ExpressionError(Exception):
    """An expression cannot be read or evaluated; one sentence that names it."""


def faults(value: Any) -> list[str]:
    """What is wrong with the expressions anywhere in `value`, a sentence each."""
    found = []
    for text in _texts(value):
        if text.count("${{") != len(_PART.findall(text)):
            found.append(f"{text[:80]!r}: an opened ${{{{ has no }}}} to close it")
        for source in _PART.findall(text):
            try:
                _compiled(source)
            except ExpressionError as error:
                found.append(str(error))
    return found


def steps_named(value: Any) -> frozenset[str]:
    """Ids of the steps that the expressions in `value` ask for by name (`steps.x`)."""
    named: set[str] = set()
    for text in _texts(value):
        for source in _PART.findall(text):
            named.update(_steps(_compiled(source).parsed))
    return frozenset(named)


def may_name(value: Any, root: str) -> bool:
    """Whether any expression in `value` can see what lies under `root`; quick, and rather yes than
    no: the root's name may be written with escapes, and `@` and `*` are everything there is."""
    return any(root in text or _EVERYTHING.search(text) is not None for text in _texts(value))


def roots_named(value: Any) -> frozenset[str]:
    """The first names that the expressions in `value` begin with: input, run, steps, or a wrong
    one."""
    named: set[str] = set()
    for text in _texts(value):
        for source in _PART.findall(text):
            named.update(_roots(_compiled(source).parsed))
    return frozenset(named)


def evaluate(value: Any, context: Mapping[str, Any]) -> Any:
    """`value` with every expression in it replaced by what it gives.

    A text that is one expression gives its value as it is; inside a longer text, texts stay texts
    and everything else becomes JSON. Raises ExpressionError.
    """
    if isinstance(value, str):
        return _filled(value, context) if "${{" in value else value
    if isinstance(value, Mapping):
        return {key: evaluate(child, context) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [evaluate(child, context) for child in value]
    return value


def fill(text: str, context: Mapping[str, Any], encode: Callable[[str], str]) -> str:
    """`text` with what each expression gives put through `encode`. Raises ExpressionError."""
    return _PART.sub(lambda part: encode(_as_text(_searched(part[1], context))), text)


def truth(value: Any) -> bool:
    """Whether a condition holds: false, nothing and what is empty do not, as in JMESPath."""
    return value is not None and value is not False and value not in ("", [], {})


def _filled(text: str, context: Mapping[str, Any]) -> Any:
    whole = _PART.fullmatch(text.strip())
    if whole and "${{" not in whole[1]:
        return _searched(whole[1], context)
    return _PART.sub(lambda part: _as_text(_searched(part[1], context)), text)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _searched(source: str, context: Mapping[str, Any]) -> Any:
    try:
        value = _compiled(source).search(context)
    except exceptions.JMESPathError as error:
        raise ExpressionError(f"${{{{{source}}}}}: {error}") from error
    if _CALCULATES.search(source) and not _is_finite(value):
        raise ExpressionError(f"${{{{{source}}}}}: it gives a number that JSON does not have")
    return value


def _is_finite(value: Any) -> bool:
    """Not by recursion: what a service answers may be nested deeper than Python's stack."""
    todo = [value]
    while todo:
        found = todo.pop()
        if isinstance(found, float) and not math.isfinite(found):
            return False
        if isinstance(found, (dict, list)):
            todo += found.values() if isinstance(found, dict) else found
    return True


@lru_cache(maxsize=4096)
def _compiled(source: str) -> ParsedResult:
    try:
        return jmespath.compile(source.strip())
    except exceptions.JMESPathError as error:
        hint = ""
        if "-" in source:
            hint = '; a name with a dash stands in double quotes: steps."my-step".output'
        raise ExpressionError(f"${{{{{source}}}}}: {_first_line(error)}{hint}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(":")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "${{" in value:
            yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from _texts(child)


def _steps(node: Mapping[str, Any]) -> Iterator[str]:
    """Names right behind `steps.` in a parsed expression."""
    children = node["children"]
    below_steps = node["type"] == "subexpression" and children[0].get("value") == "steps"
    if below_steps and children[1]["type"] == "field":
        yield children[1]["value"]
    for child in _from_the_top(node):
        yield from _steps(child)


def _roots(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "field":
        yield node["value"]
    for child in _from_the_top(node):
        yield from _roots(child)


def _from_the_top(node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The parts that look at the whole context, and not at what another part gave."""
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "expref":
        return []
    return children[:1] if node["type"] in _RELATIVE else children


_RELATIVE = (
    "subexpression",
    "index_expression",
    "projection",
    "value_projection",
    "pipe",
    "filter_projection",
    "flatten",
)
