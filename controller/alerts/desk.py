"""Decides once a second what people are to be told, keeps that, and sees to it that it arrives.

One turn: gather what is known, decide, store all of it in one transaction, and only then publish
and send. A store that cannot write does not keep people from being told: what it owes it is given
again at the next turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from controller import clock
from controller.alerts import life, message, outbox
from controller.alerts.conditions import look
from controller.alerts.facts import Facts, RunEnd
from controller.alerts.outbox import Outbox, Pulse
from controller.alerts.rules import Rules
from controller.alerts.sender import Sender
from controller.errors import ConflictError, NotFoundError, StoreError
from controller.model.alert import (
    Alert,
    AlertState,
    Delivery,
    News,
    Rule,
    Severity,
    Silence,
)
from controller.store.alerts import AlertStore, Changes, Page
from controller.tasks import Tasks

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_IDLE_S = 30.0
_MOST_ENDS = 5_000
_SILENCES = 200


class Senses(Protocol):
    """Where the facts come from."""

    def facts(
        self,
        now: datetime,
        dead: Mapping[str, tuple[datetime, str]],
        store_problem: str | None,
        run_ends: tuple[RunEnd, ...],
    ) -> Facts: ...


class Desk:
    """All alerts that are open, and the messages about them. Use from the event loop only.

    `told` is called with every alert that changed, after it is stored; `kinds` says what each
    channel is.
    """

    def __init__(
        self,
        rules: Rules,
        store: AlertStore,
        senses: Senses,
        sender: Sender,
        tasks: Tasks,
        moment: message.Moment,
        told: Callable[[Alert], None],
        kinds: Mapping[str, str],
    ):
        self.rules = rules
        self.kinds = kinds
        self._store = store
        self._senses = senses
        self._sender = sender
        self._tasks = tasks
        self._moment = moment
        self._told = told
        self._open: dict[str, Alert] = {}
        self._pending: life.Pending = {}
        self._silences: dict[str, Silence] = {}
        self._outbox = Outbox()
        self._in_flight: dict[str, str] = {}
        self._ends: deque[RunEnd] = deque(maxlen=_MOST_ENDS)
        self._owed: tuple[dict[str, Alert], dict[str, Delivery]] = ({}, {})
        self._runs_seen: float | None = None
        self._saved_at = 0.0
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self.problem: str | None = None
        """Why nothing of this can be stored, while that is so."""
        self.fault: str | None = None
        """What keeps turns from being made, while something does."""

    # The loop

    async def load(self) -> float:
        """Remember what was stored; up to when the ends of runs were seen. Raises StoreError."""
        now = clock.now()
        kept = await self._store.load(now)
        self._open = {alert.key: alert for alert in kept.alerts}
        self._silences = {silence.id: silence for silence in kept.silences}
        waiting = {delivery.id: delivery for delivery in kept.waiting}
        pulses = outbox.pulses_of(kept.last, kept.waiting)
        box, dropped = outbox.without_channels(
            Outbox(waiting, pulses), frozenset(self.rules.channels), now
        )
        self._outbox = box
        self._owed[1].update({one.id: one for one in dropped})
        self._runs_seen = kept.runs_seen if kept.runs_seen is not None else now.timestamp()
        return self._runs_seen

    async def run(self) -> None:
        """Until cancelled: a root loop."""
        while True:
            await self._turn_or_say()
            try:
                async with asyncio.timeout(_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _turn_or_say(self) -> None:
        """A fault in here is told by /readyz, and keeps no service from being healed."""
        try:
            await self.turn_once()
        except Exception as error:
            if self.fault is None:
                log.exception("alerts stand still")
            self.fault = f"{type(error).__name__}: {error}"
        else:
            self.fault = None

    async def turn_once(self) -> None:
        async with self._lock:
            now = clock.now()
            ends = tuple(self._ends)
            dead = outbox.dead(self._outbox)
            facts = self._senses.facts(now, dead, self.problem, ends)
            seen = look(facts, self._open.values(), self.rules)
            turn = life.turn(
                seen,
                self._open,
                self._pending,
                self._silences.values(),
                self.rules,
                now,
                lambda: clock.new_id("alt"),
            )
            deliveries = self._queue(turn.tellings, now)
            # Only now: what broke before is looked at again in the next turn.
            self._ends.clear()
            self._open, self._pending = dict(turn.open), turn.pending
            self._silences = {s.id: s for s in self._silences.values() if s.until > now}
            if ends:
                self._runs_seen = max(self._runs_seen or 0.0, *(end.at for end in ends))
            await self._keep(turn.changed, deliveries, bool(ends))
            self._send_due(now)

    def run_ended(self, end: RunEnd) -> None:
        """A run is over; it is looked at in the next turn."""
        self._ends.append(end)

    def holds(self, run: str) -> bool:
        """Whether an open alert is about this run."""
        return any(run in alert.runs for alert in self._open.values())

    def _queue(self, tellings: Sequence[life.Telling], now: datetime) -> tuple[Delivery, ...]:
        if not tellings:
            return ()
        self._outbox, changed = outbox.queued(
            self._outbox,
            tellings,
            self._in_flight,
            self.rules,
            now,
            lambda: clock.new_id("dlv"),
            self._moment,
        )
        return changed

    async def _keep(
        self,
        alerts: Sequence[Alert],
        deliveries: Sequence[Delivery],
        runs_seen: bool = False,
    ) -> None:
        """Store it, together with what is owed from before, then tell it."""
        owed_alerts, owed_deliveries = self._owed
        owed_alerts |= {alert.id: alert for alert in alerts}
        owed_deliveries |= {delivery.id: delivery for delivery in deliveries}
        # A store that nobody writes to says nothing of whether it could be written.
        idle = clock.monotonic() - self._saved_at > _IDLE_S
        if owed_alerts or owed_deliveries or runs_seen or idle:
            changes = Changes(
                tuple(owed_alerts.values()), tuple(owed_deliveries.values()), self._runs_seen
            )
            try:
                await self._store.save(changes)
            except StoreError as error:
                if self.problem is None:
                    log.error("alerts go on, but cannot be stored: %s", error.detail)
                self.problem = error.detail
            else:
                self.problem = None
                self._owed = ({}, {})
                self._saved_at = clock.monotonic()
        for alert in alerts:
            self._told(alert)

    # Sending

    def _send_due(self, now: datetime) -> None:
        for delivery in outbox.due(self._outbox, frozenset(self._in_flight.values()), now):
            self._in_flight[delivery.id] = delivery.channel
            self._tasks.spawn(f"message {delivery.id}", self._send(delivery))

    async def _send(self, delivery: Delivery) -> Delivery:
        """It stays in flight until its end is noted, or the next turn would send it again."""
        try:
            error = await self._sender.send(
                delivery.channel, delivery.severity, delivery.title, delivery.body
            )
            async with self._lock:
                self._outbox, after = outbox.ended(
                    self._outbox, delivery, error, clock.now(), clock.jitter
                )
                if error is not None and delivery.attempts == 0:
                    log.warning("the channel %s failed: %s", delivery.channel, error)
                await self._keep((), (after,))
        finally:
            self._in_flight.pop(delivery.id, None)
        self._wake.set()
        return after

    async def test(self, channel: str) -> Delivery:
        """Send a message over it now, and say how that went. Raises NotFoundError."""
        self._known(channel)
        now = clock.now()
        title, body = message.test_message(self.rules.language, self._moment(now))
        made = Delivery(
            clock.new_id("dlv"), channel, News.TEST, Severity.INFO, title, body, now, now
        )
        return await self._send(made)

    def _known(self, channel: str) -> None:
        if channel not in self.rules.channels:
            known = ", ".join(self.rules.channels) or "none"
            raise NotFoundError(
                f"There is no channel {channel[:100]!r}.",
                remedy=f"The channels are: {known}; alerts.channels in config.yaml declares them.",
            )

    # What people ask and say

    def open(self) -> Sequence[Alert]:
        """The worst first, then the newest."""
        newest = sorted(self._open.values(), key=lambda a: (a.opened_at, a.id), reverse=True)
        return sorted(newest, key=lambda a: (a.acked_at is not None, -a.severity.rank))

    @property
    def firing(self) -> int:
        """How many nobody has acknowledged."""
        return sum(1 for alert in self._open.values() if alert.state is AlertState.FIRING)

    def silences(self) -> Sequence[Silence]:
        """Those that last, the one that ends first before the others."""
        now = clock.now()
        lasting = [silence for silence in self._silences.values() if silence.until > now]
        return sorted(lasting, key=lambda silence: (silence.until, silence.id))

    def silence_of(self, alert: Alert) -> Silence | None:
        """What keeps this alert quiet now."""
        now = clock.now()
        return next((s for s in self.silences() if s.covers(alert, now)), None)

    def channels(self) -> Mapping[str, Pulse]:
        """How each is, in the order of the configuration."""
        return {name: self._outbox.pulses.get(name, Pulse()) for name in self.rules.channels}

    def waiting(self) -> Sequence[Delivery]:
        """Messages that are still to arrive."""
        return tuple(self._outbox.waiting.values())

    async def alerts(
        self, state: AlertState | None, service: str | None, limit: int, cursor: str | None
    ) -> Page:
        """Newest first. Raises StoreError."""
        return await self._store.alerts(state, service, limit, cursor)

    async def alert(self, alert_id: str) -> Alert:
        """Raises NotFoundError, StoreError."""
        known = next((a for a in self._open.values() if a.id == alert_id), None)
        found = known or await self._store.alert(alert_id)
        if found is None:
            raise NotFoundError(
                f"There is no alert {alert_id[:100]!r}.",
                remedy="Old alerts are forgotten; `heal7 alerts` lists those there are.",
            )
        return found

    async def deliveries(
        self, alert: str | None = None, channel: str | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        """Newest first. Raises StoreError."""
        return await self._store.deliveries(alert, channel, limit)

    async def acknowledge(self, alert_id: str, by: str) -> Alert:
        """Somebody knows of it: nobody is told again. Doing so twice changes nothing.

        Raises NotFoundError, StoreError; ConflictError where it is over.
        """
        async with self._lock:
            found = await self.alert(alert_id)
            if not found.is_open:
                raise ConflictError(f"The alert {alert_id} is over.")
            if found.acked_at is not None:
                return found
            now = clock.now()
            after = life.acknowledged(found, by, now)
            box, dropped = outbox.withdrawn(self._outbox, after.id, self._in_flight, now)
            audit = (by, "alert_ack", after.id)
            await self._store.save(Changes((after,), dropped, None, audit, now))
            self._outbox = box
            self._owed[0].pop(after.id, None)
            if after.is_open:
                self._open[after.key] = after
            else:
                del self._open[after.key]
        self._told(after)
        return after

    async def silence(
        self, service: str | None, rule: Rule | None, lasting_s: float, by: str, comment: str
    ) -> Silence:
        """Nobody is told of what fits, from now on. Raises StoreError, ConflictError."""
        async with self._lock:
            if len(self._silences) >= _SILENCES:
                raise ConflictError(
                    f"There are {_SILENCES} silences already.", remedy="Remove some first."
                )
            now = clock.now()
            made = Silence(
                id=clock.new_id("sil"),
                until=now + timedelta(seconds=lasting_s),
                created_at=now,
                by=by,
                service=service,
                rule=rule,
                comment=comment,
            )
            await self._store.add_silence(made, now)
            self._silences[made.id] = made
        self._changed_silence()
        return made

    async def unsilence(self, silence_id: str, by: str) -> None:
        """Raises NotFoundError, StoreError."""
        async with self._lock:
            found = self._silences.get(silence_id)
            if found is None:
                raise NotFoundError(f"There is no silence {silence_id[:100]!r}.")
            await self._store.remove_silence(found, by, clock.now())
            del self._silences[silence_id]
        self._changed_silence()

    def _changed_silence(self) -> None:
        """Whoever shows alerts shows who is not told, too."""
        self._wake.set()
        for alert in self._open.values():
            self._told(alert)
