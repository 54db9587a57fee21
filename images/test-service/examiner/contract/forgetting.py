"""Gives back what the library keeps of an operation's coverage once that is over.

It keeps the compiled schema of every member that it looked at, up to thousands: 45 MB of the six
templates of paperwork-service, which the phases that follow build anew in another form. The bounds
of those caches are fixed in the library.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import lru_cache
from typing import Any

from schemathesis.core.cache import BoundedCache

_Memo: Any = type(lru_cache(len))
_KEEPER = "schemathesis."


def forget() -> None:
    """Empties those caches and gives the memory back to the system.

    A cache holds nothing but what can be worked out again, so another thread may be using them.
    The collector is not asked for them: it would also give out what other threads are still making.
    """
    modules = [module for name, module in sys.modules.copy().items() if name.startswith(_KEEPER)]
    for found in (value for module in modules for value in list(vars(module).values())):
        if isinstance(found, BoundedCache):
            found.clear()
        elif isinstance(found, _Memo) and str(found.__module__).startswith(_KEEPER):
            found.cache_clear()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
