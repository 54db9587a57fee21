"""Puts the parts of alerts together, so that the composition root need not know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.alerts.configured import rules_of
from controller.alerts.desk import Desk
from controller.alerts.logcount import LogCounter
from controller.alerts.run_ends import RunEnds, Runs
from controller.alerts.sender import AppriseSender, kind_of
from controller.alerts.senses import Around, HealingPort, HubSenses, Incidents, StackPort
from controller.config.settings_alerts import AlertsSettings
from controller.engine.pool import EnginePool
from controller.model.alert import Alert
from controller.store.alerts import AlertStore
from controller.store.database import Database
from controller.tasks import Tasks


class Alerts:
    """Everything about alerts. `addresses` are those of channels by name.

    `desk` answers questions, `run_ends` watches runs, `counter.noted` is told every line of a log,
    `senses.incident` every change of an incident.
    """

    def __init__(
        self,
        said: AlertsSettings,
        addresses: Mapping[str, str],
        port: int,
        zone: str,
        database: Database,
        stack: StackPort,
        healing: HealingPort,
        around: Around,
        pool: EnginePool,
        state_dir: Path,
        tasks: Tasks,
        told: Callable[[Alert], None],
        members: Callable[[str], Iterable[str]],
    ):
        rules = rules_of(said, port, members)
        self.counter = LogCounter(rules)
        self.senses = HubSenses(stack, healing, around, self.counter, pool, state_dir)
        self._tasks = tasks
        local = ZoneInfo(zone)
        self.desk = Desk(
            rules,
            AlertStore(database, said.keep),
            self.senses,
            AppriseSender(addresses),
            tasks,
            lambda at: at.astimezone(local).strftime("%Y-%m-%d %H:%M:%S %Z"),
            told,
            {name: kind_of(address) for name, address in addresses.items()},
        )
        self.run_ends = RunEnds(self.desk.run_ended, self.desk.holds)

    async def start(self, incidents: Incidents, runs: Runs) -> None:
        """Remember, and go on. Raises StoreError."""
        seen = await self.desk.load()
        await self.senses.load(incidents)
        self._tasks.guard("watch disks", self.senses.run())
        self._tasks.guard("tell of alerts", self.desk.run())
        self._tasks.spawn("runs that ended before", self.run_ends.catch_up(runs, seen))
