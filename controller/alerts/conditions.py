"""Everything that is wrong now, from what is known: services, runs, and what the hub stands on;
pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controller.alerts.condition import Condition, Seen
from controller.alerts.facts import DiskFact, Facts
from controller.alerts.rules import Rules
from controller.alerts.runs import run_conditions
from controller.alerts.services import services_seen
from controller.model.alert import Alert, Rule, Severity
from controller.model.text import Text, text

_DAY_S = 86_400.0
_HEALTH = "/dashboard/services"


def look(facts: Facts, alerts: Iterable[Alert], rules: Rules) -> Seen:
    """What holds now. `alerts` are the open ones: of a run that failed they are the memory."""
    seen = services_seen(facts, rules)
    more = (
        *_engine(facts, rules),
        *_certificate(facts, rules),
        *_disks(facts, rules),
        *_stores(facts, rules),
        *_channels(facts, rules),
        *run_conditions(alerts, facts.run_ends, rules),
    )
    # Nobody may have looked at a disk yet, or it may be out of sight: then it is not well either.
    looked = {f"disk:{disk.what}" for disk in facts.disks}
    unseen = tuple(a.key for a in alerts if a.key.startswith("disk:") and a.key not in looked)
    gone = text("alert.ended.undeclared")
    undeclared = tuple(
        (a.key, gone) for a in alerts if a.service is not None and a.service not in facts.declared
    )
    return Seen(
        conditions=(*seen.conditions, *more),
        blind=(*seen.blind, *unseen),
        ended=(*seen.ended, *undeclared),
    )


def _engine(facts: Facts, rules: Rules) -> Iterator[Condition]:
    terms = rules.of(Rule.ENGINE_UNREACHABLE)
    if terms.enabled and not facts.connected:
        since = facts.engine_since or facts.now
        cause = text("alert.engine_unreachable")
        yield Condition(
            "engine", Rule.ENGINE_UNREACHABLE, terms.severity, cause, since, page=_HEALTH
        )


def _certificate(facts: Facts, rules: Rules) -> Iterator[Condition]:
    terms = rules.of(Rule.CERTIFICATE_EXPIRING)
    if facts.certificate_until is None or not terms.enabled:
        return
    days = (facts.certificate_until - facts.now).total_seconds() / _DAY_S
    if days > terms.limit:
        return
    urgent = days <= terms.critical_limit
    cause = text(
        "alert.certificate_expiring" if days > 0 else "alert.certificate_expired",
        days=max(0, int(days)),
        until=facts.certificate_until.strftime("%Y-%m-%d"),
    )
    yield Condition(
        "certificate",
        Rule.CERTIFICATE_EXPIRING,
        Severity.CRITICAL if urgent else terms.severity,
        cause,
        facts.now,
        page=_HEALTH,
    )


def _disks(facts: Facts, rules: Rules) -> Iterator[Condition]:
    terms = rules.of(Rule.DISK_FULL)
    for disk in facts.disks if terms.enabled else ():
        if disk.free_percent >= terms.limit:
            continue
        urgent = disk.free_percent < terms.critical_limit
        yield Condition(
            f"disk:{disk.what}",
            Rule.DISK_FULL,
            Severity.CRITICAL if urgent else terms.severity,
            _full(disk),
            facts.now,
            page=_HEALTH,
        )


def _full(disk: DiskFact) -> Text:
    return text(
        "alert.disk_full",
        what=text(f"alert.disk.{disk.what}"),
        path=disk.path,
        percent=round(disk.free_percent, 1),
        gib=round(disk.free_bytes / (1 << 30), 1),
    )


def _stores(facts: Facts, rules: Rules) -> Iterator[Condition]:
    terms = rules.of(Rule.STORE_FAILING)
    for store, why in facts.problems.items() if terms.enabled else ():
        cause = text("alert.store_failing", store=text(f"alert.store.{store}"), why=why)
        yield Condition(
            f"store:{store}", Rule.STORE_FAILING, terms.severity, cause, facts.now, page=_HEALTH
        )


def _channels(facts: Facts, rules: Rules) -> Iterator[Condition]:
    terms = rules.of(Rule.CHANNEL_DEAD)
    for channel, (since, why) in facts.dead.items() if terms.enabled else ():
        cause = text("alert.channel_dead", channel=channel, why=why)
        yield Condition(f"channel:{channel}", Rule.CHANNEL_DEAD, terms.severity, cause, since)
