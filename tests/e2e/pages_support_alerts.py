"""Alerts for the pages' tests: what is open, over, silenced and sent, as a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from controller import clock
from controller.alerts.life import acknowledged
from controller.alerts.outbox import Pulse
from controller.errors import ConflictError, HubError, NotFoundError
from controller.model.alert import (
    Alert,
    AlertState,
    Delivery,
    DeliveryState,
    News,
    Rule,
    Severity,
    Silence,
)
from controller.model.text import Text, text
from controller.store.alerts import Page

EVIL = '<img src=x onerror="window.pwned=1">{{ 7*7 }}\u202e'


class FakeAlerts:
    """The port's other side, in memory."""

    def __init__(self, publish: Callable[[str, Mapping[str, Any]], None]):
        self._publish = publish
        self.kinds = {"ops": "slack://•••", "night-watch": "mailto://•••"}
        self.reset()

    def reset(self) -> None:
        self.opened: dict[str, Alert] = {}
        self.over: list[Alert] = []
        self.made: dict[str, Silence] = {}
        self.sent: list[Delivery] = []
        self.pulses = {name: Pulse() for name in self.kinds}
        self.refusal: HubError | None = None
        self.broken: str | None = None

    # -- what tests do to it
    def raise_alert(
        self, rule: Rule, severity: Severity, ago_s: float = 400, **facts: Any
    ) -> Alert:
        """One more is open, and everybody hears of it."""
        now = clock.now()
        number = len(self.opened) + len(self.over) + 1
        given: dict[str, Any] = {"cause": text(f"alert.{rule}", why=text("exit.oom"))}
        since = now - timedelta(seconds=ago_s)
        alert = Alert(
            f"alt_{number}", f"key {number}", rule, severity, since=since, opened_at=since,
            **(given | facts),
        )  # fmt: skip
        self.opened[alert.id] = alert
        self._publish("alert", {"id": alert.id})
        return alert

    def resolve(self, alert_id: str, why: Text | None = None) -> None:
        alert = self.opened.pop(alert_id)
        ended = why or text(f"alert.ended.{alert.rule}")
        self.over.insert(0, replace(alert, resolved_at=clock.now(), resolved_why=ended))
        self._publish("alert", {"id": alert_id})

    def night(self) -> None:
        """A bad night: three open, some over, one silence, one channel that fails."""
        for number in range(6):
            past = self.raise_alert(
                Rule.SERVICE_DOWN, Severity.CRITICAL, 9_000 + 4_000 * number, service="test-service"
            )
            self.resolve(past.id)
        self.raise_alert(
            Rule.RUN_FAILED, Severity.WARNING, 3_000, runs=("run_1",), count=3,
            cause=text("alert.run_failed_many", count=3, workflow="saju_processing", run="run_1",
                       why=text("exit.oom")),
            page="/dashboard/workflows/runs/run_1",
        )  # fmt: skip
        known = self.raise_alert(
            Rule.DISK_FULL, Severity.WARNING, 7_000,
            cause=text("alert.disk_full", what=text("alert.disk.state"), path="/var/lib/heal7",
                       percent=7.2, gib=3.4),
        )  # fmt: skip
        self.opened[known.id] = acknowledged(known, "127.0.0.1 Mozilla/5.0", clock.now())
        worst = self.raise_alert(
            Rule.GAVE_UP, Severity.CRITICAL, 400, service="saju-service",
            folded=("ai-monitoring-service", "paperwork-service"),
            page="/dashboard/incidents/inc-1",
        )  # fmt: skip
        now = clock.now()
        self.made["sil_1"] = Silence(
            "sil_1", now + timedelta(hours=2), now, "127.0.0.1 curl/8", "crawling-service",
            Rule.SLOW, "the new crawler warms up its cache",
        )  # fmt: skip
        states = {"ops": DeliveryState.SENT, "night-watch": DeliveryState.WAITING}
        self.sent = [
            Delivery(
                f"dlv_{name}", name, News.OPENED, Severity.CRITICAL, "t", "b", now, now,
                alert=worst.id, state=state,
            )
            for name, state in states.items()
        ]  # fmt: skip
        self.pulses["ops"] = Pulse(sent_at=now - timedelta(minutes=6))
        self.pulses["night-watch"] = Pulse(
            bad_since=now - timedelta(minutes=9),
            error="A Connection error occurred sending Email notification to •••.",
        )

    def _check(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    # -- AlertsPort
    @property
    def firing(self) -> int:
        return sum(1 for alert in self.opened.values() if alert.state is AlertState.FIRING)

    def open(self) -> Sequence[Alert]:
        newest = reversed(self.opened.values())
        return sorted(newest, key=lambda a: (a.acked_at is not None, -a.severity.rank))

    def silences(self) -> Sequence[Silence]:
        return list(self.made.values())

    def silence_of(self, alert: Alert) -> Silence | None:
        return next((s for s in self.made.values() if s.covers(alert, clock.now())), None)

    def channels(self) -> Mapping[str, Pulse]:
        return self.pulses

    def waiting(self) -> Sequence[Delivery]:
        return [one for one in self.sent if one.state is DeliveryState.WAITING]

    async def alerts(
        self, state: AlertState | None, service: str | None, limit: int, cursor: str | None
    ) -> Page:
        self._check()
        ids = [alert.id for alert in self.over]
        start = ids.index(cursor) + 1 if cursor in ids else 0
        found = self.over[start : start + limit]
        more = found[-1].id if len(self.over) > start + limit else None
        return Page(tuple(found), more)

    async def deliveries(
        self, alert: str | None = None, channel: str | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        self._check()
        return self.sent

    async def alert(self, alert_id: str) -> Alert:
        if alert_id not in self.opened:
            raise NotFoundError(f"There is no alert {alert_id!r}.")
        return self.opened[alert_id]

    async def acknowledge(self, alert_id: str, by: str) -> Alert:
        after = acknowledged(await self.alert(alert_id), by, clock.now())
        if after.is_open:
            self.opened[alert_id] = after
        else:
            del self.opened[alert_id]
            self.over.insert(0, after)
        self._publish("alert", {"id": alert_id})
        return after

    async def silence(
        self, service: str | None, rule: Rule | None, lasting_s: float, by: str, comment: str
    ) -> Silence:
        if len(self.made) > 20:
            raise ConflictError("There are too many silences already.")
        now = clock.now()
        until = now + timedelta(seconds=lasting_s)
        made = Silence(f"sil_{len(self.made) + 1}", until, now, by, service, rule, comment)
        self.made[made.id] = made
        return made

    async def unsilence(self, silence_id: str, by: str) -> None:
        if self.made.pop(silence_id, None) is None:
            raise NotFoundError(f"There is no silence {silence_id!r}.")

    async def test(self, channel: str) -> Delivery:
        if channel not in self.pulses:
            raise NotFoundError(f"There is no channel {channel!r}.")
        now = clock.now()
        state = DeliveryState.FAILED if self.broken else DeliveryState.SENT
        sent = Delivery(
            f"dlv_{len(self.sent)}", channel, News.TEST, Severity.INFO, "t", "b", now, now,
            state=state, error=self.broken,
        )  # fmt: skip
        self.sent.insert(0, sent)
        return sent
