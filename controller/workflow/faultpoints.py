"""Named places at which a test may kill the hub: `HEAL7_FAULT_POINT=name[:n]`, at the n-th pass.

What a crash leaves behind can only be proven by crashing there, not near there.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

POINTS = (
    "before_create",
    "after_create",
    "before_append",
    "after_append",
    "before_call",
    "after_call",
    "before_undo",
    "after_undo",
)

_name, _, _number = os.environ.get("HEAL7_FAULT_POINT", "").partition(":")
_passes: Counter[str] = Counter()


def reach(point: str) -> None:
    """Does nothing, except in a test that asked to die here."""
    if point != _name:
        return
    _passes[point] += 1
    if _passes[point] == int(_number or 1):
        os.kill(os.getpid(), signal.SIGKILL)
