"""The engine and the services as they really are, whether or not the hub knows it.

Containers are state machines. A service serves or it does not, and `Patient.why` says whose fault
that is: its own, or a root's. Notices of change may be late, doubled or lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from random import Random  # noqa: TID251 - seeded, so that a seed replays

from controller.model.graph import dependants, one_shots
from controller.model.observation import ContainerObs, State
from controller.model.probe import ProbeResult
from controller.model.recovery import ByHand
from controller.model.spec import ProbeKind, ServiceSpec, StackSpec
from controller.model.text import Text, text
from tests.simulation.stacks import CHECK, Nature, Tell
from tests.simulation.timeline import Timeline

_GOOD = text("probe.http", status=200)
_ERROR = text("probe.http", status=500)
_REFUSED = text("probe.refused", port=8000)
_TIMEOUT = text("probe.timeout", seconds=1)
_DESTROY_LAG_S = 0.05
_STABLE_S = 60.0


class Mode(StrEnum):
    """How a process behaves by its own doing."""

    OK = "ok"
    HANG = "hang"
    ERROR = "error"
    FLAP = "flap"


class EngineAway(Exception):  # noqa: N818 - a state of the world, not an error of the simulator
    """The engine does not answer."""


class Refused(Exception):  # noqa: N818 - what the engine says, not an error of the simulator
    """The engine could not do it; `cause` is what the executor makes of that."""

    def __init__(self, cause: Text):
        super().__init__(str(cause))
        self.cause = cause


@dataclass
class Container:
    """One container. `life` counts its starts; `terms` are the moments (wall, who) at which this
    life was asked to end."""

    id: str
    state: State = State.CREATED
    life: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    started_s: float = 0.0
    ended_s: float = 0.0
    ready_s: float = 0.0
    exit_code: int | None = None
    oom: bool = False
    health: str = ""
    mode: Mode = Mode.OK
    half_s: float = 1.0
    latched: str | None = None
    corrupt: str = ""
    orphaned: bool = False
    terms: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass
class Loop:
    """It ends by itself `uptime_s` after each start, `left` more times (None: for ever)."""

    uptime_s: float
    left: int | None
    deaths: int = 0


@dataclass
class Patient:
    """One service in truth. `why` is what keeps it from serving: None nothing, ('own', 0), or the
    root's name with the number of its outage. `down` is what a person did, beside or through the
    hub, `remembered` whether anybody could know that; `touched` that a person acted on it since
    healing last took note; `idle_s` when somebody last acted on it, `asked_s` when a person last
    asked the hub for it; `fault_until_s` when its
    last lasting fault ended; `foreign_s` the pause of who restarts what is not managed."""

    name: str
    spec: ServiceSpec
    nature: Nature
    container: Container | None = None
    serving: bool = False
    outage: int = 0
    out_since: float = 0.0
    sick_until: float = -1e9
    why: tuple[str, int] | None = None
    innocent: bool = True
    config: Text | None = None
    loop: Loop | None = None
    slow_s: float = 0.0
    failing_runs: int = 0
    finished: bool = False
    down: str = ""
    remembered: bool = False
    touched: bool = False
    idle_s: float = 0.0
    asked_s: float = 0.0
    foreign_s: float = 2.0
    fault_until_s: float = -1.0
    destroyed_by_hand: bool = False


class World:
    """All patients of one stack. `notify(service)` tells the hub, if it lives and luck has it."""

    def __init__(
        self,
        stack: StackSpec,
        natures: dict[str, Nature],
        time: Timeline,
        chance: Random,
        tell: Tell,
    ):
        self.stack = stack
        self.time = time
        self.chance = chance
        self.tell = tell
        self.up = True
        self.network = True
        self.network_until = -1e9
        self.jobs = one_shots(stack)
        self.patients = {n: Patient(n, s, natures[n]) for n, s in stack.services.items()}
        self.notify: Callable[[str], None] = lambda _: None
        self.stir: Callable[[str], None] = lambda _: None
        self.on_hub_start: Callable[[Patient], None] = lambda _: None
        self._needed_by = {n: dependants(stack, n) for n in stack.services}
        self._made = 0

    # What the engine does when asked

    def observe(self, name: str) -> ContainerObs | None:
        """Raises EngineAway."""
        self._reach()
        found = self.patients[name].container
        if found is None:
            return None
        ended = found.state is State.EXITED
        return ContainerObs(
            id=found.id,
            name=f"sim-{name}-1",
            service=name,
            state=found.state,
            image="sim:1",
            image_id="i",
            exit_code=found.exit_code if ended else None,
            oom_killed=found.oom,
            started_at=found.started_at,
            finished_at=found.finished_at,
            health=found.health,
        )

    def life(self, name: str) -> str:
        found = self.observe(name)
        return found.incarnation if found else ""

    def create(self, name: str) -> None:
        """A new container in place of whatever is there. Raises EngineAway, Refused."""
        self._reach()
        patient = self.patients[name]
        if patient.config is not None and patient.config.key == "fail.image_missing":
            raise Refused(patient.config)
        self._made += 1
        patient.container = Container(f"{self._made:04x}")
        patient.destroyed_by_hand = False
        self._changed(patient)

    def start(self, name: str, who: str) -> None:
        """Raises EngineAway, Refused. The hub asks `on_hub_start` before it calls."""
        self._reach()
        patient = self.patients[name]
        found = patient.container
        if found is None or found.state is State.REMOVING:
            raise Refused(text("fail.engine", detail="no such container"))
        if who == "person":
            patient.down, patient.remembered = "", False
        if found.state is State.RUNNING:
            return
        if patient.config is not None and patient.config.key != "exit.command":
            raise Refused(patient.config)
        if found.orphaned:
            raise Refused(text("fail.namespace_gone", detail="gone"))
        self._run(patient, found)
        self.tell(name, f"started by {who}")

    def _run(self, patient: Patient, found: Container) -> None:
        now = self.time.now
        found.state, found.life = State.RUNNING, found.life + 1
        found.started_at, found.started_s = self.time.wall(), now
        found.finished_at, found.exit_code, found.oom = None, None, False
        found.mode, found.latched, found.terms = Mode.OK, None, []
        patient.idle_s = now
        nature = patient.nature
        found.ready_s = now + nature.startup_s * self.chance.uniform(0.7, 1.3) + patient.slow_s
        patient.innocent = patient.slow_s == 0
        patient.slow_s, patient.finished = 0.0, False
        if patient.spec.probe.kind is ProbeKind.ENGINE:
            found.health = "starting"
        self._destiny(patient, found)
        self._later(patient, found.ready_s - now, self._changed)
        self._changed(patient)
        self._feel_roots(patient)

    def _destiny(self, patient: Patient, found: Container) -> None:
        """What this life will end of, if that is known at its beginning."""
        if patient.config is not None:
            self._later(patient, 0.05, lambda p: self.end(p.name, 127))
        elif found.corrupt == "exits":
            self._later(patient, self.chance.uniform(0.3, 3), lambda p: self.end(p.name, 1))
        elif found.corrupt == "errors":
            found.mode = Mode.ERROR
        elif patient.loop is not None:
            lasts = found.ready_s - self.time.now + patient.loop.uptime_s
            self._later(patient, lasts, self._loop_on)
        elif patient.name in self.jobs:
            code = 1 if patient.failing_runs > 0 else 0
            patient.failing_runs = max(0, patient.failing_runs - 1)
            self._later(patient, patient.nature.work_s, lambda p: self.end(p.name, code))

    def _loop_on(self, patient: Patient) -> None:
        loop = patient.loop
        if loop is None:
            return
        loop.deaths += 1
        if loop.left is not None:
            loop.left -= 1
            if loop.left <= 0:
                patient.loop, patient.fault_until_s = None, self.time.now
        self.end(patient.name, 1)

    def ask_to_end(self, name: str, who: str) -> float:
        """SIGTERM; how long this process would need to heed it (for ever, if it hangs)."""
        self._reach()
        found = self.patients[name].container
        if found is None or found.state not in (State.RUNNING, State.PAUSED):
            raise Refused(text("fail.stopped_meanwhile"))
        found.terms.append((self.time.wall(), who))
        return 1e9 if found.mode is Mode.HANG else self.patients[name].nature.end_s

    def end(self, name: str, code: int, *, oom: bool = False, forced: bool = False) -> None:
        """The process is over; a paused one cannot end by itself and must be `forced` to."""
        patient = self.patients[name]
        found = patient.container
        ends = (State.RUNNING, State.PAUSED) if forced else (State.RUNNING,)
        if found is None or found.state not in ends:
            return
        found.state, found.exit_code, found.oom = State.EXITED, code, oom
        found.finished_at, found.health = self.time.wall(), ""
        found.ended_s = self.time.now
        patient.finished = name in self.jobs and code == 0
        patient.why, patient.idle_s = None, self.time.now
        self.tell(name, f"ended with {code}{' (OOM)' if oom else ''}")
        self._changed(patient)
        self.notify(name)
        if not patient.spec.managed:
            # Somebody else answers for it.
            self.foreign_comes_back(patient)

    def foreign_comes_back(self, patient: Patient) -> None:
        found = patient.container
        lasted_s = self.time.now - found.started_s if found else 0.0
        patient.foreign_s = 2.0 if lasted_s > _STABLE_S else min(60.0, 2 * patient.foreign_s)
        self._later(patient, patient.foreign_s, self._restart_foreign)

    def _restart_foreign(self, patient: Patient) -> None:
        if self.up and patient.container and patient.container.state is State.EXITED:
            self._run(patient, patient.container)
            self.notify(patient.name)

    def remove(self, name: str, *, by_hand: bool) -> None:
        patient = self.patients[name]
        if patient.container is not None:
            if patient.container.state is State.RUNNING:
                self.end(name, 137)
            patient.container.state = State.REMOVING
            self._later(patient, _DESTROY_LAG_S, lambda p: self._destroy(p, by_hand))

    def _destroy(self, patient: Patient, by_hand: bool) -> None:
        patient.container, patient.idle_s = None, self.time.now
        patient.destroyed_by_hand, patient.finished = by_hand, False
        self.tell(patient.name, "removed")
        self._changed(patient)
        self.notify(patient.name)

    def set_paused(self, name: str, paused: bool) -> None:
        patient = self.patients[name]
        found = patient.container
        before, after = (State.RUNNING, State.PAUSED) if paused else (State.PAUSED, State.RUNNING)
        if found is not None and found.state is before:
            found.state, patient.idle_s = after, self.time.now
            self._changed(patient)
            self.notify(name)

    def who_ended(
        self, name: str, started: datetime | None, own: Callable[[list[datetime]], int]
    ) -> ByHand | None:
        """What the engine remembers of the end of the life begun at `started`; `own` answers how
        many of the requests to end it were the hub's."""
        self._reach()
        patient = self.patients[name]
        if patient.container is None:
            return ByHand.REMOVED if patient.destroyed_by_hand else None
        requests = [at for at, _ in patient.container.terms]
        if patient.container.started_at == started and len(requests) > own(requests):
            return ByHand.STOPPED
        return None

    def forget(self) -> None:
        """The engine was restarted: it remembers nobody's requests."""
        for patient in self.patients.values():
            patient.destroyed_by_hand = False
            if patient.container is not None:
                patient.container.terms = []

    def _reach(self) -> None:
        if not self.up:
            raise EngineAway

    # What services say

    def answer(self, name: str) -> tuple[ProbeResult, float]:
        """The result of a probe that begins now, and how long it takes."""
        patient = self.patients[name]
        found, now, at = patient.container, self.time.now, self.time.wall()
        if found is None or found.state is State.EXITED or now < found.ready_s:
            return ProbeResult(at, False, _REFUSED, port_open=False), 0.002
        silent = found.mode is Mode.HANG or found.state is State.PAUSED
        if silent or not self.network:
            opened = silent and self.network
            slow_s = patient.spec.probe.timeout_s
            return ProbeResult(at, False, _TIMEOUT, port_open=opened, timed_out=True), slow_s
        bad = found.mode is Mode.ERROR or found.latched is not None or not patient.serving
        if found.mode is Mode.FLAP:
            bad = bad or int((now - found.started_s) / found.half_s) % 2 == 0
        if bad:
            return ProbeResult(at, False, _ERROR, 5.0, True), 0.005
        return ProbeResult(at, True, _GOOD, 5.0, True), 0.005

    def steady(self, name: str, ok: bool) -> bool:
        """Whether its next answers are good (or bad) until something happens to it."""
        patient = self.patients[name]
        found = patient.container
        if found is None or found.mode is Mode.FLAP or self.time.now <= found.ready_s:
            return False
        return ok is (self.network and patient.serving)

    # Whose fault it is

    def _changed(self, patient: Patient) -> None:
        """Something happened to it: find out anew whether it serves, and tell who depends."""
        why = self._why(patient)
        serving, was = why is None, patient.serving
        patient.why, patient.serving = why, serving
        now = self.time.now
        if was and not serving:
            patient.outage, patient.out_since = patient.outage + 1, now
        if not serving:
            patient.sick_until = now
        self.stir(patient.name)
        self._check_health(patient)
        if was == serving:
            return
        patient.sick_until = now
        for other in self._needed_by[patient.name]:
            dependant = self.patients[other]
            if patient.name in dependant.nature.coupling:
                self._feel_roots(dependant)
                self._changed(dependant)

    def _why(self, patient: Patient) -> tuple[str, int] | None:
        """None while it serves; ('own', 0), or the root and the number of that root's outage."""
        found = patient.container
        own = ("own", 0)
        if found is None or found.state is not State.RUNNING:
            return patient.why if _is_root(patient.why) and _exited(found) else own
        if self.time.now < found.ready_s or found.mode in (Mode.HANG, Mode.ERROR):
            return own
        if found.latched is not None and _is_root(patient.why):
            return patient.why
        for root, kind in patient.nature.coupling.items():
            needed = self.patients[root]
            if not needed.serving and kind in ("probes", "latched"):
                if kind == "latched":
                    found.latched = root
                return (root, needed.outage)
        return None if found.latched is None else (found.latched, -1)

    def _feel_roots(self, patient: Patient) -> None:
        """A dependant that exits without its root does so a little later."""
        found = patient.container
        if found is None or found.state is not State.RUNNING:
            return
        for root, kind in patient.nature.coupling.items():
            needed = self.patients[root]
            if kind == "exits" and not needed.serving:
                outage = needed.outage
                self._later(
                    patient,
                    self.chance.uniform(0.2, 4),
                    self._give_way_to(needed, outage),
                )

    def _give_way_to(self, root: Patient, outage: int) -> Callable[[Patient], None]:
        def give_way(patient: Patient) -> None:
            if not root.serving and root.outage == outage:
                self.end(patient.name, 1)
                patient.why = (root.name, outage)

        return give_way

    def _check_health(self, patient: Patient) -> None:
        """The container's own HEALTHCHECK follows the truth, three rounds behind when bad."""
        found = patient.container
        if patient.spec.probe.kind is not ProbeKind.ENGINE or found is None:
            return
        if found.state is not State.RUNNING:
            return
        serving, outage = patient.serving, patient.outage
        rounds = 1 if serving else CHECK.retries or 3
        wait_s = (CHECK.interval_s or 5) * (rounds - self.chance.random())

        def report(p: Patient) -> None:
            if p.serving == serving and p.outage == outage and p.container is not None:
                word = "healthy" if serving else "unhealthy"
                if p.container.health != word:
                    p.container.health = word
                    self.notify(p.name)

        if found.health == "starting" and not serving:
            wait_s = max(wait_s, found.ready_s - self.time.now + 15)
        self._later(patient, wait_s, report)

    def _later(self, patient: Patient, seconds: float, what: Callable[[Patient], None]) -> None:
        """Later, if this life of this container still lasts then."""
        found = patient.container
        life = found.life if found else 0

        def when_due() -> None:
            if patient.container is found and (found is None or found.life == life):
                what(patient)

        self.time.after(seconds, when_due)

    # Faults from outside

    def misbehave(self, name: str, mode: Mode, half_s: float = 1.0) -> None:
        patient = self.patients[name]
        found = patient.container
        if found is not None and found.state is State.RUNNING:
            found.mode, found.half_s = mode, half_s
            self._changed(patient)

    def refresh(self) -> None:
        """Something about the whole world changed."""
        for patient in self.patients.values():
            self._changed(patient)


def _is_root(why: tuple[str, int] | None) -> bool:
    return why is not None and why[0] != "own"


def _exited(found: Container | None) -> bool:
    return found is not None and found.state is State.EXITED
