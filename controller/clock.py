"""The one door to time and chance.

Decisions take `now` as a parameter so that tests and the simulator can own time. Everything that
really needs a clock or a random number asks here; ruff bans the standard ways elsewhere.
"""

from __future__ import annotations

import random
import secrets
import time
from datetime import UTC, datetime

_random = random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not a secret


def now() -> datetime:
    """The wall clock, timezone-aware UTC."""
    return datetime.now(UTC)


def epoch() -> float:
    """The wall clock in seconds since 1970, as runs of workflows keep time."""
    return time.time()


def epoch_ns() -> int:
    """The wall clock in nanoseconds since 1970, as lines of logs keep time."""
    return time.time_ns()


def monotonic() -> float:
    """Seconds on a clock that never steps; only differences mean anything."""
    return time.monotonic()


def jitter(base_s: float, fraction: float) -> float:
    """`base_s` moved by at most ±`fraction` of itself, in seconds."""
    return base_s * (1 + _random.uniform(-fraction, fraction))


def new_id(prefix: str) -> str:
    """A unique id that sorts by the time of its making: `op_0192f3c4a1b2_9f3a61c2`."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}_{chance_hex(4)}"


def chance_hex(size: int) -> str:
    """`size` bytes of chance as hexadecimal digits, for names; not for secrets: it asks the kernel
    once a process and not for each, which costs a turn of Python's lock."""
    return f"{_random.getrandbits(8 * size):0{2 * size}x}"


def rfc3339(moment: datetime | None) -> str | None:
    """UTC RFC 3339 with milliseconds and `Z`, the form of every time in the API."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
