"""Puts the parts of workflows together, so that the composition root need not know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.model.workflow import Definition
from controller.store.journal import Backend, Journal
from controller.tasks import Tasks
from controller.workflow.activities import Caller, HttpCaller
from controller.workflow.keeper import Keeper
from controller.workflow.runner import Runner, RunWatcher
from controller.workflow.services import Services
from controller.workflow.workflows import Workflows


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How long, and how many, ended runs are kept, and the zone that schedules are meant in."""

    keep_s: float = 30 * 86400.0
    keep: int = 10_000
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Assembly:
    """What runs workflows. `keeper.run()` is a root loop."""

    workflows: Workflows
    keeper: Keeper
    runner: Runner
    journal: Journal
    caller: Caller

    async def close(self) -> None:
        """After the tasks have ended."""
        await self.caller.close()
        await self.journal.close()


def assemble(
    definitions: Mapping[str, Definition],
    backend: Backend,
    services: Services,
    tasks: Tasks,
    watchers: Sequence[RunWatcher],
    upkeep: Upkeep,
    caller: Caller | None = None,
) -> Assembly:
    """`caller` is how steps are asked; over HTTP where nothing is said."""
    journal, caller = Journal(backend), caller or HttpCaller()
    runner = Runner(journal, services, caller, tasks, watchers)
    workflows = Workflows(definitions, journal, runner, services)
    keeper = Keeper(
        journal, runner, workflows, keep_s=upkeep.keep_s, keep=upkeep.keep, zone=upkeep.zone
    )
    return Assembly(workflows, keeper, runner, journal, caller)
