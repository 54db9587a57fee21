"""The hub in virtual time: the supervisor's order of things, around the real decisions.

Look, decide, store, and only then act. What is in `Store` survives; everything else is lost when
the hub is killed, which may happen between any two steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random  # noqa: TID251 - seeded, so that a seed replays

from controller.health.verdict import Evidence as Known
from controller.health.verdict import conclude, judge
from controller.model.graph import followers, with_dependencies
from controller.model.incident import Act, Evidence, Incident
from controller.model.observation import ContainerObs, State
from controller.model.recovery import ByHand, Claim, Healing, Pause, Record
from controller.model.spec import Condition
from controller.model.text import Text, text
from controller.model.view import Desired, Health, Verdict, Wish
from controller.orchestrator import goals
from controller.recovery import policy, story
from controller.recovery.healer import exempt, heal
from controller.recovery.scene import DOWN, Busy, Memory, Order, Scene, Sight, Turn
from tests.simulation.operation import Operation, Task
from tests.simulation.prober import PROBED, VirtualProber
from tests.simulation.stacks import Tell
from tests.simulation.world import EngineAway, World

_IDLE_S = 30.0
_PASS_S = 15.0
_SOONEST_S = 0.02
_ILL = text("health.hub_canary")
_HUB_AWAY = text("incident.hub_was_away")
_ENGINE_AWAY = text("incident.engine_was_away")


@dataclass
class Store:
    """What was written; all incidents ever, by id."""

    wishes: dict[str, Wish] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    pause: Pause | None = None
    begun: dict[str, datetime] = field(default_factory=dict)
    """Services of a person's requests that are under way, each with when that was made."""

    def memory(self) -> Memory:
        open_ones = {i.id: i for i in self.incidents.values() if i.is_open}
        return Memory(dict(self.records), open_ones)


@dataclass(frozen=True)
class Decided:
    """A turn with what it was decided from, for those who check it. `idle`: nothing had happened
    since the turn before, and nothing was due. `at` is true time, and with all that the clock was
    ever set ahead."""

    scene: Scene
    before: Memory
    turn: Turn
    idle: bool
    at: tuple[float, float]


class Watch:
    """Told of everything that matters; `invariants.py` checks it."""

    def decided(self, hub: Hub, what: Decided) -> None: ...

    def stored(self, hub: Hub, what: Decided) -> None: ...

    def ordered(self, hub: Hub, order: Order) -> None: ...

    def converging(self, hub: Hub, names: Iterable[str]) -> None: ...

    def signed(self, hub: Hub, name: str) -> None: ...

    def unsettled(self, hub: Hub, for_s: float = 0.0) -> None: ...


