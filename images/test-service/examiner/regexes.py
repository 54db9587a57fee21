"""Patterns that callers send, matched within a time limit.

The standard library's `re` cannot be stopped: `(a|aa)+$` on sixty letters would hold the whole
process, health check included. The `regex` package takes a time-out; it is imported at first use.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MATCH_SECONDS = 0.25


class RuleError(ValueError):
    """A rule or schema that cannot be applied; the message says why and what to do instead."""


def check(pattern: str) -> str:
    """The pattern itself, or RuleError when it is no regular expression."""
    _compiled(pattern)
    return pattern


def fullmatch(pattern: str, text: str) -> bool:
    """Whether all of `text` matches. Raises RuleError for a pattern that is wrong or too slow."""
    return _timed(_compiled(pattern).fullmatch, pattern, text)


def search(pattern: str, text: str) -> bool:
    """Whether any part of `text` matches, as JSON Schema's `pattern` wants it. Raises RuleError."""
    return _timed(_compiled(pattern).search, pattern, text)


def _timed(match: Any, pattern: str, text: str) -> bool:
    try:
        return match(text, timeout=MATCH_SECONDS, concurrent=True) is not None
    except TimeoutError as error:
        raise RuleError(
            f"the pattern {pattern!r} needs more than {MATCH_SECONDS} s for one value; "
            "write it without nested repetition"
        ) from error


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import regex  # type: ignore[import-untyped]

    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise RuleError(f"{pattern!r} is no regular expression: {error}") from error
