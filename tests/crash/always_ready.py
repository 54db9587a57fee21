"""Services that are never ill, for what is about the journal and not about healing."""

from __future__ import annotations

from collections.abc import Callable

from controller.health.probe import Target
from controller.model.text import text
from controller.workflow.machine import Access, Readiness

_WELL = Readiness(Access.READY, text("health.ok"))


class AlwaysReady:
    """All of them listen on one port of loopback."""

    def __init__(self, port: int = 1):
        self._target = Target("life", "127.0.0.1", port)
        self.on_change: Callable[[str], None] = lambda _: None

    def ready(self, service: str) -> Readiness:
        return _WELL

    def place(self, service: str) -> str:
        return service

    def target(self, service: str) -> Target:
        return self._target

    async def lost(self, service: str, life: str) -> None:
        return None

    def enter(self, service: str) -> None: ...

    def leave(self, service: str) -> None: ...

    async def start(self, service: str, by: str) -> None: ...

    def touched(self, service: str, run: str) -> None: ...

    def untouched(self, service: str, run: str) -> None: ...
