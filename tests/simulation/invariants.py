"""What must never happen, checked while it happens and at the end. See `Violation` for each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from controller.model.incident import TOUCHES, Incident
from controller.model.observation import State
from controller.model.recovery import ByHand, Record
from controller.model.spec import ProbeKind, RecoveryPolicy
from controller.model.view import Desired, Health
from controller.recovery import policy, story
from controller.recovery.healer import heal
from controller.recovery.scene import Busy, Order
from tests.simulation.hub import Decided, Hub, Watch
from tests.simulation.prober import PROBED
from tests.simulation.stacks import Tell
from tests.simulation.world import Mode, Patient, World

_PATROL_S = 5.0
_PASS_S = 15.0
_SLACK_S = 5.0
_ENGINE_BOUND_S = 45.0
_SAMPLE = 25
# The wall clock has microseconds, true time is a float.
_TICK_S = 1e-5


class Violation(AssertionError):  # noqa: N818 - a finding, not an error
    """One of the invariants does not hold."""


class Invariants(Watch):
    """`counts` gathers what happened; `hub` is set by who makes both."""

    hub: Hub

    def __init__(self, world: World, counts: Counter[str], tell: Tell):
        self.world = world
        self._tell = tell
        self.counts = counts
        self._time = world.time
        self._stable_since = 0.0
        self._tries: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._turns = 0
        world.on_hub_start = self.hub_starts
        self._time.after(_PATROL_S, self._patrol)

    def _demand(self, holds: bool, what: str) -> None:
        if not holds:
            raise Violation(what)

    # A turn

    def decided(self, hub: Hub, what: Decided) -> None:
        self._turns += 1
        for name, verdict in _changes(what):
            self._tell(name, verdict)
        self._books(what)
        self._restraint(what)
        self._suspicion(what)
        for incident_id in what.turn.opened:
            self._opened(what, what.turn.memory.incidents.get(incident_id))
        if what.idle and not what.scene.arrival:
            idle = not (what.turn.orders or what.turn.opened or what.turn.incidents)
            self._demand(idle, "something was due that look_again_at did not say")
        if what.turn.orders or self._turns % _SAMPLE == 0:
            self._same_again(what)

    def stored(self, hub: Hub, what: Decided) -> None:
        self._budget(what)
        for incident in what.turn.incidents:
            self._told(incident)

    def _books(self, what: Decided) -> None:
        memory = what.turn.memory
        mine = Counter(i.service for i in memory.incidents.values())
        self._demand(all(n == 1 for n in mine.values()), f"two open incidents: {mine}")
        for incident in memory.incidents.values():
            owned = memory.records[incident.service].incident == incident.id
            self._demand(owned and incident.is_open, f"{incident.id} is open and nobody's")
        for name, record in memory.records.items():
            known = record.incident is None or record.incident in memory.incidents
            self._demand(known, f"{name} has an incident that is not there")

    def _suspicion(self, what: Decided) -> None:
        """Nothing is left alone as a person's doing where no person did anything, or where they
        have asked for it again since; unless what they did then ended it only after that. One that
        is paused is, whatever was asked."""
        for name, after in what.turn.records.items():
            before = what.before.records.get(name, Record())
            if after.held is not None and before.held is None:
                patient = self.world.patients[name]
                by_hand = patient.down or after.held.how is ByHand.PAUSED or _ended_late(patient)
                self._demand(bool(by_hand), f"{name}: held for nobody")

    def _told(self, incident: Incident) -> None:
        self._demand(incident.opened_at <= incident.detected_at, "detected before it began")
        if not incident.is_open:
            self._demand(incident.outcome is not None, f"{incident.id} closed without outcome")
            self._demand(story.acting(incident) is None, f"{incident.id} closed while acting")
            self._demand((incident.recover_ms or 0) >= 0, "recovered before it began")
            self.counts[f"incident {incident.kind}: {incident.outcome}"] += 1

    def _restraint(self, what: Decided) -> None:
        scene, turn = what.scene, what.turn
        busy = {
            name
            for name, sight in scene.sights.items()
            if sight.busy is Busy.HUB and what.before.records.get(name, Record()).attempt
        }
        orders = [(order, scene.sights[order.service]) for order in turn.orders]
        self._demand(not (orders and scene.pause), "an order while paused")
        self._demand(not (orders and scene.arrival), "an order on arrival")
        limits, storm = scene.stack.limits, turn.memory.storm_since
        at_once = 1 if storm else limits.at_once
        self._demand(not orders or len(busy) + len(orders) <= at_once, "too many at once")
        for order, sight in orders:
            probes = sight.verdict.health in (Health.UNHEALTHY, Health.STARTING)
            self._demand(not (probes and scene.ill), f"{order.service} healed by an ill hub")
            if storm is not None and probes:
                waited = (self._time.wall() - storm).total_seconds() >= limits.hold_s
                self._demand(waited, f"{order.service} healed in a storm")
        self.counts["held"] += sum(
            entry.act == "hold" and entry.at == self._time.wall()
            for incident in turn.incidents
            for entry in incident.timeline[-1:]
        )

    def _budget(self, what: Decided) -> None:
        """Time here never goes back: how long ago a try was is what a clock that is only set
        forward would say."""
        for name, after in what.turn.records.items():
            before = what.before.records.get(name, Record())
            made = after.total - before.total
            self._demand(made in (0, 1), f"{name}: two tries in a turn")
            self.counts["restarts"] += made
            attempt = after.attempt if made else None
            counted = attempt is not None and after.restarts[-1:] == (attempt.at,)
            young = [at for at in before.restarts if self._is_young(name, at)]
            if len(young) > len(after.restarts) - counted:
                patient = self.world.patients[name]
                self._demand(patient.touched, f"{name}: tries forgotten, and no person came")
                patient.touched = False
                self._tries[name] = []
            if counted:
                self._count(name, what.at)

    def _is_young(self, name: str, at: datetime) -> bool:
        age_s = (self._time.wall() - at).total_seconds()
        return age_s < self.world.patients[name].spec.recovery.window_s - 1

    def _count(self, name: str, now: tuple[float, float]) -> None:
        spec, limits = self.world.patients[name].spec.recovery, self.world.stack.limits
        self._tries[name].append(now)
        within = [t for t in self._tries[name] if now[1] - t[1] < spec.window_s - _TICK_S]
        self._demand(len(within) <= spec.max_restarts, f"{name}: over its budget: {within}")
        every = [t for tries in self._tries.values() for t in tries if now[1] - t[1] < 60 - _TICK_S]
        self._demand(len(every) <= limits.per_minute, "the stack is over its budget")

    def _opened(self, what: Decided, incident: Incident | None) -> None:
        """No incident without an outage. One that was given up in the turn it began is closed."""
        if incident is None:
            return
        self.counts["incidents"] += 1
        patient = self.world.patients[incident.service]
        sight = what.scene.sights[incident.service]
        found = patient.container
        mode = found.mode if found else Mode.OK
        sick = not patient.serving or mode is not Mode.OK or not self.world.network
        ended_s = max(patient.sick_until, self.world.network_until)
        late_s = 2 * _PASS_S if patient.spec.probe.kind is ProbeKind.ENGINE else 0.0
        recent = self._time.now - ended_s < _SLACK_S + late_s
        self._demand(sick or recent, f"{patient.name}: an incident without an outage")
        starting = found is not None and found.state is State.RUNNING and patient.innocent
        if starting and found is not None and sight.verdict.reason.key == "health.never_ready":
            fine = mode is Mode.OK and patient.why == ("own", 0) and self.world.network
            fine = fine and self._time.jumped_at < found.started_s
            self._demand(not fine, f"{patient.name}: its start-up was no outage")

    def _same_again(self, what: Decided) -> None:
        """The same scene and memory give the same turn; and what is being done is not done twice,
        nor counted twice where a dead hub has to do it again."""
        now, scene, turn = self._time.wall(), what.scene, what.turn
        first, second = (
            heal(scene, what.before, now, _even, iter(f"x{i}" for i in range(99)).__next__)
            for _ in range(2)
        )
        self._demand(first == second, "two turns differ")
        along = {n for o in turn.orders for n in (o.service, *o.followers)}
        sights = {
            name: replace(sight, busy=Busy.HUB) if name in along else sight
            for name, sight in scene.sights.items()
        }
        again = heal(replace(scene, sights=sights), turn.memory, now, _even, _nobody)
        acted = along & {o.service for o in again.orders}
        self._demand(not acted, f"{acted} ordered twice")
        remade = heal(scene, turn.memory, now, _even, _nobody)
        for order in turn.orders:
            anew, once = (m.memory.records[order.service] for m in (remade, turn))
            same = replace(anew, claim=once.claim) == once
            self._demand(same, f"{order.service} counted twice")

    # Acting

    def ordered(self, hub: Hub, order: Order) -> None:
        patient, store = self.world.patients[order.service], hub.store
        self._demand(patient.spec.managed, f"{order.service} is not ours")
        watched = patient.spec.recovery.policy is RecoveryPolicy.NONE
        self._demand(not watched, f"{order.service} is only watched")
        self._demand(not patient.finished, f"{order.service} had finished its work")
        incident = store.incidents.get(order.incident)
        entry = story.acting(incident) if incident else None
        told = entry is not None and entry.act in TOUCHES and entry.act is order.act
        self._demand(told, f"{order.service}: an act that its incident does not tell")
        counted = store.records.get(order.service, Record()).attempt is not None
        self._demand(counted, f"{order.service}: an act that was not recorded")
        self._demand(store.pause is None, f"{order.service} healed while paused")
        self._blame(hub, patient)

    def _blame(self, hub: Hub, patient: Patient) -> None:
        """No dependant is restarted for its root, as far as the hub can know of the root."""
        if patient.why is None or patient.why[0] == "own":
            return
        root = self.world.patients[patient.why[0]]
        if root.serving or root.outage != patient.why[1]:
            return
        if self._visible(hub, root):
            raise Violation(f"{patient.name} is restarted for {root.name}")

    def _visible(self, hub: Hub, root: Patient) -> bool:
        """Whether a hub that looks can see that the root is out."""
        seen, found = hub.seen.get(root.name), root.container
        if (seen.state if seen else State.MISSING) != (found.state if found else State.MISSING):
            return False
        if found is None or found.state is not State.RUNNING:
            return True
        if root.spec.probe.kind in PROBED:
            return True
        return seen is not None and seen.health in ("unhealthy", "starting")

    def hub_starts(self, patient: Patient) -> None:
        wanted = not (patient.down and patient.remembered)
        self._demand(wanted, f"{patient.name} was {patient.down} by a person, and is started")
        self._demand(not patient.finished, f"{patient.name} had finished, and is started")

    def converging(self, hub: Hub, names: Iterable[str]) -> None:
        self._demand(hub.store.pause is None, "convergence while paused")

    # Between turns

    def signed(self, hub: Hub, name: str) -> None:
        """A crash loop is never shown as well before it was well for as long as it waited."""
        patient = self.world.patients[name]
        loop = patient.loop
        if loop is None or loop.deaths < 2 or not hub.shown:
            return
        record = hub.record(name)
        if loop.uptime_s < policy.settle_s(record) * 0.99 and record.incident:
            shown = hub.conclude(name)
            self._demand(shown.health is not Health.HEALTHY, f"{name}: a loop shown as well")

    def unsettled(self, hub: Hub, for_s: float = 0.0) -> None:
        self._stable_since = max(self._stable_since, self._time.now + for_s)

    def _patrol(self) -> None:
        """An incident for every outage that lasted long enough to be a verdict."""
        self._time.after(_PATROL_S, self._patrol)
        hub = self.hub
        if not (hub.alive and hub.connected and self.world.network and not hub.ill):
            self.unsettled(hub)
            return
        for name, patient in self.world.patients.items():
            if patient.serving or not patient.spec.managed or patient.finished:
                continue
            if hub.acting_on(name) or hub.desired(name) is Desired.STOPPED or patient.touched:
                patient.idle_s = self._time.now
                continue
            since = max(patient.out_since, patient.idle_s, self._stable_since)
            record = hub.record(name)
            known = record.incident or record.gave_up_at or record.held
            if not known and self._time.now - since > self._bound(patient):
                raise Violation(f"{name}: an outage without an incident")

    def _bound(self, patient: Patient) -> float:
        """How long an outage may go unseen: until its own verdict, and until its roots' answers."""
        found = patient.container
        if found is None or found.state is not State.RUNNING:
            return _PASS_S + _SLACK_S
        kind = patient.spec.probe.kind
        if kind is ProbeKind.NONE:
            return 1e9
        if kind is ProbeKind.ENGINE:
            return _ENGINE_BOUND_S + patient.spec.probe.startup_s
        roots = [self.world.stack.services[d.service].probe for d in patient.spec.depends_on]
        own, *needed = (
            p.failures * (1.1 * p.interval_s + p.timeout_s) + p.interval_s
            for p in (patient.spec.probe, *roots)
        )
        return float(own + max(needed, default=0) + patient.spec.probe.startup_s + _SLACK_S)

    # The end

    def at_end(self) -> None:
        """Every fault has ended: well again, or left alone for a reason that is told."""
        hub = self.hub
        for name, patient in self.world.patients.items():
            if patient.spec.managed:
                self._ended(hub, name, patient)
        for incident in hub.memory.incidents.values():
            self._demand(hub.store.incidents[incident.id] == incident, "not what was stored")

    def _ended(self, hub: Hub, name: str, patient: Patient) -> None:
        record, shown = hub.record(name), hub.conclude(name)
        busy = hub.acting_on(name) is not None
        self._demand(record.attempt is None or busy, f"{name}: a try was left behind")
        if shown.health is Health.HEALTHY:
            blind = patient.spec.probe.kind is ProbeKind.NONE
            fresh = self._time.now - patient.out_since < self._bound(patient)
            self._demand(patient.serving or blind or fresh, f"{name} is shown as well and is not")
            self._demand(record.incident is None, f"{name} is well and its incident open")
            return
        left = (
            hub.desired(name) is Desired.STOPPED
            or patient.finished
            or record.held is not None
            or record.gave_up_at is not None
            or patient.spec.recovery.policy is RecoveryPolicy.NONE
            or self._waits_for_root(hub, name)
            or (record.well_since is not None and patient.serving)
        )
        found = patient.container
        corrupt = found is not None and (found.corrupt or found.orphaned)
        # While it is being restarted, nothing of its own says what it lacks.
        lacking = any(not self.world.patients[root].serving for root in patient.nature.coupling)
        rootless = (patient.why is not None and patient.why[0] != "own") or (busy and lacking)
        # The next try will be the first without the fault.
        mended = found is None or found.started_s <= patient.fault_until_s
        trying = (
            mended or rootless or patient.loop is not None or patient.config is not None or corrupt
        )
        fresh = self._time.now - patient.idle_s < _PASS_S + _SLACK_S
        wall = self._time.wall()
        freed_s = (wall - record.freed_at).total_seconds() if record.freed_at else 1e9
        fresh = fresh or freed_s < self._bound(patient)
        pending = record.next_at is not None or busy or record.well_since is not None or fresh
        self._demand(bool(left or (trying and pending)), f"{name} is left {shown}: {record}")
        outcome = "given up" if record.gave_up_at else "held" if record.held else "other"
        self.counts[f"left {outcome}"] += 1

    def _waits_for_root(self, hub: Hub, name: str) -> bool:
        for need in self.world.stack.services[name].depends_on:
            health = hub.judge(need.service).health
            finished = self.world.patients[need.service].finished
            if need.required and health is not Health.HEALTHY and not finished:
                return True
        return False


def _ended_late(patient: Patient) -> bool:
    """A person stopped it, asked for it again while it had yet to end, and then it did."""
    found = patient.container
    stopped = found is not None and any(who == "person" for _, who in found.terms)
    return stopped and found is not None and found.ended_s >= patient.asked_s


def _even(base_s: float, fraction: float) -> float:
    return base_s


def _nobody() -> str:
    return "inc_nobody"


def _changes(what: Decided) -> list[tuple[str, str]]:
    """The new lines of the incidents, for the trace."""
    lines = []
    for incident in what.turn.incidents:
        before = what.before.incidents.get(incident.id)
        if before is None:
            lines.append((incident.service, f"incident: {incident.kind}, {incident.cause.key}"))
        known = before.timeline if before else ()
        lines += [
            (incident.service, f"decided: {entry.act} {entry.outcome} ({entry.cause.key})")
            for entry in incident.timeline
            if entry not in known
        ]
        if not incident.is_open:
            lines.append((incident.service, f"incident closed: {incident.outcome}"))
    return lines
