"""Proof that the invariants bite: hubs that are broken on purpose, each to be caught by its own.

A simulation that never complains may be right, or blind. Every mutant here takes one rule out of
healing; the worlds are played until the invariant that stands for the rule says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

from controller.model.incident import Kind
from controller.model.recovery import Record
from controller.model.text import Text, text
from controller.model.view import Health
from controller.recovery import healer, policy, story, treatment
from controller.recovery.blame import Blame
from controller.recovery.ledger import Ledger
from controller.recovery.scene import Memory, Scene, Sight, Turn
from controller.recovery.treatment import Treatment
from controller.recovery.trouble import Drive, Trouble
from tests.simulation import hub, invariants
from tests.simulation.play import HOURS, play

Patch = tuple[object, str, object]


@dataclass(frozen=True)
class Mutant:
    """A hub without one of its rules. `says` is how the violation that it must cause reads; `seed`
    is where to begin, for a rule that few worlds put to the test."""

    name: str
    says: str
    patches: tuple[Patch, ...]
    seed: int = 0


@dataclass(frozen=True)
class Caught:
    """How a mutant ended: after so many worlds; `violation` is '' where nobody noticed."""

    mutant: Mutant
    worlds: int
    violation: str

    @property
    def as_expected(self) -> bool:
        return re.search(self.mutant.says, self.violation) is not None


def catch(mutant: Mutant, seeds: Iterable[int]) -> Caught:
    """Play these worlds with the broken hub until one of them is violated."""
    worlds = 0
    with ExitStack() as broken:
        for owner, name, wrong in mutant.patches:
            broken.enter_context(patch.object(owner, name, wrong))
        for seed in seeds:
            worlds += 1
            violation = play(seed, HOURS).violation
            if violation:
                return Caught(mutant, worlds, f"seed {seed}: {violation}")
    return Caught(mutant, worlds, "")


def _always(answer: object) -> Callable[..., Any]:
    return lambda *_, **__: answer


def _without_alarm(*given: Any) -> Turn:
    return replace(healer.heal(*given), look_again_at=None)


def _without_attempts(scene: Scene, memory: Memory, *rest: Any) -> Turn:
    records = {name: replace(r, attempt=None) for name, r in memory.records.items()}
    return healer.heal(scene, replace(memory, records=records), *rest)


def _heeds_not(reason: str) -> Patch:
    """Every reason to hold back but this one."""

    def withheld(self: Treatment, sight: Sight, trouble: Trouble) -> Text | None:
        why = _withheld(self, sight, trouble)
        return None if why is not None and why.key == reason else why

    return (Treatment, "_withheld", withheld)


_withheld = Treatment._withheld
_whim = count()
_rule = policy.rule
_sane = policy.sane
_trouble_of = healer.trouble_of
_by_person = healer._Healer._by_person
_well = healer._Healer._well


def _forgetful(record: Record, now: datetime) -> Record:
    return record if _sane(record, now) == record else replace(record, restarts=())


def _moody(*given: Any, **named: Any) -> policy.Ruling:
    ruling = _rule(*given, **named)
    delay_s = ruling.delay_s
    return ruling if delay_s is None else replace(ruling, delay_s=delay_s + next(_whim) % 2)


def _deaf_to_probes(sight: Sight) -> Trouble | None:
    found = _trouble_of(sight)
    return None if found is not None and found.drive is Drive.PROBES else found


def _false_alarm(self: Any, name: str, sight: Sight) -> None:
    _well(self, name, sight)
    if sight.verdict.health is Health.HEALTHY and self._ledger.incident(name) is None:
        why = text("health.never_ready")
        self._ledger.begin(name, sight, Trouble(Kind.HANG, Drive.PROBES, why, self._now))


def _grudging(self: Any, name: str, sight: Sight) -> None:
    _by_person(self, name, sight)
    self._ledger.remember(name, replace(self._ledger.record(name), wished_life=None))


MUTANTS = (
    Mutant(
        "starts what a person stopped",
        "by a person, and is started",
        ((healer._Healer, "_is_by_hand", _always(False)),),
    ),
    Mutant("never runs out of tries", "over its budget", ((policy, "is_spent", _always(False)),)),
    Mutant(
        "ignores the budget of the stack",
        "the stack is over its budget",
        ((treatment, "_MINUTE", timedelta(0)),),
    ),
    Mutant("treats all at once", "too many at once", ((Treatment, "_at_once", _always(99)),)),
    Mutant(
        "blames no root",
        "is restarted for",
        ((healer, "blame", _always(Blame())), (hub.Hub, "_roots_are_well", _always(True))),
    ),
    Mutant("heals while paused", "while paused", (_heeds_not("incident.hub_paused"),)),
    Mutant("heals in a storm", "in a storm", (_heeds_not("incident.storm"),)),
    Mutant("heals while it is ill", "by an ill hub", (_heeds_not("incident.hub_ill"),), seed=49),
    Mutant("heals what is only watched", "only watched", (_heeds_not("incident.watch_only"),)),
    Mutant(
        "shows a loop as well", "loop shown as well", ((Treatment, "show_loop", _always(None)),)
    ),
    Mutant(
        "takes the late kill of a dead hub for a person's",
        "held for nobody",
        ((policy, "own_requests", lambda _claim, life, ended, *_: ended.get(life, 0)),),
    ),
    Mutant(
        "remembers a stop when it was asked to start since",
        "held for nobody",
        ((healer._Healer, "_by_person", _grudging),),
        seed=194,
    ),
    Mutant(
        "does not hear the probes",
        "an outage without an incident",
        ((healer, "trouble_of", _deaf_to_probes),),
    ),
    Mutant(
        "cries wolf",
        "an incident without an outage",
        ((healer._Healer, "_well", _false_alarm),),
    ),
    Mutant(
        "acts without telling why",
        "an act that its incident does not tell",
        ((Ledger, "tell", _always(None)),),
    ),
    Mutant(
        "acts before it is recorded",
        "not recorded",
        ((Ledger, "changed_records", {}),),
    ),
    Mutant(
        "forgets its tries when the clock is set",
        "tries forgotten",
        ((policy, "sane", _forgetful),),
    ),
    Mutant(
        "counts a try again after its own death",
        "twice",
        ((hub, "heal", _without_attempts), (invariants, "heal", _without_attempts)),
    ),
    Mutant(
        "sets no alarm for what is due",
        "something was due",
        ((hub, "heal", _without_alarm),),
    ),
    Mutant("follows its moods", "two turns differ", ((policy, "rule", _moody),)),
    Mutant(
        "closes no incident",
        "its incident open",
        ((story, "closed", lambda incident, *_: incident),),
    ),
    Mutant("leaves the sick alone", "is left", ((Treatment, "_schedule", _always(None)),)),
)
"""Each takes out one rule."""
