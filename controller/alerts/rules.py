"""When something that is seen is worth an alert: plain values with defaults that fit most; pure.

`after` is how long it must last before anybody is told, `quiet` how long it must be gone before it
counts as over: so nothing that comes and goes rings a bell each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from controller.model.alert import Rule, Severity

_MINUTE = 60.0
# A service may be ill in several of these ways; the last is what its alert is about.
RANK = (Rule.FLAPPING, Rule.UNHEALTHY, Rule.SERVICE_DOWN, Rule.GAVE_UP)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one rule says. `count` and `window_s` are for what is counted; `limit` is the rule's
    own bound: milliseconds, percent of free space or days."""

    severity: Severity = Severity.WARNING
    after_s: float = 0.0
    quiet_s: float = 30.0
    enabled: bool = True
    count: int = 0
    window_s: float = 0.0
    limit: float = 0.0
    critical_limit: float = 0.0


@dataclass(frozen=True, slots=True)
class LogPattern:
    """Lines that are worth an alert: `count` of them within `window_s`. `services` None: any."""

    name: str
    match: re.Pattern[str]
    services: frozenset[str] | None = None
    severity: Severity = Severity.WARNING
    count: int = 1
    window_s: float = 5 * _MINUTE


_DEFAULTS: dict[Rule, Terms] = {
    Rule.SERVICE_DOWN: Terms(Severity.CRITICAL, _MINUTE),
    Rule.UNHEALTHY: Terms(Severity.CRITICAL, _MINUTE),
    Rule.FLAPPING: Terms(Severity.WARNING, 0.0, count=3, window_s=10 * _MINUTE),
    Rule.GAVE_UP: Terms(Severity.CRITICAL, 0.0),
    Rule.STACK_FAILING: Terms(Severity.CRITICAL, _MINUTE),
    Rule.SLOW: Terms(Severity.WARNING, 2 * _MINUTE, 2 * _MINUTE, limit=500.0),
    Rule.ERROR_RATE: Terms(Severity.WARNING, 0.0, _MINUTE, count=100, window_s=5 * _MINUTE),
    Rule.LOG_PATTERN: Terms(Severity.WARNING, 0.0, _MINUTE, window_s=5 * _MINUTE),
    Rule.RUN_FAILED: Terms(Severity.WARNING, 0.0, 0.0),
    Rule.COMPENSATION_FAILED: Terms(Severity.CRITICAL, 0.0, 0.0),
    Rule.DISK_FULL: Terms(Severity.WARNING, _MINUTE, 2 * _MINUTE, limit=10.0, critical_limit=3.0),
    Rule.ENGINE_UNREACHABLE: Terms(Severity.CRITICAL, 30.0, 10.0),
    Rule.CERTIFICATE_EXPIRING: Terms(Severity.WARNING, 0.0, 0.0, limit=21.0, critical_limit=3.0),
    Rule.STORE_FAILING: Terms(Severity.CRITICAL, 15.0, 15.0),
    Rule.CHANNEL_DEAD: Terms(Severity.WARNING, 2 * _MINUTE, 0.0),
}


@dataclass(frozen=True, slots=True)
class Route:
    """Who is told of what: alerts at least this bad, of these services (none: of anything)."""

    channels: tuple[str, ...]
    severity: Severity = Severity.INFO
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """All of it. Where no route is given every channel is told everything."""

    terms: Mapping[Rule, Terms] = field(default_factory=lambda: dict(_DEFAULTS))
    patterns: tuple[LogPattern, ...] = ()
    channels: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    renotify_s: float = 4 * 60 * _MINUTE
    language: str = "en"
    link: str = "http://localhost:8015"

    def of(self, rule: Rule) -> Terms:
        return self.terms[rule]

    def channels_for(self, severity: Severity, service: str | None) -> tuple[str, ...]:
        """Who is told of something this bad, in the order of the configuration."""
        if not self.routes:
            return self.channels
        told = {
            name
            for route in self.routes
            if severity.rank >= route.severity.rank
            and (not route.services or service in route.services)
            for name in route.channels
        }
        return tuple(name for name in self.channels if name in told)


def with_terms(said: Mapping[Rule, Mapping[str, Any]]) -> dict[Rule, Terms]:
    """The defaults, and over them what is said; None leaves a value as it is."""
    known = {each.name for each in fields(Terms)}
    return {
        rule: replace(
            usual,
            **{k: v for k, v in said.get(rule, {}).items() if v is not None and k in known},
        )
        for rule, usual in _DEFAULTS.items()
    }


def rank_of(rule: Rule) -> int:
    """Which of two rules of the same service says more of it."""
    return RANK.index(rule) if rule in RANK else 0


def named(patterns: Sequence[LogPattern], name: str) -> LogPattern | None:
    return next((pattern for pattern in patterns if pattern.name == name), None)
