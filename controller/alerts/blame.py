"""Which service stands behind the trouble of another, so that one cause is one alert; pure.

The same question that `recovery.blame` answers for healing. Here nobody waits to be sure: a service
that looks ill a moment before its root does is folded in long before anybody would be told of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from controller.alerts.facts import ServiceFact
from controller.model.incident import Kind
from controller.model.view import Desired, Health


def down_on_purpose(fact: ServiceFact) -> bool:
    """Whether a person took it down, through the hub or beside it."""
    by_hand = fact.incident is not None and fact.incident.kind is Kind.STOPPED_OUTSIDE
    return fact.desired is Desired.STOPPED or fact.health is Health.HELD or by_hand


def excused(fact: ServiceFact) -> bool:
    """Whether a person has it down on purpose, or is at it."""
    rehearsed = fact.incident is not None and fact.incident.rehearsal is not None
    return down_on_purpose(fact) or fact.by_person or fact.rehearsing or rehearsed


def ill(fact: ServiceFact) -> bool:
    """Whether it should serve and does not. What only starts is not ill, unless it is being
    healed."""
    if fact.desired is Desired.STOPPED:
        return False
    if fact.health in (Health.UNHEALTHY, Health.FAILED, Health.BLOCKED):
        return True
    return fact.health is Health.STARTING and fact.incident is not None


def root_of(services: Mapping[str, ServiceFact], name: str) -> str:
    """The service furthest down that explains why `name` is ill; `name` itself where none does."""
    seen = {name}
    current = name
    while (further := _needed_and_down(services, current, seen)) is not None:
        seen.add(further)
        current = further
    return current


def _needed_and_down(services: Mapping[str, ServiceFact], name: str, seen: set[str]) -> str | None:
    for need in services[name].needs:
        fact = services.get(need.service)
        if fact is None or need.service in seen:
            continue
        down = fact.health is Health.FAILED if need.finishes else _serves_not(fact)
        if down:
            return need.service
    return None


def _serves_not(fact: ServiceFact) -> bool:
    return fact.health is not Health.HEALTHY or fact.by_person or fact.rehearsing
