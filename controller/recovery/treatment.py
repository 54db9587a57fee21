"""What is done about a service that is sick by itself: when, how, and why not; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from controller.model.graph import followers
from controller.model.incident import Act, Ending, Incident, Kind
from controller.model.observation import State
from controller.model.recovery import Attempt, Claim, Record
from controller.model.spec import HealthCheck, ProbeKind, RecoveryPolicy
from controller.model.text import Text, text
from controller.model.view import Desired, Health
from controller.recovery import policy, story
from controller.recovery.blame import Blame
from controller.recovery.ledger import Ledger
from controller.recovery.policy import Jitter
from controller.recovery.scene import DOWN, Busy, Order, Scene, Sight
from controller.recovery.trouble import LOST_SHARE, NAMESPACE_GONE, Drive, Trouble

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_CHECK_S = 30.0


class Treatment:
    """The acts of one turn. `due` are the moments at which something must be looked at again;
    `following` are services that restart along with another, each with whom."""

    def __init__(
        self,
        scene: Scene,
        ledger: Ledger,
        now: datetime,
        jitter: Jitter,
        storm_since: datetime | None,
    ):
        self._scene = scene
        self._ledger = ledger
        self._now = now
        self._jitter = jitter
        self._storm_since = storm_since
        self.orders: list[Order] = []
        self.following: dict[str, str] = {}
        self.ask: set[str] = set()
        self.forgive: list[str] = []
        self.due: list[datetime] = []

    def look_soon(self) -> None:
        self.due.append(self._now + _SECOND)

    def block(self, name: str, root: str) -> None:
        """Leave it alone until the service it needs is well."""
        self._drop_attempt(name)
        cause = text("incident.blocked", service=root)
        if not _is_blocked(self._ledger.incident(name)):
            self._ledger.tell(name, Act.BLOCK, cause)
        record = self._ledger.record(name)
        self._ledger.remember(name, replace(record, freed_at=None, next_at=None))
        self._ledger.show(name, Health.BLOCKED, cause)

    def released(self, name: str, sight: Sight, trouble: Trouble) -> bool:
        """Whether what was blocked may be judged by itself again: only by newer bad signs."""
        if _is_blocked(self._ledger.incident(name)):
            self._ledger.tell(name, Act.UNBLOCK, text("incident.unblocked"))
            self._ledger.remember(name, replace(self._ledger.record(name), freed_at=self._now))
            self.forgive.append(name)
        freed = self._ledger.record(name).freed_at
        if freed is None or trouble.drive is not Drive.PROBES or trouble.since >= freed:
            return True
        if sight.spec.probe.kind is ProbeKind.ENGINE:
            # The engine's own check cannot be asked anew: after one more round it stands.
            stands_at = freed + _round_of(sight.spec.container.healthcheck)
            if self._now >= stands_at:
                return True
            self.due.append(stands_at)
        self._ledger.show(name, Health.BLOCKED, text("incident.reprobed"))
        return False

    def treat(self, name: str, sight: Sight, trouble: Trouble, blamed: Blame) -> None:
        """Restart it now or later, or say why not."""
        withheld = self._withheld(sight, trouble)
        if withheld is not None:
            self._drop_attempt(name)
            self._ledger.tell(name, Act.HOLD, withheld)
            why = text("incident.withheld", why=trouble.cause, hold=withheld)
            self._ledger.show(name, sight.verdict.health, why)
        elif blamed.unsure:
            self.wait_for(blamed)
        else:
            self._schedule(name, sight, trouble)

    def wait_for(self, blamed: Blame) -> None:
        """Ask the dependencies first: one of them may be what is wrong."""
        self.ask.update(blamed.unsure)
        self.look_soon()

    def show_loop(self, name: str) -> None:
        """What has fallen ill again and again is not shown as well, not even for the moment
        between its first good answer and the next turn."""
        record = self._ledger.record(name)
        seconds = policy.shown_s(policy.settle_s(record))
        if seconds and self._ledger.incident(name) is not None:
            why = text("incident.settling", count=record.streak, seconds=seconds)
            self._ledger.show(name, Health.UNHEALTHY, why)

    def show_given_up(self, name: str, sight: Sight) -> None:
        count = sight.spec.recovery.max_restarts
        why = text("incident.given_up", count=count, why=sight.verdict.reason, name=name)
        self._ledger.show(name, Health.FAILED, why)

    def _withheld(self, sight: Sight, trouble: Trouble) -> Text | None:
        """Why it is not treated although something is wrong with it."""
        if self._scene.pause is not None:
            return text("incident.hub_paused")
        if sight.spec.recovery.policy is RecoveryPolicy.NONE:
            return text("incident.watch_only")
        if trouble.drive is not Drive.PROBES:
            return None
        if self._scene.ill is not None:
            self.look_soon()
            return text("incident.hub_ill", why=self._scene.ill)
        if self._storm_since is not None:
            over = self._storm_since + timedelta(seconds=self._scene.stack.limits.hold_s)
            if self._now < over:
                self.due.append(over)
                return text("incident.storm")
        return None

    def _drop_attempt(self, name: str) -> None:
        """A try that a dead hub recorded is not made any more where something else comes first."""
        record = self._ledger.record(name)
        if record.attempt is not None:
            self._ledger.remember(name, replace(record, attempt=None))
            self._ledger.acted(name, "interrupted")

    def _schedule(self, name: str, sight: Sight, trouble: Trouble) -> None:
        record = self._ledger.record(name)
        if record.attempt is not None:
            # Recorded by a hub that died: made again, not counted again.
            if self._under_way() < self._at_once():
                self._order(name, sight, record.attempt.act, record.attempt.cause)
            return
        mending = trouble.drive is Drive.SETUP
        # A slow try may come due after the setup was mended: then it is one of the counted.
        spent = not mending and policy.is_spent(sight.spec.recovery, record, self._now)
        if record.next_at is None or spent:
            ruling = policy.rule(
                sight.spec.recovery, record, self._now, self._jitter, mending=mending
            )
            if ruling.delay_s is None:
                self._give_up(name, sight, ruling.cause)
                return
            at = self._now + timedelta(seconds=ruling.delay_s)
            record = replace(record, next_at=at, delay_s=ruling.delay_s)
            self._ledger.remember(name, record)
            if ruling.delay_s:
                self._ledger.tell(name, Act.WAIT, ruling.cause)
        assert record.next_at is not None
        if self._now < record.next_at:
            self.due.append(record.next_at)
            seconds = policy.shown_s(record.delay_s)
            why = text("incident.next_try", why=trouble.cause, seconds=seconds)
            self._ledger.show(name, sight.verdict.health, why)
        elif self._slot(name):
            self._act(name, sight, trouble)

    def _slot(self, name: str) -> bool:
        """Whether the stack's own limits leave room for one more restart now."""
        if self._under_way() >= self._at_once():
            return False
        limits = self._scene.stack.limits
        recent = sorted(
            at
            for record in self._ledger.records.values()
            for at in record.restarts
            if self._now - at < _MINUTE
        )
        if len(recent) < limits.per_minute:
            return True
        self.due.append(recent[-limits.per_minute] + _MINUTE)
        self._ledger.tell(name, Act.HOLD, text("incident.stack_busy", count=limits.per_minute))
        return False

    def _at_once(self) -> int:
        return 1 if self._storm_since is not None else self._scene.stack.limits.at_once

    def _under_way(self) -> int:
        """How many tries are being made. One that a dead hub left behind is not; one that only
        sees whether a person has mended something may wait long for a registry, and nobody for
        it."""
        ordered = {order.service for order in self.orders}
        return len(ordered) + sum(
            1
            for name, sight in self._scene.sights.items()
            if sight.busy is Busy.HUB
            and self._ledger.record(name).attempt is not None
            and not self._is_mending(name)
        )

    def _is_mending(self, name: str) -> bool:
        incident = self._ledger.incident(name)
        return incident is not None and incident.kind is Kind.CONFIG_ERROR

    def _act(self, name: str, sight: Sight, trouble: Trouble) -> None:
        record = self._ledger.record(name)
        mending = trouble.drive is Drive.SETUP
        act = _act_for(sight, record, trouble)
        cause = policy.cause_of(record)
        if act is Act.REPLACE:
            shared = trouble.drive is Drive.SHARE
            cause = trouble.cause if shared else text("incident.replaced")
        record = policy.begun(record, sight.spec.recovery, self._now, counted=not mending)
        attempt = Attempt(self._now, act, sight.life, cause)
        self._ledger.remember(name, replace(record, attempt=attempt))
        self._ledger.tell(name, act, cause, "running")
        self._order(name, sight, act, cause)

    def _order(self, name: str, sight: Sight, act: Act, cause: Text) -> None:
        incident = self._ledger.incident(name)
        assert incident is not None
        follow = tuple(n for n in followers(self._scene.stack, [name]) if self._follows(n))
        self.following |= dict.fromkeys(follow, name)
        grace = sight.spec.recovery.grace_s
        if not sight.silent:
            grace = max(grace, sight.spec.container.stop_grace_s)
        self.show_loop(name)
        ended_too = follow if act is Act.START else (name, *follow)
        claims = {n: self._claim(n) for n in ended_too}
        self.orders.append(
            Order(name, act, sight.life, sight.state, cause, grace, incident.id, follow, claims)
        )

    def _claim(self, name: str) -> Claim:
        life = self._scene.sights[name].life
        claim = policy.claimed(self._ledger.record(name), life, self._now).claim
        assert claim is not None
        self._ledger.remember(name, replace(self._ledger.record(name), claim=claim))
        return claim

    def _follows(self, name: str) -> bool:
        sight = self._scene.sights.get(name)
        if sight is None or not sight.spec.managed or sight.busy is not Busy.NO:
            return False
        alone = sight.spec.recovery.policy is RecoveryPolicy.NONE
        if alone or self._ledger.record(name).gave_up_at is not None:
            return False
        return sight.desired is Desired.RUNNING and sight.state is State.RUNNING

    def _give_up(self, name: str, sight: Sight, cause: Text) -> None:
        self._ledger.tell(name, Act.GIVE_UP, cause)
        incident = self._ledger.incident(name)
        assert incident is not None
        record = self._ledger.record(name)
        self._ledger.remember(name, replace(record, gave_up_at=self._now, gave_up_life=sight.life))
        self._ledger.keep(story.ended(incident, Ending.GAVE_UP, self._now))
        self.show_given_up(name, sight)


def _round_of(check: HealthCheck | None) -> timedelta:
    """How long the engine takes for one more answer, by its own defaults where nothing is said."""
    interval = check.interval_s if check else None
    timeout = check.timeout_s if check else None
    return timedelta(seconds=(interval or _CHECK_S) + (timeout or _CHECK_S))


def _is_blocked(incident: Incident | None) -> bool:
    """Whether the timeline's last word on it is that it is blocked."""
    for entry in reversed(incident.timeline if incident else ()):
        if entry.act is Act.BLOCK:
            return True
        if entry.act is Act.UNBLOCK:
            return False
    return False


def _act_for(sight: Sight, record: Record, trouble: Trouble) -> Act:
    turn = sight.spec.recovery.replace_after + 1
    stubborn = record.streak % turn == turn - 1 and trouble.drive is not Drive.SETUP
    bound = trouble.cause.key in (NAMESPACE_GONE, LOST_SHARE)
    if sight.state is not State.MISSING and (stubborn or bound):
        return Act.REPLACE
    return Act.START if sight.state in DOWN else Act.RESTART
