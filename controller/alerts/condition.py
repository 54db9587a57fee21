"""What holds at one moment and may be worth an alert, before time has had its say; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.model.alert import Rule, Severity
from controller.model.text import Text


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. `key` is the same for all that one alert is about; `since` is
    its first sign. `latched`: it stays until somebody has seen to it."""

    key: str
    rule: Rule
    severity: Severity
    cause: Text
    since: datetime
    service: str | None = None
    page: str = "/dashboard/alerts"
    incident: str | None = None
    folded: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    count: int = 1
    latched: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What holds now. Of alerts whose key begins with one of `blind` nobody can say whether they
    still hold: they stay as they are. `ended` says why a key that is gone is gone, where that is
    not plain."""

    conditions: tuple[Condition, ...] = ()
    blind: tuple[str, ...] = ()
    ended: tuple[tuple[str, Text], ...] = ()

    def is_blind(self, key: str) -> bool:
        return key.startswith(self.blind) if self.blind else False


def trouble_key(service: str) -> str:
    """The `|` ends a name, so that no name is the beginning of another."""
    return f"service:{service}|"


def slow_key(service: str) -> str:
    return f"slow:{service}|"


def logs_key(service: str, pattern: str = "") -> str:
    return f"logs:{service}|{pattern}"
