"""A night watch for tests: facts change, time passes second by second, what is told is kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from controller.alerts import life
from controller.alerts.conditions import look
from controller.alerts.facts import Counted, Facts, Need, RunEnd, ServiceFact
from controller.alerts.rules import Rules
from controller.model.alert import Alert, News, Rule, Silence
from controller.model.incident import Incident, Kind
from controller.model.text import text
from controller.model.view import Desired, Health

START = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
GIVEN_UP = text("incident.given_up", count=10, why=text("exit.code", code=1), name="root")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def well(name: str, *needs: str, **more: Any) -> ServiceFact:
    return ServiceFact(
        name,
        Desired.RUNNING,
        Health.HEALTHY,
        text("health.ok"),
        START,
        tuple(Need(need) for need in needs),
        **more,
    )


def incident(service: str, kind: Kind = Kind.CRASH, **more: Any) -> Incident:
    why = text("exit.code", code=1)
    return Incident(f"inc_{service}", service, kind, why, START, START, **more)


@dataclass
class Watch:
    """Three services, `leaf` needs `middle` needs `root`, and whatever a test does to them."""

    rules: Rules = field(default_factory=lambda: Rules(channels=("ops",)))
    facts: Facts = field(
        default_factory=lambda: Facts(
            START,
            services={
                "root": well("root"),
                "middle": well("middle", "root"),
                "leaf": well("leaf", "middle"),
                "other": well("other"),
            },
            declared=frozenset({"root", "middle", "leaf", "other", "unmanaged"}),
        )
    )
    open: dict[str, Alert] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)
    told: list[tuple[News, Alert]] = field(default_factory=list)
    over: list[Alert] = field(default_factory=list)
    now: datetime = START
    pending: life.Pending = field(default_factory=dict)
    ids: Any = field(default_factory=count)

    def change(self, name: str, **facts: Any) -> None:
        services = dict(self.facts.services)
        services[name] = replace(services[name], **({"since": self.now} | facts))
        self.facts = replace(self.facts, services=services)

    def down(self, name: str, **facts: Any) -> None:
        """It died, and healing is at it."""
        more = {"health": Health.FAILED, "reason": text("exit.code", code=1)}
        self.change(name, **(more | {"incident": incident(name)} | facts))

    def up(self, name: str, **facts: Any) -> None:
        more = {"health": Health.HEALTHY, "reason": text("health.ok"), "incident": None}
        self.change(name, **(more | facts))

    def ends(self, *ends: RunEnd) -> None:
        """These runs end; it takes one turn."""
        self.facts = replace(self.facts, run_ends=ends)
        self.wait(1)
        self.facts = replace(self.facts, run_ends=())

    def count_lines(self, service: str, number: int, pattern: str = "") -> None:
        counted = (Counted(service, number, self.now, pattern, "boom"),) if number else ()
        self.facts = replace(self.facts, counted=counted)

    def set(self, **facts: Any) -> None:
        self.facts = replace(self.facts, **facts)

    def wait(self, seconds: float) -> None:
        """Let so many turns pass, one a second."""
        for _ in range(int(seconds)):
            self.now += timedelta(seconds=1)
            self.facts = replace(self.facts, now=self.now)
            self.turn()

    def turn(self) -> life.Turn:
        seen = look(self.facts, self.open.values(), self.rules)
        turn = life.turn(
            seen,
            self.open,
            self.pending,
            self.silences,
            self.rules,
            self.now,
            lambda: f"alt_{next(self.ids)}",
        )
        self.open, self.pending = dict(turn.open), turn.pending
        self.told += [(telling.news, telling.alert) for telling in turn.tellings]
        self.over += [alert for alert in turn.changed if not alert.is_open]
        return turn

    @property
    def said(self) -> list[tuple[str, str, str | None]]:
        """What was told, as news, rule and service."""
        return [(str(news), str(alert.rule), alert.service) for news, alert in self.told]

    def one(self, rule: Rule) -> Alert:
        """The one alert there is, which must be of this rule."""
        (alert,) = self.open.values()
        assert alert.rule is rule
        return alert


def run_end(run: str, **more: Any) -> RunEnd:
    facts: dict[str, Any] = {"good": False, "reason": text("exit.code", code=1)}
    return RunEnd(run, "orders", START.timestamp(), **(facts | more))
