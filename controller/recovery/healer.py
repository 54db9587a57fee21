"""One turn of healing: from what is seen and remembered to what is told and done; pure.

Roots come before dependants, and a dependant is never restarted for its root. Everything that is
decided stands in an incident with its reason, also what was decided *not* to be done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.model.graph import with_dependencies
from controller.model.incident import Act, Ending, Kind
from controller.model.observation import State
from controller.model.recovery import ByHand, Held, Record
from controller.model.text import text
from controller.model.view import Desired, Health
from controller.recovery import policy, story
from controller.recovery.blame import blame, storm
from controller.recovery.ledger import Ledger
from controller.recovery.policy import Jitter
from controller.recovery.scene import DOWN, Busy, Memory, Scene, Sight, Turn
from controller.recovery.treatment import Treatment
from controller.recovery.trouble import Drive, Trouble, trouble_of


def heal(
    scene: Scene, memory: Memory, now: datetime, jitter: Jitter, new_id: Callable[[], str]
) -> Turn:
    """One turn. Nothing is concluded, and nothing done, while the engine does not answer."""
    ledger = Ledger(scene, memory, now, new_id)
    since = _storm_since(scene, memory, now) if scene.connected else memory.storm_since
    treatment = Treatment(scene, ledger, now, jitter, since)
    if scene.connected:
        healer = _Healer(scene, ledger, treatment, now)
        healer.undeclared()
        for name in with_dependencies(scene.stack, scene.sights):
            sight = scene.sights.get(name)
            if sight is not None and sight.spec.managed:
                healer.service(name, sight)
    return Turn(
        memory=ledger.memory(since),
        records=ledger.changed_records,
        incidents=ledger.changed_incidents,
        opened=tuple(ledger.opened),
        orders=tuple(treatment.orders),
        shown={name: ledger.healing(name) for name in scene.sights},
        ask=frozenset(treatment.ask),
        forgive=tuple(treatment.forgive),
        look_again_at=min(treatment.due, default=None),
    )


def _storm_since(scene: Scene, memory: Memory, now: datetime) -> datetime | None:
    if not storm(scene, now):
        return None
    before = memory.storm_since
    return now if before is None or before > now else before


class _Healer:
    def __init__(self, scene: Scene, ledger: Ledger, treatment: Treatment, now: datetime):
        self._scene = scene
        self._ledger = ledger
        self._treatment = treatment
        self._now = now

    def undeclared(self) -> None:
        """What left the stack is nobody's patient any more."""
        for incident in self._ledger.orphans():
            why = text("incident.undeclared")
            told = story.told(incident, Act.OPERATOR, why, self._now)
            self._ledger.keep(story.ended(told, Ending.OPERATOR, self._now))

    def service(self, name: str, sight: Sight) -> None:
        record = policy.sane(self._ledger.record(name), self._now)
        if sight.state not in DOWN or sight.life != record.wished_life:
            record = replace(record, wished_life=None)
        untouched = sight.busy is Busy.NO and name not in self._treatment.following
        if untouched and sight.state not in DOWN:
            record = policy.outlived(record, sight.life, self._now)
        self._ledger.remember(name, record)
        if sight.desired is Desired.STOPPED:
            self._rest(name)
        elif sight.busy is Busy.PERSON:
            self._by_person(name, sight)
        elif sight.busy is Busy.HUB:
            # Its end wakes us; until then nobody else touches it.
            self._treatment.show_loop(name)
        elif name in self._treatment.following:
            self._follow(name, sight, self._treatment.following[name])
        elif self._is_by_hand(name, sight):
            self._hold(name, sight)
        elif sight.verdict.health is Health.HEALTHY:
            self._well(name, sight)
        elif (trouble := trouble_of(sight)) is not None:
            self._sick(name, sight, trouble)
        else:
            self._neither(name, sight)

    def _rest(self, name: str) -> None:
        """A person wants it stopped: whatever was going on is over."""
        self._ledger.tell(name, Act.OPERATOR, text("incident.stop_asked"))
        incident = self._ledger.incident(name)
        if incident is not None:
            self._ledger.keep(story.ended(incident, Ending.OPERATOR, self._now))
        self._ledger.remember(name, policy.afresh(self._ledger.record(name)))

    def _by_person(self, name: str, sight: Sight) -> None:
        """A person acts on it through the hub: old tries and holds no longer count, and should
        their start fail, what they did beside the hub before it is no reason to leave it alone."""
        self._ledger.acted(name, "interrupted")
        self._ledger.tell(name, Act.OPERATOR, text("incident.operator"))
        wished = sight.life if sight.state in DOWN else None
        record = replace(policy.afresh(self._ledger.record(name)), wished_life=wished)
        self._ledger.remember(name, record)

    def _follow(self, name: str, sight: Sight, root: str) -> None:
        """It restarts along with what it needs: nothing else is done about it now."""
        trouble = trouble_of(sight)
        if trouble is not None and self._ledger.incident(name) is None:
            self._ledger.begin(name, sight, trouble, root)
        self._ledger.acted(name, "interrupted")
        why = text("cause.dependent_restart", service=root)
        self._ledger.tell(name, Act.RESTART, why, "running")
        self._treatment.show_loop(name)

    def _is_by_hand(self, name: str, sight: Sight) -> bool:
        """Whether a person took it down beside the hub, and it still is."""
        record = self._ledger.record(name)
        how: ByHand | None
        if sight.state is State.PAUSED:
            how = ByHand.PAUSED
        elif sight.state not in DOWN or sight.life == record.wished_life:
            return self._let_go(name, record)
        elif record.held is not None and not _lived_since(sight, record.held.life):
            # The engine forgets who ended it; what was seen once stays true.
            how = sight.by_hand or record.held.how
        else:
            how = sight.by_hand
        if how is None:
            return self._let_go(name, record)
        if record.held is None or record.held.how is not how:
            held = Held(how, sight.life, self._now)
            self._ledger.remember(name, replace(record, held=held, next_at=None, attempt=None))
        return True

    def _let_go(self, name: str, record: Record) -> bool:
        if record.held is not None:
            self._ledger.remember(name, replace(record, held=None))
        return False

    def _hold(self, name: str, sight: Sight) -> None:
        held = self._ledger.record(name).held
        assert held is not None
        why = text(f"incident.{held.how}_outside")
        incident = self._ledger.incident(name)
        if incident is None:
            trouble = Trouble(Kind.STOPPED_OUTSIDE, Drive.DEATH, why, sight.since)
            self._ledger.begin(name, sight, trouble)
        else:
            self._ledger.keep(story.turned_out(incident, why, self._now))
        self._ledger.acted(name, "interrupted")
        self._ledger.tell(name, Act.HOLD, why)
        self._ledger.show(name, Health.HELD, why)

    def _well(self, name: str, sight: Sight) -> None:
        record = self._ledger.record(name)
        since = record.well_since or self._now
        if record.attempt is not None and record.attempt.life == sight.life:
            # It became well before the try was made.
            self._ledger.acted(name, "interrupted")
        record = self._ledger.remember(
            name, replace(record, well_since=since, gave_up_at=None, attempt=None, next_at=None)
        )
        incident = self._ledger.incident(name)
        if incident is None:
            return
        settled_at = since + timedelta(seconds=policy.settle_s(record))
        if self._now >= settled_at:
            self._ledger.keep(story.closed(incident, sight.life, self._now))
            return
        self._treatment.due.append(settled_at)
        self._treatment.show_loop(name)

    def _neither(self, name: str, sight: Sight) -> None:
        """Starting, finished or unknown: a break in being well, and no reason to act."""
        record = self._ledger.record(name)
        if sight.verdict.health is Health.STARTING:
            self._ledger.remember(name, policy.rested(record, sight.spec.recovery, self._now))
            self._treatment.show_loop(name)
            self._take_up(name, sight)
        elif sight.verdict.health is Health.STOPPED:
            # A one-shot has finished its work: there is nothing left to try.
            record = replace(record, attempt=None, next_at=None, gave_up_at=None)
            self._ledger.remember(name, record)
            incident = self._ledger.incident(name)
            if incident is not None:
                self._ledger.keep(story.closed(incident, sight.life, self._now))

    def _take_up(self, name: str, sight: Sight) -> None:
        """A try that a dead hub decided and did not make: its successor sees the same life with a
        clean slate, and would wait for a start-up that was over long ago."""
        record, incident = self._ledger.record(name), self._ledger.incident(name)
        if record.attempt is None or incident is None or not sight.suspect:
            return
        if record.attempt.life == sight.life:
            trouble = Trouble(incident.kind, Drive.PROBES, incident.cause, sight.since)
            blamed = blame(self._scene, name, trouble, self._now)
            if blamed.root is None:
                self._treatment.treat(name, sight, trouble, blamed)

    def _sick(self, name: str, sight: Sight, trouble: Trouble) -> None:
        record = policy.rested(self._ledger.record(name), sight.spec.recovery, trouble.since)
        self._ledger.remember(name, record)
        if record.gave_up_at is not None:
            if not _lived_since(sight, record.gave_up_life):
                self._treatment.show_given_up(name, sight)
                return
            self._ledger.remember(name, policy.afresh(record))
        if self._scene.arrival is not None and self._scene.pause is None:
            self._found(name, sight, trouble)
            return
        blamed = blame(self._scene, name, trouble, self._now)
        if self._ledger.incident(name) is None:
            if blamed.unsure and trouble.drive is Drive.PROBES:
                self._treatment.wait_for(blamed)
                return
            self._ledger.begin(name, sight, trouble, blamed.root)
        self._finish_attempt(name, sight)
        if blamed.root is not None:
            self._treatment.block(name, blamed.root)
        elif self._treatment.released(name, sight, trouble):
            self._treatment.treat(name, sight, trouble, blamed)

    def _found(self, name: str, sight: Sight, trouble: Trouble) -> None:
        """Dead on arrival: convergence starts it, in order, and nothing is charged for it."""
        assert self._scene.arrival is not None
        alive = trouble.drive in (Drive.PROBES, Drive.SHARE)
        if alive or self._ledger.incident(name) is not None:
            self._treatment.look_soon()
            return
        why = text("incident.found", why=trouble.cause, away=self._scene.arrival)
        self._ledger.begin(name, sight, replace(trouble, cause=why))
        self._ledger.tell(name, Act.START, self._scene.arrival, "running")

    def _finish_attempt(self, name: str, sight: Sight) -> None:
        """The try before this one did not help, or died with the hub that made it."""
        record = self._ledger.record(name)
        if record.attempt is None:
            self._ledger.acted(name, "failed")
        elif record.attempt.life != sight.life:
            self._ledger.remember(name, replace(record, attempt=None))
            self._ledger.acted(name, "interrupted")


def _lived_since(sight: Sight, life: str) -> bool:
    """Whether somebody started it after `life` ended; a container that is gone or was only made
    anew lives no new life."""
    return sight.life != life and sight.state not in (State.MISSING, State.CREATED, State.REMOVING)


def exempt(memory: Memory) -> frozenset[str]:
    """Services that convergence must leave to healing: held, given up, or being treated. What an
    earlier convergence was starting is not among them."""
    return frozenset(
        name
        for name, record in memory.records.items()
        if record.held or record.gave_up_at or record.attempt or _treated(memory, record)
    )


def _treated(memory: Memory, record: Record) -> bool:
    incident = memory.incidents.get(record.incident) if record.incident else None
    return incident is not None and story.acting(incident) is None