class Hub:
    """One hub, which may be killed and booted again."""

    def __init__(self, world: World, store: Store, chance: Random, watch: Watch, tell: Tell):
        self.world = world
        self.store = store
        self.chance = chance
        self.watch = watch
        self.tell = tell
        self.loss = 0.0
        self.alive = False
        self.boot_number = 0
        self.doom = ""
        self.ids = 0
        self.ill = False
        self._forget()
        world.notify = self.notice
        world.stir = lambda name: self.prober.stir(name)

    def _forget(self) -> None:
        self.connected = False
        self.memory = Memory()
        self.seen: dict[str, ContainerObs | None] = {}
        self.known = False
        self._lives: dict[str, str] = {}
        self.ended: Counter[str] = Counter()
        self.shown: dict[str, Healing] = {}
        self.operations: list[Operation] = []
        self.locked = False
        self._notes: dict[str, tuple[str, Verdict]] = {}
        self._hands: dict[str, tuple[str, ByHand | None]] = {}
        self._signs: dict[str, tuple[object, ...]] = {}
        self._bad_since: dict[str, datetime] = {}
        self._asked: set[str] = set()
        self._turn_at: float | None = None
        self._turn_token = 0
        self._pass_due = False
        self._converged = False
        self._arrived = False
        self._preempted = False
        self._interrupted: dict[str, datetime] = {}
        self._away = _HUB_AWAY
        self._woken = True
        self._look_again_at: datetime | None = None
        self._decided: Decided | None = None
        self.prober = VirtualProber(
            self.world,
            self._probed,
            lambda: self.ill,
            lambda name: self._told(name) is Health.UNHEALTHY,
        )

    # Life and death

    def boot(self) -> None:
        self._forget()
        self.alive, self.ill = True, False
        self.boot_number += 1
        self.memory, self._interrupted = self.store.memory(), dict(self.store.begun)
        self.tell("hub", "boots")
        self.reconnect()

    def kill(self) -> None:
        if self.alive:
            self.tell("hub", "is killed")
            self.alive = False
            self.watch.unsettled(self)
            for name in self.world.stack.services:
                self.prober.watch(name, None, self.world.stack.services[name].probe)
            self.later(self.chance.choice([0.7, 3.0, 20.0]), self.boot, even_dead=True)

    def doomed(self, point: str) -> bool:
        """Whether the hub dies exactly here."""
        if self.doom != point:
            return False
        self.doom = ""
        self.tell("hub", f"dies {point}")
        self.kill()
        return True

    def later(self, seconds: float, what: Callable[[], None], *, even_dead: bool = False) -> None:
        boot = self.boot_number

        def when_due() -> None:
            if even_dead or (self.alive and self.boot_number == boot):
                what()

        self.world.time.after(seconds, when_due)

    # The engine

    def lose_engine(self) -> None:
        if self.alive and self.connected:
            self.tell("hub", "lost the engine")
            self.connected = self._converged = self._arrived = False
            self._away = _ENGINE_AWAY if self.known else _HUB_AWAY
            self.watch.unsettled(self)
            for name in self.world.stack.services:
                self.sign(name)

    def reconnect(self) -> None:
        """Look at everything, then bring about what is owed."""
        if not self.alive or self.connected:
            return
        if not self.world.up:
            self.later(1.0, self.reconnect)
            return
        self.connected = self.known = True
        self.look_all()
        self._converge()

    def look_all(self) -> None:
        for name in self.world.stack.services:
            self.look(name)

    def look(self, name: str) -> None:
        try:
            found = self.seen[name] = self.world.observe(name)
        except EngineAway:
            self.lose_engine()
            return
        self._lives[name] = found.incarnation if found else ""
        self.sign(name)

    def notice(self, name: str) -> None:
        """The engine tells of a change. Only a wake: it may come late, twice or never."""
        if not self.alive or not self.world.up:
            return
        if self.chance.random() < self.loss:
            self.full_pass()
            return
        times = 2 if self.chance.random() < self.loss else 1
        for _ in range(times):
            self.later(self.chance.uniform(0.001, 0.03), lambda: self._look_known(name))

    def _look_known(self, name: str) -> None:
        if self.connected:
            self.look(name)

    def full_pass(self) -> None:
        """What was lost is seen at the next pass over everything."""
        if self._pass_due:
            return
        self._pass_due = True

        def look() -> None:
            self._pass_due = False
            if self.connected:
                self.look_all()

        self.later(_PASS_S - self.world.time.now % _PASS_S, look)

    # What is concluded

    def desired(self, name: str) -> Desired:
        wish = self.store.wishes.get(name)
        return wish.state if wish else Desired.STOPPED

    def note(self, name: str, verdict: Verdict | None) -> None:
        if verdict is None:
            self._notes.pop(name, None)
        else:
            self._notes[name] = (self._life(name), verdict)
        self.sign(name)

    def _life(self, name: str) -> str:
        return self._lives.get(name, "")

    def evidence(self, name: str) -> Known:
        life, note = self._notes.get(name, ("", None))
        operation = self.acting_on(name)
        return Known(
            spec=self.world.stack.services[name],
            desired=self.desired(name),
            container=self.seen.get(name),
            probes=self.prober.history(name),
            engine_connected=self.connected,
            note=note if life == self._life(name) else None,
            phase=text("phase.healing") if operation else None,
            one_shot=name in self.world.jobs,
            healing=self.shown.get(name),
        )

    def judge(self, name: str) -> Verdict:
        return judge(self.evidence(name), self.world.time.wall())

    def conclude(self, name: str) -> Verdict:
        return conclude(self.evidence(name), self.world.time.wall())

    def sign(self, name: str) -> None:
        """Something about it may have changed: healing is woken if it looks different."""
        found, spec = self.seen.get(name), self.world.stack.services[name]
        running = found is not None and found.state is State.RUNNING
        self.prober.watch(name, self._life(name) if running else None, spec.probe)
        verdict, history = self.judge(name), self.prober.history(name)
        operation = self.acting_on(name)
        now = (
            verdict.health,
            verdict.reason.key,
            self._life(name),
            found.state if found else State.MISSING,
            history is not None and history.first_bad_at is not None,
            self.desired(name),
            operation.kind if operation else "",
        )
        before = self._signs.get(name)
        if before is None or (before[0], before[2]) != (now[0], now[2]):
            self._bad_since[name] = self.world.time.wall()
        self._signs[name] = now
        self.watch.signed(self, name)
        if now != before:
            self.wake()
            for other in list(self.operations):
                other.advance()

    def _probed(self, name: str) -> None:
        if name in self._asked:
            self._asked.discard(name)
            self.wake()
        self.sign(name)

    # A turn

    def wake(self) -> None:
        self._woken = True
        self._turn_in(0.003)

    def wake_quietly(self) -> None:
        """The next turn may find anything, but nobody tells the hub to take one."""
        self._woken = True

    def _turn_in(self, seconds: float) -> None:
        due = self.world.time.now + seconds
        if self._turn_at is not None and self._turn_at <= due:
            return
        self._turn_at = due
        self._turn_token += 1
        token = self._turn_token
        self.later(seconds, lambda: self._turn(token))

    def _turn(self, token: int) -> None:
        if token != self._turn_token:
            return
        self._turn_at = None
        if not self.connected or not self._arrived or self._preempted:
            return
        if self.locked:
            self._turn_in(0.002)
            return
        turn = self._decide(None)
        if turn is None:
            return
        self.locked = True
        self.later(self.chance.uniform(0.001, 0.005), lambda: self._keep(turn, self._act))

    def _decide(self, away: Text | None) -> Turn | None:
        try:
            scene = self._scene(away)
        except EngineAway:
            self.lose_engine()
            return None
        due = self._look_again_at is not None and self._look_again_at <= self.world.time.wall()
        time = self.world.time
        before, idle = self.memory, not self._woken and not due
        # A verdict may change with time alone, between two answers; the next answer tells.
        idle = idle and all(s.verdict.health is self._told(n) for n, s in scene.sights.items())
        self._woken = False
        turn = heal(scene, before, self.world.time.wall(), self._jitter, self._new_id)
        self._decided = Decided(scene, before, turn, idle, time.forward())
        self.watch.decided(self, self._decided)
        return turn

    def _told(self, name: str) -> object:
        return self._signs[name][0] if name in self._signs else None

    def _jitter(self, base_s: float, fraction: float) -> float:
        return base_s * (1 + self.chance.uniform(-fraction, fraction))

    def _new_id(self) -> str:
        self.ids += 1
        return f"inc_{self.ids:06}"

    def _keep(self, turn: Turn, then: Callable[[Turn], None]) -> None:
        """Store what was decided, show it, and only then act."""
        if self.doomed("before_store"):
            return
        self.memory = turn.memory
        self.store.records |= turn.records
        self.store.incidents |= {incident.id: incident for incident in turn.incidents}
        if self._decided is not None:
            self.watch.stored(self, self._decided)
        if self.doomed("after_store"):
            return
        self.shown = dict(turn.shown)
        for name in turn.forgive:
            self.prober.forgive(name)
            self.sign(name)
        for name in turn.ask:
            self._asked.add(name)
            self.prober.ask_now(name)
        then(turn)

    def _act(self, turn: Turn) -> None:
        if turn.orders:
            states = {o.service: self._state(o.service) for o in turn.orders}
            self.later(0.02, lambda: self._carry_out(turn, states))
        else:
            self._rest(turn)

    def _carry_out(self, turn: Turn, states: dict[str, State]) -> None:
        for order in turn.orders:
            if not self.connected or not self._begin(order, states[order.service]):
                self._know(self._disowned(order))
                self.wake()
        self._rest(turn)

    def _rest(self, turn: Turn) -> None:
        self.locked = False
        self._look_again_at = turn.look_again_at
        if turn.look_again_at is not None:
            due_s = self.world.time.until(turn.look_again_at)
            self._turn_in(max(_SOONEST_S, min(_IDLE_S, due_s)))
        elif self.memory.incidents:
            self._turn_in(_IDLE_S)

    def _begin(self, order: Order, state: State) -> bool:
        """False where what the decision rested on has changed."""
        names = (order.service, *order.followers)
        if order.act is Act.START:
            self.look(order.service)
        else:
            self.look_all()
        changed = self._life(order.service) != order.life or self._state(order.service) != state
        busy = any(self.acting_on(name) for name in names)
        stopped = self.desired(order.service) is Desired.STOPPED
        if not self.connected or changed or busy or stopped or not self._roots_are_well(order):
            return False
        act = {Act.START: "start", Act.RESTART: "restart", Act.REPLACE: "replace"}[order.act]
        tasks = [Task(order.service, act)]
        tasks += [Task(name, "restart", (order.service,)) for name in order.followers]
        self.watch.ordered(self, order)
        self.tell(order.service, f"{order.act} ({order.cause.key})")
        self._launch("heal", tasks, lambda op: self._healed(order, op), order.grace_s, order.claims)
        return True

    def _roots_are_well(self, order: Order) -> bool:
        """What was just looked at may show what no notice told."""
        return not any(
            need.required
            and need.condition is not Condition.COMPLETED
            and self.judge(need.service).health is not Health.HEALTHY
            for need in self.world.stack.services[order.service].depends_on
        )

    def _healed(self, order: Order, operation: Operation) -> None:
        self.operations.remove(operation)
        self._note_end(order, operation)
        for name in operation.tasks:
            self.sign(name)
        self.wake()

    def _note_end(self, order: Order, operation: Operation) -> None:
        if self.locked:
            self.later(0.002, lambda: self._note_end(order, operation))
            return
        task = operation.tasks[order.service]
        word = "unknown" if operation.unknown else "done" if task.state == "done" else "failed"
        word = "interrupted" if operation.cancelled and word == "failed" else word
        now = self.world.time.wall()
        incidents = dict(self.memory.incidents)
        for name in operation.tasks:
            found = incidents.get(self.record(name).incident or "")
            if found is not None:
                incidents[found.id] = story.acted(found, word, now)
        changed = {} if operation.unknown else self._disowned(order)
        record = changed.get(order.service) or self.record(order.service)
        changed[order.service] = replace(record, attempt=None)
        self._know(changed)
        self.memory = replace(self.memory, incidents=incidents)
        self.store.incidents |= incidents
        self.tell(order.service, f"its {order.act} is {word}")
        self.wake()

    def _disowned(self, order: Order) -> dict[str, Record]:
        return policy.disowned(self.memory.records, order.claims, self.ended)

    def _know(self, records: dict[str, Record]) -> None:
        """Remember and store what became known between two turns."""
        self.memory = replace(self.memory, records={**self.memory.records, **records})
        self.store.records |= records

    def record(self, name: str) -> Record:
        return self.memory.records.get(name) or Record()

    # What is seen

    def _scene(self, away: Text | None) -> Scene:
        return Scene(
            stack=self.world.stack,
            sights={name: self._sight(name) for name in self.world.stack.services},
            connected=self.connected,
            pause=self.store.pause,
            ill=_ILL if self.ill else None,
            arrival=away,
        )

    def _state(self, name: str) -> State:
        found = self.seen.get(name)
        return found.state if found else State.MISSING

    def _sight(self, name: str) -> Sight:
        found, history = self.seen.get(name), self.prober.history(name)
        spec, verdict = self.world.stack.services[name], self.judge(name)
        operation = self.acting_on(name)
        return Sight(
            spec=spec,
            desired=self.desired(name),
            state=self._state(name),
            life=self._life(name),
            verdict=verdict,
            since=self._since(name, verdict),
            suspect=history is not None and history.first_bad_at is not None,
            silent=history is not None and history.silent,
            probed=spec.probe.kind in PROBED,
            good_at=self.prober.good_at(name),
            exit_code=found.exit_code if found else None,
            oom_killed=found is not None and found.oom_killed,
            busy=operation.busy if operation else Busy.NO,
            by_hand=None if operation else self._by_hand(name, found),
            evidence=Evidence(last_probes=history.results if history else ()),
        )

    def _since(self, name: str, verdict: Verdict) -> datetime:
        found, history = self.seen.get(name), self.prober.history(name)
        if verdict.health is Health.UNHEALTHY and history is not None and history.first_bad_at:
            return history.first_bad_at
        if found is not None and found.finished_at and found.state is State.EXITED:
            return found.finished_at
        return self._bad_since.get(name, self.world.time.wall())

    def _by_hand(self, name: str, found: ContainerObs | None) -> ByHand | None:
        if found is not None and found.state not in DOWN:
            self._hands.pop(name, None)
            return None
        if not self.world.stack.services[name].managed or self.desired(name) is Desired.STOPPED:
            return None
        started = found.started_at if found else None
        known = self._hands.get(name)
        if known is None or known[0] != self._life(name):
            life, claim = self._life(name), self.record(name).claim
            now = self.world.time.wall()
            how = self.world.who_ended(
                name,
                started,
                lambda times: policy.own_requests(claim, life, self.ended, times, now),
            )
            known = self._hands[name] = (life, how)
        return known[1]

    # Convergence and people

    def acting_on(self, name: str) -> Operation | None:
        return next((op for op in self.operations if name in op.tasks), None)

    def _launch(
        self,
        kind: str,
        tasks: list[Task],
        on_end: Callable[[Operation], None],
        grace_s: float | None = None,
        claims: Mapping[str, Claim] | None = None,
    ) -> None:
        operation = Operation(self, kind, tasks, on_end, grace_s, claims)
        self.operations.append(operation)
        for name in operation.tasks:
            self.sign(name)
        operation.advance()

    def _converge(self) -> None:
        if not self.connected or (self._converged and not self._preempted):
            return
        if self.locked:
            self.later(0.002, self._converge)
            return
        owed = {
            name: policy.owed(
                self.record(name), self._life(name), since, alive=self._state(name) not in DOWN
            )
            for name, since in self._interrupted.items()
        }
        self._know(owed)
        before = exempt(self.memory) - self._interrupted.keys()
        if self.store.pause is not None:
            self._arrived = True
            self.wake()
            return
        turn = self._decide(self._away)
        if turn is None:
            return
        self.locked = True
        self._keep(turn, lambda t: self._converge_after(t, before))

    def _converge_after(self, turn: Turn, before: frozenset[str]) -> None:
        left = before | {name for name, record in self.memory.records.items() if record.held}
        goal = goals.convergence(self.world.stack, self.store.wishes, (), self.seen, left)
        names = [n for n in goal.run if not self._runs_or_finished(n)]
        self._rest(turn)
        self._arrived = True
        self.wake()
        if any(self.acting_on(name) for name in names):
            self.later(1.0, self._converge)
            return
        self._converged, self._preempted, self._away = True, False, _ENGINE_AWAY
        for name, since in self._interrupted.items():
            if self.store.begun.get(name) == since:
                del self.store.begun[name]
        self._interrupted = {}
        if names:
            self.tell("hub", f"converges {' '.join(names)}")
            self.watch.converging(self, names)
            tasks = [Task(name, "start", self._needs(name)) for name in names]
            self._launch("converge", tasks, self._converged_now)

    def _runs_or_finished(self, name: str) -> bool:
        found = self.seen.get(name)
        if found is None:
            return False
        finished = name in self.world.jobs and found.exit_code == 0
        return finished or found.state is State.RUNNING

    def _needs(self, name: str) -> tuple[str, ...]:
        depends = self.world.stack.services[name].depends_on
        return tuple(d.service for d in depends if d.required)

    def _converged_now(self, operation: Operation) -> None:
        self.operations.remove(operation)
        if operation.cancelled:
            self._preempted = True
            self.later(0.05, self._converge)
        for name in operation.tasks:
            self.sign(name)
        self.wake()

    def set_pause(self, paused: bool) -> None:
        """A person's `pause` or `resume`."""
        self.store.pause = Pause(self.world.time.wall(), "kim") if paused else None
        self.tell("hub", "paused" if paused else "resumed")
        self.watch.unsettled(self)
        if not self.alive:
            return
        if not paused and self.connected and not self._converged:
            self.look_all()
            self._converge()
        self.wake()

    def request(self, kind: str, name: str) -> bool:
        """A person's start, stop or restart; False where the hub cannot take it now."""
        if not self.alive or not self.connected:
            return False
        stack = self.world.stack
        if kind == "stop":
            names: tuple[str, ...] = (name,)
        else:
            asked = (name, *followers(stack, [name])) if kind == "restart" else (name,)
            names = with_dependencies(stack, asked)
        held = [op for op in self.operations if not op.tasks.keys().isdisjoint(names)]
        if any(op.busy is Busy.PERSON for op in held):
            return False
        wish = Desired.STOPPED if kind == "stop" else Desired.RUNNING
        self.store.wishes |= {n: Wish(wish) for n in names}
        if kind != "stop":
            self.store.begun |= dict.fromkeys(names, self.world.time.wall())
        self.tell(name, f"{kind} asked for by a person")
        self._wished(kind, names)
        for operation in held:
            operation.cancel()
        self._when_free(kind, name, names)
        for each in names:
            self.sign(each)
        return True

    def _wished(self, kind: str, names: Iterable[str]) -> None:
        """What a person wants of these from now on, for those who check it."""
        for each in names:
            patient = self.world.patients[each]
            patient.touched, patient.asked_s = True, self.world.time.now
            patient.down, patient.remembered = ("hub", True) if kind == "stop" else ("", False)

    def _when_free(self, kind: str, name: str, names: tuple[str, ...]) -> None:
        if any(self.acting_on(n) for n in names):
            self.later(0.05, lambda: self._when_free(kind, name, names))
            return
        # Whatever was lost on the way: a person's request is planned from what is there now.
        self.look_all()
        acts = {n: kind if n == name or kind == "stop" else "start" for n in names}
        if kind == "restart":
            acts |= dict.fromkeys(followers(self.world.stack, [name]), "restart")
        tasks = [Task(n, acts[n], self._needs(n)) for n in names if self._is_to_do(n, acts[n])]
        self._launch(kind, tasks, lambda op: self._done_for_person(op, names))

    def _is_to_do(self, name: str, act: str) -> bool:
        return act != "start" or not self._runs_or_finished(name)

    def _done_for_person(self, operation: Operation, names: Iterable[str]) -> None:
        for name in names:
            self.store.begun.pop(name, None)
        self.operations.remove(operation)
        for name in operation.tasks:
            self.sign(name)
        self.wake()
