"""Background tasks that cannot die unseen: an unexpected end stops the service, and says so."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Awaitable, Callable

_log = logging.getLogger("heal7.tasks")


async def guarded(name: str, task: Callable[[], Awaitable[None]], *, once: bool = False) -> None:
    """Awaits `task()`; unless `once`, its return is as unexpected as an exception.

    Stopping the whole process is deliberate: the hub restarts it and records why, whereas half a
    service would look healthy.
    """
    try:
        await task()
    except Exception:  # noqa: BLE001 - the border of the task: logged, and the service stops
        _log.critical("background task %s failed; the service stops", name, exc_info=True)
    else:
        if once:
            return
        _log.critical("background task %s ended; the service stops", name)
    os.kill(os.getpid(), signal.SIGTERM)
