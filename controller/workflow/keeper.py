"""What workflows need besides being carried out: an open journal, a heartbeat, schedules, room.

One root loop. A journal that cannot be opened, or is gone for a while, keeps nobody from being
healed: the loop says so and tries again, and whoever asks meanwhile gets a reason.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from controller import clock
from controller.errors import HubError, StoreError
from controller.store.journal import FencedError, Journal
from controller.workflow.runner import Runner
from controller.workflow.schedule import due
from controller.workflow.workflows import Workflows

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_BEAT_S = 2.0
_PRUNE_S = 60.0
_PRUNE_MORE_S = 0.05


class Keeper:
    """Keeps the journal. `keep_s` and `keep` say how long, and how many, ended runs are kept."""

    def __init__(
        self,
        journal: Journal,
        runner: Runner,
        workflows: Workflows,
        *,
        keep_s: float,
        keep: int,
        zone: str,
    ):
        self._journal = journal
        self._runner = runner
        self._workflows = workflows
        self._keep_s = keep_s
        self._keep = keep
        self._zone = ZoneInfo(zone)
        self._next_prune = 0.0
        self._said = ""
        self.open = False

    @property
    def problem(self) -> str | None:
        """What keeps runs from going on; None while nothing does."""
        if not self.open:
            return self._said or "not open yet"
        return self._runner.problem or self._said or None

    async def run(self) -> None:
        """Until cancelled: a root loop."""
        while not self.open:
            await self._try_open()
        while True:
            await self.beat_once()
            await asyncio.sleep(_BEAT_S)

    async def _try_open(self) -> None:
        try:
            await self._journal.open()
            taken = await self._workflows.take_up()
        except StoreError as error:
            self._complain(error)
            await asyncio.sleep(_RETRY_S)
            return
        self.open, self._said = True, ""
        if taken:
            log.info("%d runs that were under way go on", taken)

    async def beat_once(self) -> None:
        """Say that this hub lives, take over what dead ones left, begin what is due, make room."""
        try:
            if await self._journal.beat() or self._workflows.unsure:
                await self._workflows.take_up()
            await self._begin_due()
            await self._prune()
        except FencedError as error:
            self._complain(error)
            await self._runner.let_go()
        except StoreError as error:
            # It may have taken runs over all the same.
            self._workflows.unsure = True
            self._complain(error)
        else:
            self._said = ""

    def _complain(self, error: HubError) -> None:
        if self._said != error.detail:
            log.error("the journal of runs: %s", error.detail)
        self._said = error.detail

    async def _begin_due(self) -> None:
        now = clock.now().astimezone(self._zone)
        for name, definition in self._workflows.definitions().items():
            if definition.schedule is None:
                continue
            fact = f"schedule:{name}"
            said = await self._journal.recall(fact)
            if said is None:
                await self._journal.remember(fact, now.astimezone(UTC).isoformat())
                continue
            last = datetime.fromisoformat(said).astimezone(self._zone)
            at = due(definition.schedule, last, now)
            if at is not None:
                await self._begin(name, at)
                await self._journal.remember(fact, at.astimezone(UTC).isoformat())

    async def _begin(self, workflow: str, at: datetime) -> None:
        moment = at.astimezone(UTC).isoformat()
        try:
            # The key makes it one run, whichever hub begins it and however often it dies over it.
            await self._workflows.submit(workflow, {}, "schedule", f"schedule:{moment}")
        except StoreError:
            raise
        except HubError as error:
            log.error("the scheduled run of %s was not begun: %s", workflow, error.detail)

    async def _prune(self) -> None:
        now = clock.monotonic()
        if now < self._next_prune:
            return
        before = clock.epoch() - self._keep_s
        gone = await self._journal.prune(before, self._keep)
        self._next_prune = now + (_PRUNE_MORE_S if gone else _PRUNE_S)
