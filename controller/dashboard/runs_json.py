"""JSON as people look at it: indented, without secrets, and never more than a page can bear.

What a service answers may be megabytes, and a live page is rendered anew with every event: so it is
cut to a small size first, and only what is left is masked and printed.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from controller.model.masking import masked

_VALUES = 400
_CHARACTERS = 2_000
_MORE = "…"


@dataclass(frozen=True, slots=True)
class Json:
    """Printed JSON; `cut` says that there is more of it."""

    text: str
    cut: bool


def shown(value: Any) -> Json:
    less, cut = _shortened(value)
    try:
        return Json(json.dumps(masked(less), ensure_ascii=False, indent=2), cut)
    except RecursionError:
        return Json(_MORE, True)


def _shortened(value: Any) -> tuple[Any, bool]:
    """The same, with so many values at most; what is near the top is kept first."""
    whole: list[Any] = [None]
    todo: deque[tuple[Any, Any, Any]] = deque([(whole, 0, value)])
    left, cut = _VALUES, False
    while todo:
        into, at, found = todo.popleft()
        if isinstance(found, Mapping):
            made = dict.fromkeys(islice(found, left))
            into[at] = made
            todo += [(made, key, found[key]) for key in made]
        elif isinstance(found, (list, tuple)):
            items: list[Any] = [None] * min(len(found), left)
            into[at] = items
            todo += [(items, place, found[place]) for place in range(len(items))]
        elif isinstance(found, str) and len(found) > _CHARACTERS:
            into[at], cut = found[:_CHARACTERS] + _MORE, True
            continue
        else:
            into[at] = found
            continue
        kept = len(into[at])
        left -= kept
        if kept < len(found):
            cut = True
            if isinstance(found, Mapping):
                into[at][_MORE] = _MORE
            else:
                into[at].append(_MORE)
    return whole[0], cut
