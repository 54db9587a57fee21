"""Looks at every target again and again, and turns what it sees into series and alerts.

Decisions are in `targets`, `measures` and `watch`; here is what they need: the asking, the store,
and the order. Everything runs on the event loop except what blocks. Use one instance a process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from ai_monitoring import book, records
from ai_monitoring.exposition import Snapshot, read
from ai_monitoring.host import host_values
from ai_monitoring.measures import MEASURES, Value, values
from ai_monitoring.monitor import AlertKind
from ai_monitoring.scrape import ScrapeError, scrape
from ai_monitoring.settings import Settings
from ai_monitoring.targets import ALL, Target, down, heard, overdue, silent
from ai_monitoring.watch import Turn, Watch, Wrong, follow
from heal7_contract import DocumentStore, Problem, clock
from heal7_contract.context import Offload

MAX_WATCHES = 500
_KEPT_EVERY = 20  # rounds; a process that is killed loses what it learnt in them
HOST = "host"
_KINDS = {
    Wrong.UNUSUAL: AlertKind.UNUSUAL,
    Wrong.ERRORS: AlertKind.ERRORS,
    Wrong.GROWING: AlertKind.MEMORY_GROWTH,
    Wrong.FULL: AlertKind.HOST,
}
_log = logging.getLogger("ai_monitoring")


class Collector:
    """The targets, their series, and what is told of them."""

    def __init__(
        self,
        settings: Settings,
        store: DocumentStore,
        offload: Offload,
        now: Callable[[], float] = clock.now,
    ):
        self.settings = settings
        self.targets = {name: Target(name, url) for name, url in settings.targets.items()}
        self.targets |= {name: Target(name, None) for name in sorted(settings.pushed)}
        self.watches: dict[str, Watch] = {}
        self._store = store
        self._offload = offload
        self._now = now
        self.rounds = 0
        self._told_down: set[str] | None = None
        self._restored = False

    async def run(self) -> None:
        """Until it is cancelled; then keeps what was learnt."""
        try:
            while True:
                try:
                    await self.restore()
                    await self.round()
                except Problem as failure:
                    _log.error("what was seen cannot be kept: %s", failure.detail)
                await asyncio.sleep(self.settings.interval_s)
        finally:
            await self.keep()

    async def restore(self) -> None:
        """What the last process had learnt; once, however often it is asked for."""
        if self._restored:
            return
        kept = await self._offload(records.load_watches, self._store)
        self.watches = kept | self.watches
        self._restored = True

    async def round(self) -> None:
        """One look at everything."""
        asked = [target for target in self.targets.values() if target.url is not None]
        await asyncio.gather(*(self._ask(target) for target in asked))
        now = self._now()
        for name, target in self.targets.items():
            self.targets[name] = overdue(target, now, self.settings.interval_s)
        await self._take(HOST, await self._offload(host_values), now)
        await self._tell_down()
        self.rounds += 1
        if self.rounds % _KEPT_EVERY == 0:
            await self.keep()

    async def pushed(self, name: str, text: str) -> Target:
        """What a target tells by itself. Raises UnreadableError, KeyError for an unknown one."""
        target = self.targets[name]
        snapshot = await self._offload(read, text)
        await self._hear(target, snapshot, self._now(), None)
        await self._tell_down()
        return self.targets[name]

    async def keep(self) -> None:
        """Stores what was learnt, unless what was learnt before has not been read yet."""
        if not self._restored:
            return
        await self._offload(records.save_watches, self._store, list(self.watches.values()))

    async def _ask(self, target: Target) -> None:
        assert target.url is not None
        began = clock.monotonic()
        try:
            snapshot = await self._offload(scrape, target.url, clock.monotonic)
        except ScrapeError as error:
            self.targets[target.name] = silent(target, str(error))
            return
        await self._hear(target, snapshot, self._now(), (clock.monotonic() - began) * 1e3)

    async def _hear(
        self, target: Target, snapshot: Snapshot, at: float, took_ms: float | None
    ) -> None:
        self.targets[target.name] = heard(target, snapshot, at, took_ms)
        seconds = at - target.at if target.at is not None else 0.0
        await self._take(target.name, values(target.snapshot, snapshot, seconds), at)

    async def _take(self, target: str, found: Iterable[Value], at: float) -> None:
        for one in found:
            fresh = Watch(target, one.subject, one.measure)
            if fresh.name not in self.watches and len(self.watches) >= MAX_WATCHES:
                continue
            turn = follow(self.watches.get(fresh.name, fresh), at, one.value)
            self.watches[fresh.name] = turn.watch
            if turn.began or turn.ended or turn.shift:
                await self._offload(self._tell, turn, one.value)

    def _tell(self, turn: Turn, value: float) -> None:
        watch = turn.watch
        about, cause = watch.subject or watch.target, f"series {watch.name}"
        if turn.ended is not None:
            over = "it has stayed so and is taken as usual" if turn.shift else "as usual again"
            book.resolve_where(self._store, {"cause": cause}, over)
        if turn.began is not None:
            self._raise(_KINDS[turn.began], cause, about, message_of(turn, value))
        if turn.shift is not None:
            unit = MEASURES[watch.measure].unit
            message = (
                f"{watch.name} has a new level: about {turn.shift.after:,.1f} {unit} where it was "
                f"{turn.shift.before:,.1f} {unit}; this is taken as usual from now on"
            )
            self._raise(AlertKind.LEVEL_SHIFT, f"level of {watch.name}", about, message)
        records.save_watches(self._store, [watch])

    async def _tell_down(self) -> None:
        causes = down(self.targets)
        if self._told_down is None or set(causes) != self._told_down:
            await self._offload(self._reconcile_down, causes)
            self._told_down = set(causes)

    def _reconcile_down(self, causes: dict[str, str]) -> None:
        for alert in book.standing(self._store, {"kind": AlertKind.TARGET_DOWN.value}):
            name = str(alert["cause"]).removeprefix("target ")
            target = self.targets.get(name)
            if name in causes or (target is not None and target.at is None):
                continue  # it lasts, or nothing is known of it yet in this process
            note = f"part of: {causes[ALL]}" if ALL in causes else "it answers again"
            book.resolve_where(self._store, {"cause": str(alert["cause"])}, note)
        for name, message in causes.items():
            self._raise(AlertKind.TARGET_DOWN, f"target {name}", name, message)

    def _raise(self, kind: AlertKind, cause: str, about: str, message: str) -> None:
        alert = book.raise_alert(self._store, kind, cause, about, message)
        if alert is not None:
            _log.warning(message, extra={"alert": alert.id, "kind": kind.value})


def message_of(turn: Turn, value: float) -> str:
    """A sentence for a person about what began."""
    watch, measure = turn.watch, MEASURES[turn.watch.measure]
    about = watch.subject or watch.target
    amount = f"{value:,.1f} {measure.unit}".strip()
    if turn.began is Wrong.ERRORS:
        return f"{about} fails: {value:.0f} % of its requests or runs"
    if turn.began is Wrong.FULL:
        return f"{about} {measure.says}: {amount}"
    if turn.began is Wrong.GROWING:
        first = watch.recent[0][1]
        return f"the memory of {about} keeps growing: {first:,.0f} MB at first, {value:,.0f} MB now"
    usual = turn.judgement.normal
    said = f"; {usual.median_ms:,.1f} {measure.unit} is usual".rstrip() if usual else ""
    return f"{about} {measure.says}: {watch.measure} is {amount}{said}"
