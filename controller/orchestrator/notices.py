"""How the orchestrator tells the world: a protocol, so that it need not know who renders JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from controller.model.incident import Incident
from controller.model.recovery import Pause
from controller.model.rehearsal import Rehearsal
from controller.model.view import OperationView, OrphanView, ServiceView


class Notices(Protocol):
    """Told of every change people may want to see; must return at once."""

    def service(self, view: ServiceView) -> None: ...

    def orphans(self, found: tuple[OrphanView, ...]) -> None: ...

    def operation(self, view: OperationView) -> None: ...

    def engine(self, connected: bool, since: datetime) -> None: ...

    def incident(self, incident: Incident) -> None: ...

    def rehearsal(self, rehearsal: Rehearsal) -> None: ...

    def paused(self, pause: Pause | None) -> None: ...
