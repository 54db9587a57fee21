"""Everything people can do with workflows: begin a run, look at it, cancel, retry and resume it.

The one door to the runner for the API, the pages and the schedules. A run is acknowledged when it
is on disk, and not before.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from controller import clock
from controller.errors import (
    ConflictError,
    NotFoundError,
    OverloadedError,
    StoreError,
)
from controller.model.run import (
    Event,
    Kind,
    Run,
    RunLine,
    RunPage,
    RunStatus,
)
from controller.model.workflow import Definition, OnLimit
from controller.model.workflow_json import definition_from_json, definition_to_json
from controller.store.journal import Journal, Made, NewRun, Query, StoredRun
from controller.workflow import archive
from controller.workflow.admission import check, digest_of
from controller.workflow.faultpoints import reach
from controller.workflow.fold import ForbiddenTransitionError, apply, begin, fold
from controller.workflow.machine import decide, interrupted
from controller.workflow.reuse import reusable
from controller.workflow.runner import Live, Runner, mark_of
from controller.workflow.services import Services

log = logging.getLogger(__name__)

_MAX_LIVE = 20_000


class Workflows:
    """Definitions and runs. Use from the event loop only. All that is awaited raises StoreError."""

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        journal: Journal,
        runner: Runner,
        services: Services,
    ):
        self._definitions = definitions
        self._journal = journal
        self._runner = runner
        self._services = services
        self._bodies: dict[str, str] = {}
        self._beginning: set[str] = set()
        self._seen: set[str] | None = None
        self.unsure = False
        """Whether an answer of the journal got lost, so that it may hold runs of this hub that
        nobody carries out."""

    async def take_up(self) -> int:
        """Go on with runs of this hub that nobody carries out: those of a hub before this one, and
        those taken over; how many."""
        self._seen = {live.run.id for live in self._runner.live} | self._beginning
        self.unsure = False
        try:
            stored = await self._journal.live()
            # What began while that was read may even have ended since.
            found = [one for one in stored if one.line.id not in self._seen]
        finally:
            self._seen = None
        for one in found:
            try:
                run, definition = _folded(one)
            except (StoreError, ValueError, KeyError) as error:
                log.error("run %s cannot be read and stays as it is: %s", one.line.id, error)
                continue
            live = Live(run, definition, one.seq)
            for event in interrupted(run, clock.epoch()):
                live.tell(partial(_as_it_is, event))
            self._runner.enlist(live)
        return len(found)

    @contextmanager
    def _begins(self, run_id: str) -> Iterator[None]:
        """Until it is enlisted, or could not begin, `take_up` leaves it alone."""
        self._beginning.add(run_id)
        if self._seen is not None:
            self._seen.add(run_id)
        try:
            yield
        except StoreError:
            self.unsure = True
            raise
        finally:
            self._beginning.discard(run_id)

    # Looking

    def definitions(self) -> Mapping[str, Definition]:
        return self._definitions

    def definition(self, workflow: str) -> Definition:
        """Raises NotFoundError."""
        found = self._definitions.get(workflow)
        if found is None:
            known = ", ".join(self._definitions) or "none"
            raise NotFoundError(
                f"There is no workflow {workflow!r}.", remedy=f"The workflows are: {known}."
            )
        return found

    def live(self) -> Sequence[Run]:
        """Every run that has not ended, newest first."""
        return sorted((live.run for live in self._runner.live), key=lambda r: r.id, reverse=True)

    async def run(self, run_id: str) -> tuple[Run, Definition]:
        """A run and the definition it was begun with. Raises NotFoundError."""
        live = self._runner.find(run_id)
        if live is not None:
            return live.run, live.definition
        stored = await self._stored(run_id)
        return _folded(stored)

    async def runs(
        self, workflow: str | None, status: RunStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        """Newest first."""
        page = await self._journal.runs(Query(workflow, status, limit, cursor))
        return replace(page, lines=tuple(self._counted(line) for line in page.lines))

    def _counted(self, line: RunLine) -> RunLine:
        """How far a run is that goes on is not written down for lists; it is known here."""
        live = None if line.status.ended else self._runner.find(line.id)
        return line if live is None else replace(line, done=live.run.done)

    async def wait(self, run_id: str, timeout_s: float) -> Run:
        """The run when it has ended, or as it is after `timeout_s`. Raises NotFoundError."""
        live = self._runner.find(run_id)
        if live is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    await live.done.wait()
            except TimeoutError:
                pass
            return live.run
        return (await self.run(run_id))[0]

    async def _stored(self, run_id: str) -> StoredRun:
        stored = await self._journal.run(run_id)
        if stored is None:
            raise NotFoundError(
                f"There is no run {run_id}.",
                remedy="Old runs are forgotten after a time; `heal7 runs` lists those there are.",
            )
        return stored

    def export(self, runs: Sequence[str], workflow: str | None) -> AsyncIterator[str]:
        """Runs as lines of JSON, newest first. Raises NotFoundError."""
        return archive.export(self._journal, runs, workflow)

    async def import_lines(self, lines: AsyncIterator[str]) -> tuple[int, int, list[str]]:
        """How many runs were taken in, how many were there already, and every fault."""
        return await archive.take_in(self._journal, lines)

    # Acting

    async def submit(
        self, workflow: str, given: Any, by: str, key: str | None = None
    ) -> tuple[Run, bool]:
        """Begin a run; True where it is new, False where `key` names one that is there already.

        Raises NotFoundError, RunInputError, ConflictError (the key came with another input, or the
        workflow's limit refuses it), OverloadedError.
        """
        definition = self.definition(workflow)
        check(definition, given, key)
        if key is not None and (holder := await self._journal.holder(workflow, key)) is not None:
            return await self._same(holder, digest_of(given), key), False
        await self._make_room(definition)
        return await self._begin(definition, given, by, key, {}, None)

    async def retry(self, run_id: str, by: str) -> Run:
        """A new run of the same input, which does again what failed or was undone.

        Raises NotFoundError, ConflictError where it has not ended, or ended well.
        """
        run, old = await self.run(run_id)
        if not run.status.ended or run.status is RunStatus.SUCCEEDED:
            raise ConflictError(
                f"The run {run_id} is {run.shown}: only one that did not succeed can be retried."
            )
        if run.status is RunStatus.COMPENSATION_FAILED:
            raise ConflictError(
                f"The run {run_id} is not undone yet.", remedy="Resume its compensation first."
            )
        definition = self._definitions.get(run.workflow, old)
        check(definition, run.input, None)
        await self._make_room(definition)
        again, _ = await self._begin(
            definition, run.input, by, None, reusable(run, old, definition), run_id
        )
        return again

    async def cancel(self, run_id: str, by: str) -> Run:
        """Stop it and undo what it did. Raises NotFoundError, ConflictError where it has ended."""
        live = self._runner.find(run_id)
        if live is None:
            run, _ = await self.run(run_id)
            if not run.status.ended:
                raise ConflictError(
                    f"The run {run_id} is carried out by another hub.", remedy="Ask that hub."
                )
            raise ConflictError(f"The run {run_id} has ended: {run.status}.")
        return await self._tell(live, Kind.CANCEL_ASKED, {"by": by})

    async def resume(self, run_id: str, by: str) -> Run:
        """Try again what could not be undone. Raises NotFoundError, ConflictError."""
        with self._begins(run_id):
            stored = await self._stored(run_id)
        if self._runner.find(run_id) is not None:
            raise ConflictError(f"The run {run_id} is under way.")
        run, definition = _folded(stored)
        if run.status is not RunStatus.COMPENSATION_FAILED:
            raise ConflictError(
                f"The run {run_id} is {run.status}: only a failed compensation can be resumed."
            )
        live = Live(run, definition, stored.seq)
        waiting = self._tell(live, Kind.RESUMED, {"by": by})
        self._runner.enlist(live)
        return await waiting

    async def _tell(self, live: Live, kind: Kind, data: Mapping[str, Any]) -> Run:
        """Let something happen to a run, and wait until that is on disk."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def message(run: Run, now: float) -> Event | None:
            event = Event(kind, now, data=data)
            try:
                apply(run, event)
            except ForbiddenTransitionError:
                return None
            return event

        live.tell(message)
        live.listeners.append((kind, written))
        ended = asyncio.ensure_future(live.done.wait())
        try:
            await asyncio.wait((written, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        return live.run

    async def _make_room(self, definition: Definition) -> None:
        """Cancel the oldest where the limit says so. Raises ConflictError where it refuses."""
        if len(self._runner.live) >= _MAX_LIVE:
            raise OverloadedError(
                f"{_MAX_LIVE} runs are under way already.", remedy="Try again in a minute."
            )
        limit = definition.concurrency
        busy = self._runner.under_way(definition.name)
        if limit is None or len(busy) < limit.limit:
            return
        if limit.on_limit is OnLimit.REJECT:
            raise ConflictError(
                f"{len(busy)} runs of {definition.name} are under way, and no more are allowed.",
                remedy="Wait for one to end, or raise concurrency.limit.",
            )
        if limit.on_limit is OnLimit.CANCEL_OLDEST:
            oldest = next((live for live in busy if live.run.cancel_by is None), None)
            if oldest is not None:
                await self._tell(oldest, Kind.CANCEL_ASKED, {"by": "hub"})

    async def _begin(
        self,
        definition: Definition,
        given: Any,
        by: str,
        key: str | None,
        outputs: Mapping[str, Any],
        retry_of: str | None,
    ) -> tuple[Run, bool]:
        now, run_id = clock.epoch(), clock.new_id("run")
        data = {"input": given, "by": by, "key": key, "retry_of": retry_of}
        data |= {"trace_id": clock.chance_hex(16), "outputs": outputs}
        created = Event(Kind.CREATED, now, data=data)
        run = begin(run_id, definition, created)
        free = self._runner.may_start(run, definition)
        decision = decide(run, definition, now, self._services.ready, may_start=free)
        run = decision.run
        new = NewRun(
            id=run_id,
            workflow=definition.name,
            definition_hash=definition.hash,
            body=self._body(definition),
            created_at=now,
            by=by,
            events=(created, *decision.events),
            mark=mark_of(run),
            steps=len(run.steps),
            key=key,
            digest=digest_of(given) if key is not None else "",
            retry_of=retry_of,
        )
        reach("before_create")
        with self._begins(run_id):
            try:
                made = await self._journal.create(new)
            except BaseException:
                self._runner.give_back(run)
                raise
            reach("after_create")
            if made.is_new:
                self._runner.enlist(Live(run, definition, 1), new.events)
                return run, True
        self._runner.give_back(run)
        return await self._same(made, new.digest, key), False

    async def _same(self, made: Made, digest: str, key: str | None) -> Run:
        """The run that has this key. Raises ConflictError where it was given something else."""
        if made.digest != digest:
            raise ConflictError(
                f"The Idempotency-Key {key!r} was used with another input, for {made.run}.",
                remedy="Use a new key for a new run, or send the first input again.",
            )
        return (await self.run(made.run))[0]

    def _body(self, definition: Definition) -> str:
        if definition.hash not in self._bodies:
            raw = definition_to_json(definition)
            self._bodies[definition.hash] = json.dumps(raw, ensure_ascii=False)
        return self._bodies[definition.hash]


def _as_it_is(event: Event, _run: Run, _now: float) -> Event:
    return event


def _folded(stored: StoredRun) -> tuple[Run, Definition]:
    definition = _definition(stored.body)
    try:
        return fold(stored.line.id, definition, stored.events), definition
    except ForbiddenTransitionError as error:
        raise StoreError(
            f"The journal of {stored.line.id} does not read as a run: {error}",
            remedy="Restore the journal from a backup; other runs are not touched by it.",
        ) from error


@lru_cache(maxsize=256)
def _definition(body: str) -> Definition:
    return definition_from_json(json.loads(body))
