"""Awaits conditions: the suite never sleeps for a guess, it asks until the answer is the wished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from controller.clock import monotonic

T = TypeVar("T")

_never = threading.Event()


def eventually(look: Callable[[], T | None], timeout: float = 60.0, what: str = "") -> T:
    """The first true answer of `look`, asked every 50 ms for `timeout` seconds.

    An AssertionError or OSError of `look` counts as "not yet". Raises AssertionError with the last
    answer when the time is over.
    """
    deadline = monotonic() + timeout
    last: object = None
    while True:
        try:
            answer = look()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        if monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s: {what or look}; last: {last!r}")
        pause(0.05)


def pause(seconds: float) -> None:
    """Let this much time go by: the interval of a poll, or a chosen moment to strike."""
    _never.wait(seconds)
