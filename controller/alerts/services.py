"""What is wrong with services, root causes only; pure.

Nothing is concluded here that healing has not concluded before: a service is ill where its verdict
or its open incident says so. What a person did on purpose is not ill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.alerts.blame import down_on_purpose, excused, ill, root_of
from controller.alerts.condition import Condition, Seen, logs_key, slow_key, trouble_key
from controller.alerts.facts import Facts, ServiceFact
from controller.alerts.rules import Rules, named
from controller.model.alert import Rule
from controller.model.incident import Kind
from controller.model.text import Text, text
from controller.model.view import Health

_GIVEN_UP = "incident.given_up"
_PROBED = (Kind.HANG, Kind.UNHEALTHY)
_UNDECIDED = (Health.STARTING, Health.UNKNOWN)
_SHOWN = 300
_STACK = "stack"


def services_seen(facts: Facts, rules: Rules) -> Seen:
    """Conditions of all services, and of which nothing can be said now."""
    if not facts.connected or not facts.known or facts.paused or facts.ill:
        # Nobody knows, or nobody is to be told; and the pages say which.
        return Seen(blind=("service:", "slow:", "logs:", _STACK))
    services = facts.services
    roots = {name: root_of(services, name) for name, fact in services.items() if ill(fact)}
    quiet = {name for name, fact in services.items() if excused(fact)}
    folded: dict[str, list[str]] = {}
    for name, root in roots.items():
        if root != name:
            folded.setdefault(root, []).append(name)
    conditions: list[Condition] = []
    blind: list[str] = []
    ended: list[tuple[str, Text]] = []
    stormy = _in_storm(facts, roots) if rules.of(Rule.STACK_FAILING).enabled else ()
    conditions += _storm(facts, stormy, folded, rules)
    for name, fact in services.items():
        if down_on_purpose(fact):
            ended += [(key, text("alert.ended.stopped")) for key in _keys(name)]
        elif name in quiet or name in stormy or roots.get(name, name) != name:
            blind += _keys(name)
        elif name in roots:
            blind += [slow_key(name), logs_key(name)]
            conditions += _ill(fact, tuple(folded.get(name, ())), rules, facts)
        elif fact.health in _UNDECIDED:
            # It may yet fail: what only starts is neither ill nor well again.
            blind += _keys(name)
        else:
            conditions += _well(fact, rules, facts)
            conditions += _said(facts, name, rules)
    for name in {each.service for each in facts.counted} - services.keys():
        conditions += _said(facts, name, rules)
    return Seen(tuple(conditions), tuple(blind), tuple(ended))


def _in_storm(facts: Facts, roots: Mapping[str, str]) -> tuple[str, ...]:
    """Services that are not ill by themselves: so many fail their probes at once that the cause is
    the network, the machine or the hub."""
    if facts.storm_since is None:
        return ()
    return tuple(
        name for name, root in roots.items() if root == name and _probed(facts.services[name])
    )


def _storm(
    facts: Facts, stormy: tuple[str, ...], folded: Mapping[str, list[str]], rules: Rules
) -> Iterator[Condition]:
    if facts.storm_since is None or not stormy:
        return
    names = (*stormy, *(other for name in stormy for other in folded.get(name, ())))
    yield Condition(
        _STACK,
        Rule.STACK_FAILING,
        rules.of(Rule.STACK_FAILING).severity,
        text("alert.stack_failing"),
        facts.storm_since,
        page="/dashboard/services",
        folded=names,
    )


def _probed(fact: ServiceFact) -> bool:
    """Whether its probes say that it is ill, and not that its process is gone."""
    if fact.reason.key == _GIVEN_UP:
        return False
    return fact.incident.kind in _PROBED if fact.incident else fact.health is Health.UNHEALTHY


def not_counted(services: Mapping[str, ServiceFact]) -> frozenset[str]:
    """Services whose lines are not held against them now: something else explains them."""
    return frozenset(
        name for name, fact in services.items() if excused(fact) or root_of(services, name) != name
    )


def _keys(service: str) -> list[str]:
    return [trouble_key(service), slow_key(service), logs_key(service)]


def _ill(
    fact: ServiceFact, folded: tuple[str, ...], rules: Rules, facts: Facts
) -> Iterator[Condition]:
    incident = fact.incident
    since = min(fact.since, incident.opened_at) if incident else fact.since
    found = [Rule.UNHEALTHY if _probed(fact) else Rule.SERVICE_DOWN]
    if fact.reason.key == _GIVEN_UP:
        found = [Rule.GAVE_UP]
    for rule in found:
        if rules.of(rule).enabled:
            yield Condition(
                trouble_key(fact.name),
                rule,
                rules.of(rule).severity,
                text(f"alert.{rule}", why=fact.reason),
                since,
                fact.name,
                _page(fact),
                incident.id if incident else None,
                folded,
            )
    if found != [Rule.GAVE_UP]:
        yield from _flaps(fact, rules, facts, folded)


def _well(fact: ServiceFact, rules: Rules, facts: Facts) -> Iterator[Condition]:
    yield from _flaps(fact, rules, facts, ())
    terms = rules.of(Rule.SLOW)
    if terms.enabled and fact.p95_ms is not None and fact.p95_ms > terms.limit:
        cause = text("alert.slow", p95=round(fact.p95_ms), limit=round(terms.limit))
        yield Condition(
            slow_key(fact.name),
            Rule.SLOW,
            terms.severity,
            cause,
            facts.now,
            fact.name,
            "/dashboard/services",
        )


def _flaps(
    fact: ServiceFact, rules: Rules, facts: Facts, folded: tuple[str, ...]
) -> Iterator[Condition]:
    terms = rules.of(Rule.FLAPPING)
    recent = [at for at in fact.restarts if 0 <= (facts.now - at).total_seconds() < terms.window_s]
    if not terms.enabled or len(recent) < terms.count:
        return
    cause = text("alert.flapping", count=len(recent), minutes=_minutes(terms.window_s))
    yield Condition(
        trouble_key(fact.name),
        Rule.FLAPPING,
        terms.severity,
        cause,
        min(recent),
        fact.name,
        _page(fact),
        fact.incident.id if fact.incident else None,
        folded,
    )


def _said(facts: Facts, service: str, rules: Rules) -> Iterator[Condition]:
    for each in facts.counted:
        if each.service != service:
            continue
        pattern = named(rules.patterns, each.pattern) if each.pattern else None
        rule = Rule.LOG_PATTERN if each.pattern else Rule.ERROR_RATE
        terms = rules.of(rule)
        needed = pattern.count if pattern else terms.count
        window_s = pattern.window_s if pattern else terms.window_s
        if not terms.enabled or each.count < needed:
            continue
        told: Mapping[str, str | int | float] = {
            "count": each.count,
            "minutes": _minutes(window_s),
            "name": each.pattern,
            "last": each.last[:_SHOWN],
        }
        yield Condition(
            logs_key(service, each.pattern),
            rule,
            pattern.severity if pattern else terms.severity,
            Text(f"alert.{rule}", told),
            each.first_at,
            service,
            f"/dashboard/logs?service={service}" + ("" if pattern else "&level=error"),
            count=each.count,
        )


def _minutes(seconds: float) -> float:
    minutes = seconds / 60
    return round(minutes) if minutes == round(minutes) else round(minutes, 1)


def _page(fact: ServiceFact) -> str:
    if fact.incident is not None:
        return f"/dashboard/incidents/{fact.incident.id}"
    return "/dashboard/services"
