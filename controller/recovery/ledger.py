"""The books of one turn: what is remembered and told of each service, and what of it changed.

Kept apart from the decisions so that each of them reads as one sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from controller.model.incident import Act, Incident, Kind
from controller.model.recovery import Healing, Record
from controller.model.text import Text, text
from controller.model.view import Health, Verdict
from controller.recovery import story
from controller.recovery.scene import Memory, Scene, Sight
from controller.recovery.trouble import Trouble


class Ledger:
    """Records and incidents as they become in one turn. `opened` and `shown` are new in it."""

    def __init__(self, scene: Scene, before: Memory, now: datetime, new_id: Callable[[], str]):
        self._scene = scene
        self._before = before
        self._now = now
        self._new_id = new_id
        self._records = dict(before.records)
        self._open = dict(before.incidents)
        self._changed: dict[str, Incident] = {}
        self._shown: dict[str, Verdict] = {}
        self.opened: list[str] = []

    @property
    def records(self) -> dict[str, Record]:
        return self._records

    @property
    def changed_records(self) -> dict[str, Record]:
        before = self._before.records
        return {name: r for name, r in self._records.items() if r != before.get(name)}

    @property
    def changed_incidents(self) -> tuple[Incident, ...]:
        return tuple(self._changed.values())

    def memory(self, storm_since: datetime | None) -> Memory:
        return Memory(self._records, self._open, storm_since)

    def healing(self, name: str) -> Healing:
        record = self.record(name)
        return Healing(self._shown.get(name), record.total, record.incident)

    def record(self, name: str) -> Record:
        return self._records.get(name) or Record()

    def remember(self, name: str, record: Record) -> Record:
        self._records[name] = record
        return record

    def incident(self, name: str) -> Incident | None:
        """The service's open incident."""
        found = self.record(name).incident
        return self._open.get(found) if found else None

    def orphans(self) -> tuple[Incident, ...]:
        """Open incidents that no service of the stack owns: nobody would ever close them."""
        managed = self._scene.stack.managed
        return tuple(
            incident
            for incident in self._open.values()
            if incident.service not in managed
            or self.record(incident.service).incident != incident.id
        )

    def keep(self, incident: Incident) -> Incident:
        """Take over an incident as it is now; a closed one leaves its service."""
        if not incident.is_open:
            self._open.pop(incident.id, None)
            record = self.record(incident.service)
            if record.incident == incident.id:
                self.remember(incident.service, replace(record, incident=None))
        elif self._open.get(incident.id) == incident:
            return incident
        else:
            self._open[incident.id] = incident
        self._changed[incident.id] = incident
        return incident

    def begin(
        self, name: str, sight: Sight, trouble: Trouble, blamed: str | None = None
    ) -> Incident:
        """Open an incident; `blamed` is the dependency that stands behind it."""
        root = self.incident(blamed) if blamed else None
        if blamed:
            why = text("incident.blocked", service=blamed)
            trouble = replace(trouble, kind=Kind.DEPENDENCY, cause=why)
        incident = story.opened(
            self._new_id(),
            name,
            sight,
            trouble,
            self._now,
            root=root.id if root else None,
            rehearsal=self._scene.rehearsals.get(name),
        )
        self.opened.append(incident.id)
        self.remember(name, replace(self.record(name), incident=incident.id))
        return self.keep(incident)

    def tell(self, name: str, act: Act, cause: Text, outcome: str = "") -> None:
        """One more line in the service's open incident, if it has one."""
        incident = self.incident(name)
        if incident is not None:
            self.keep(story.told(incident, act, cause, self._now, outcome))

    def acted(self, name: str, outcome: str) -> None:
        """What was under way for the service is over."""
        incident = self.incident(name)
        if incident is not None:
            self.keep(story.acted(incident, outcome, self._now))

    def show(self, name: str, health: Health, reason: Text) -> None:
        self._shown[name] = Verdict(health, reason)
