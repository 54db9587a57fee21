"""Runs actions once per key and undoes them once, whatever the order and number of requests.

All requests about one action id take turns under a lock held in this process; the journal carries
the same knowledge across restarts. One process owns the file, so that is enough.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from heal7_contract import clock, logs
from heal7_contract.context import Context
from heal7_contract.journal import Journal, StoredAction
from heal7_contract.metrics import Metrics
from heal7_contract.problem import Problem

_log = logging.getLogger("heal7.actions")
T = TypeVar("T")


class ActionLike(Protocol):
    """What the runner needs of a declared action."""

    @property
    def name(self) -> str: ...
    @property
    def handler(self) -> Callable[[Any, Context], Any]: ...
    @property
    def undo(self) -> Callable[[StoredAction, str], Any] | None: ...
    @property
    def halt(self) -> Callable[[str], None] | None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """`wait_s`: how long a repeat, or an undo, waits for the attempt that is under way."""

    workers: int = 4
    in_flight: int = 64
    wait_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`result` is JSON text, ready to be sent."""

    id: str
    result: str
    replayed: bool


class Runner:
    """Two pools: actions may keep all of theirs busy for minutes and the journal still answers."""

    def __init__(self, journal: Journal, metrics: Metrics, limits: Limits):
        self._journal = journal
        self._metrics = metrics
        self._limits = limits
        self._work = ThreadPoolExecutor(limits.workers, thread_name_prefix="action")
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._turns: dict[tuple[str, str], _Turn] = {}
        self._active = 0

    async def offload(self, function: Callable[..., T], *args: Any) -> T:
        """Runs blocking code in the pool for actions, with the log fields of the caller."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._work, lambda: context.run(function, *args))

    async def journal(self, function: Callable[..., T], *args: Any) -> T:
        """Runs a method of the journal, off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, function, *args)

    def close(self) -> None:
        """Accepts no more work; threads that are busy are not waited for."""
        self._work.shutdown(wait=False, cancel_futures=True)
        self._disk.shutdown(wait=True)

    async def run(self, action: ActionLike, body: BaseModel, digest: str, ctx: Context) -> Answer:
        """Runs the action, or answers again what it answered before. Raises Problem 409, 503."""
        with logs.bound(action_id=ctx.action_id):
            try:
                async with self._turn(action.name, ctx.action_id) as mine:
                    if not mine:
                        raise _in_progress(ctx, self._limits.wait_s)
                    answer = await self._run_in_turn(action, body, digest, ctx)
            except Problem as refusal:
                outcome = "refused" if refusal.status < 500 else "failed"
                self._metrics.actions.labels(action.name, outcome).inc()
                raise
            outcome = "replayed" if answer.replayed else "completed"
            self._metrics.actions.labels(action.name, outcome).inc()
            return answer

    async def compensate(
        self, action: ActionLike, ident: str, key: str | None, reason: str
    ) -> bool:
        """Undoes the action or lays a tombstone for it. False when that was done before."""
        with logs.bound(action_id=ident):
            claim = await self.journal(self._journal.claim_undo, action.name, ident, key)
            if claim.verdict == "undo":
                if action.halt is not None and (action.name, ident) in self._turns:
                    action.halt(ident)
                async with self._turn(action.name, ident) as mine:
                    # Not our turn even after the wait: the attempt under way will find the claim
                    # when it ends, and undoes itself. Nothing is left for this request to do.
                    if mine:
                        await self._undo_in_turn(action, ident, reason)
            if claim.verdict != "already":
                self._metrics.actions.labels(action.name, "compensated").inc()
            _log.info("compensation: %s", claim.verdict, extra={"reason": reason})
            return claim.verdict != "already"

    async def finish_undos(self, actions: dict[str, ActionLike]) -> None:
        """At start: does the undos that were promised before the process was stopped."""
        for record in await self.journal(self._journal.unfinished_undos):
            action = actions.get(record.action)
            if action is not None:
                await self.compensate(
                    action, record.id, record.idempotency_key, "resumed after a restart"
                )

    async def _run_in_turn(
        self, action: ActionLike, body: BaseModel, digest: str, ctx: Context
    ) -> Answer:
        begun = await self.journal(
            self._journal.begin,
            *(action.name, ctx.action_id, ctx.idempotency_key, ctx.run, ctx.step, digest),
        )
        if begun.verdict == "undone":
            raise _undone(ctx)
        if begun.verdict == "mismatch":
            raise _mismatch(ctx)
        if begun.result is not None:
            return Answer(ctx.action_id, begun.result, replayed=True)
        try:
            result = await self._call(action, body, ctx)
        except Exception:
            # Whatever the action raised, its end is journalled before the error goes on its way.
            # A cancelled attempt stays `running`: whether it took effect is not known.
            if not await self.journal(self._journal.end, action.name, ctx.action_id, None):
                await self._undo_in_turn(action, ctx.action_id, "undone while it ran")
            raise
        if not await self.journal(self._journal.end, action.name, ctx.action_id, result):
            await self._undo_in_turn(action, ctx.action_id, "undone while it ran")
            raise _undone(ctx)
        return Answer(ctx.action_id, result, replayed=False)

    async def _call(self, action: ActionLike, body: BaseModel, ctx: Context) -> str:
        if self._active >= self._limits.in_flight:
            raise _busy(self._limits.in_flight)
        self._active += 1
        started = clock.monotonic()
        try:
            result: BaseModel = await self._invoke(action.handler, body, ctx)
        finally:
            self._active -= 1
        self._metrics.action_seconds.labels(action.name).observe(clock.monotonic() - started)
        return result.model_dump_json()

    async def _undo_in_turn(self, action: ActionLike, ident: str, reason: str) -> None:
        claim = await self.journal(self._journal.claim_undo, action.name, ident, None)
        if claim.record is None:
            return
        if action.undo is not None:
            await self._invoke(action.undo, claim.record, reason)
        await self.journal(self._journal.finish_undo, action.name, ident)

    async def _invoke(self, function: Callable[..., Any], *args: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        return await self.offload(function, *args)

    @asynccontextmanager
    async def _turn(self, action: str, ident: str) -> AsyncIterator[bool]:
        """Yields False when the wait was in vain."""
        turn = self._turns.setdefault((action, ident), _Turn())
        turn.users += 1
        mine = False
        try:
            mine = await _acquired(turn.lock.acquire(), self._limits.wait_s)
            yield mine
        finally:
            if mine:
                turn.lock.release()
            turn.users -= 1
            if not turn.users:
                del self._turns[(action, ident)]


class _Turn:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


async def _acquired(acquire: Awaitable[Any], wait_s: float) -> bool:
    try:
        async with asyncio.timeout(wait_s):
            await acquire
    except TimeoutError:
        return False
    return True


def _undone(ctx: Context) -> Problem:
    return Problem(
        409,
        code="action_compensated",
        title="The action was undone",
        detail=f"A compensation for {ctx.action_id} arrived; it will not run under this key.",
        remedy="Use a new Idempotency-Key if the action is wanted after all.",
        id=ctx.action_id,
    )


def _mismatch(ctx: Context) -> Problem:
    return Problem(
        409,
        code="idempotency_key_reused",
        title="The key belongs to another request",
        detail="This Idempotency-Key was used with a different body.",
        remedy="Use a new Idempotency-Key for a new request, or send the first body again.",
        id=ctx.action_id,
    )


def _in_progress(ctx: Context, waited_s: float) -> Problem:
    return Problem(
        409,
        code="action_in_progress",
        title="The action is still running",
        detail=f"The first request with this key has not ended after {waited_s:g} s.",
        remedy="Ask again with the same key and body after Retry-After seconds.",
        headers={"Retry-After": "1"},
        id=ctx.action_id,
    )


def _busy(limit: int) -> Problem:
    return Problem(
        503,
        code="busy",
        title="The service is busy",
        detail=f"{limit} actions are under way, as many as it takes.",
        remedy="Ask again with the same key after Retry-After seconds.",
        headers={"Retry-After": "1"},
    )
