"""Which operations are under way, and which services each of them still holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from controller.model.view import OperationKind, OperationView
from controller.orchestrator.executor import Execution


@dataclass(slots=True)
class Live:
    """An operation under way. `services` are those on which it still has something to do."""

    view: OperationView
    services: frozenset[str]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    execution: Execution | None = None

    @property
    def touched(self) -> frozenset[str]:
        """Services whose containers it still holds."""
        return frozenset() if self.view.kind.on_images else self.services


class LiveOperations(dict[str, Live]):
    """By id, in the order in which they began."""

    def conflicts(
        self, services: frozenset[str], kind: OperationKind = OperationKind.START
    ) -> list[Live]:
        """Those that act on the same services, or on the same services' images."""
        return [
            live
            for live in self.values()
            if live.services & services and live.view.kind.on_images is kind.on_images
        ]

    def touched_beside(self, mine: Live) -> frozenset[str]:
        """Services whose containers another operation holds."""
        others = (live.touched for live in self.values() if live is not mine)
        return frozenset[str]().union(*others)
