"""The first lines of a service's process: obey SIGTERM, then load the service.

Process 1 of a container ignores SIGTERM until it asks for it, and the imports take a third of a
second; without this a stop in that time would wait for the kill.
"""

from __future__ import annotations

import gc
import os
import signal
from importlib import import_module
from types import FrameType
from typing import NoReturn


def obey_signals() -> None:
    """SIGTERM and SIGINT leave at once, until the server replaces this by draining."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)


def launch(module: str) -> None:
    """Runs the `service` of a module, such as `saju_service.service`. Never returns."""
    obey_signals()
    gc.disable()  # nothing that the imports build is garbage; the server turns it on again
    import_module(module).service.run()


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    os._exit(0)
