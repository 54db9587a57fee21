"""What befalls a stack: faults, people, and bad luck, all drawn from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random  # noqa: TID251 - seeded, so that a seed replays

from controller.model.observation import State
from controller.model.spec import ProbeKind
from controller.model.text import text
from tests.simulation.hub import Hub
from tests.simulation.stacks import Tell
from tests.simulation.world import Loop, Mode, Patient, World

_MINUTE = 60.0
_EVERY_S = {
    "fault": 8 * _MINUTE,
    "hub is killed": 25 * _MINUTE,
    "hub dies at a point": 25 * _MINUTE,
    "engine goes away": 60 * _MINUTE,
    "clock is set": 60 * _MINUTE,
    "hub is starved": 60 * _MINUTE,
    "network fails": 90 * _MINUTE,
    "person through the hub": 25 * _MINUTE,
    "person beside the hub": 25 * _MINUTE,
    "hub is paused": 90 * _MINUTE,
}
_POINTS = ("before_store", "after_store", "mid_stop", "mid_act")
_BESIDE = ("stop", "stop", "rm", "pause", "start", "kill")


class Fate:
    """Strikes until `until_s`; what it began it also ends by then, except what only the hub or
    nobody can mend."""

    def __init__(
        self,
        world: World,
        hub: Hub,
        chance: Random,
        until_s: float,
        counts: Counter[str],
        tell: Tell,
    ):
        self._world = world
        self._hub = hub
        self._time = world.time
        self._chance = chance
        self._until_s = until_s
        self._counts = counts
        self._tell = tell
        self._faults: dict[str, Callable[[Patient], bool]] = {
            "crash": self._crash,
            "out of memory": self._oom,
            "hang": lambda p: self._misbehave(p, Mode.HANG),
            "answers 500": lambda p: self._misbehave(p, Mode.ERROR),
            "flapping": lambda p: self._misbehave(p, Mode.FLAP),
            "corrupt state": self._corrupt,
            "configuration": self._misconfigure,
            "crash loop": self._loop,
            "slow start": self._slow,
            "namespace gone": self._orphan,
            "vanished": self._vanish,
            "job fails": self._job,
        }
        self._luck: dict[str, Callable[[], bool]] = {
            "fault": self._fault,
            "hub is killed": self._kill_hub,
            "hub dies at a point": self._doom,
            "engine goes away": self._engine,
            "clock is set": self._clock,
            "hub is starved": self._starve,
            "network fails": self._network,
            "person through the hub": self._through,
            "person beside the hub": self._beside,
            "hub is paused": self._pause,
        }
        for kind in _EVERY_S:
            self._plan(kind)

    def _plan(self, kind: str) -> None:
        wait_s = self._chance.expovariate(1 / _EVERY_S[kind])
        if self._time.now + wait_s < self._until_s:
            self._time.after(wait_s, lambda: self._strike(kind))

    def _strike(self, kind: str) -> None:
        if self._luck[kind]() and kind != "fault":
            self._counts[f"noise {kind}"] += 1
        self._plan(kind)

    def _within(self, low_s: float, high_s: float) -> float:
        """A duration that ends before the quiet begins."""
        return min(self._chance.uniform(low_s, high_s), self._until_s - self._time.now)

    def _anyone(self) -> Patient:
        return self._world.patients[self._chance.choice(list(self._world.patients))]

    # Faults

    def _fault(self) -> bool:
        kind, patient = self._chance.choice(list(self._faults)), self._anyone()
        if self._faults[kind](patient):
            self._counts[f"fault {kind}"] += 1
            self._tell(patient.name, f"FAULT {kind}")
        return True

    def _runs(self, patient: Patient) -> bool:
        return patient.container is not None and patient.container.state is State.RUNNING

    def _crash(self, patient: Patient) -> bool:
        if not self._runs(patient) or patient.name in self._world.jobs:
            return False
        self._world.end(patient.name, self._chance.choice([0, 1, 2, 134, 137, 139, 255]))
        return True

    def _oom(self, patient: Patient) -> bool:
        if not self._runs(patient):
            return False
        self._world.end(patient.name, 137, oom=True)
        return True

    def _misbehave(self, patient: Patient, mode: Mode) -> bool:
        if not self._runs(patient) or patient.name in self._world.jobs:
            return False
        half_s = patient.spec.probe.interval_s * self._chance.uniform(0.6, 3)
        self._world.misbehave(patient.name, mode, half_s)
        if not patient.spec.managed or patient.spec.probe.kind is ProbeKind.NONE:
            # Nobody but a person sees or heals it.
            self._time.after(
                self._within(30, 300), lambda: self._world.misbehave(patient.name, Mode.OK)
            )
        return True

    def _corrupt(self, patient: Patient) -> bool:
        found = patient.container
        if found is None or not self._runs(patient) or not patient.spec.managed:
            return False
        found.corrupt = self._chance.choice(["exits", "errors"])
        self._world.end(patient.name, 1)
        return True

    def _misconfigure(self, patient: Patient) -> bool:
        if not patient.spec.managed:
            return False
        key = self._chance.choice(["fail.image_missing", "fail.port_taken", "exit.command"])
        patient.config = text(key, image="i", port=1, code=127)
        if key == "fail.image_missing" and self._runs(patient):
            self._world.remove(patient.name, by_hand=False)
        elif self._runs(patient):
            self._world.end(patient.name, 1)

        def mend() -> None:
            patient.config, patient.fault_until_s = None, self._time.now
            self._tell(patient.name, "configuration mended")

        self._time.after(self._within(20, 20 * _MINUTE), mend)
        return True

    def _loop(self, patient: Patient) -> bool:
        if patient.name in self._world.jobs or not patient.spec.managed:
            return False
        times = self._chance.choice([1, 2, 4, 8, 15, None])
        uptime_s = self._chance.choice([0.2, 1.0, 4.0, 15.0]) * self._chance.uniform(0.5, 1.5)
        patient.loop = Loop(uptime_s, times)
        self._world.end(patient.name, 1)
        return True

    def _slow(self, patient: Patient) -> bool:
        if not self._runs(patient) or patient.name in self._world.jobs:
            return False
        patient.slow_s = patient.spec.probe.startup_s * self._chance.uniform(0.5, 3)
        self._world.end(patient.name, 1)
        return True

    def _orphan(self, patient: Patient) -> bool:
        if patient.container is None or not self._runs(patient) or not patient.spec.managed:
            return False
        patient.container.orphaned = True
        self._world.end(patient.name, 128)
        return True

    def _vanish(self, patient: Patient) -> bool:
        if patient.container is None or patient.down or not patient.spec.managed:
            return False
        self._world.remove(patient.name, by_hand=False)
        return True

    def _job(self, patient: Patient) -> bool:
        if patient.name not in self._world.jobs or not self._runs(patient):
            return False
        patient.failing_runs = self._chance.randint(1, 3)
        self._world.end(patient.name, 1)
        return True

    # Bad luck

    def _kill_hub(self) -> bool:
        self._hub.kill()
        return True

    def _doom(self) -> bool:
        self._hub.doom = self._chance.choice(_POINTS)
        return True

    def _engine(self) -> bool:
        """It hangs, or it is restarted and forgets; then what runs may die with it."""
        world = self._world
        if not world.up:
            return False
        restarted = self._chance.random() < 0.6
        self._tell("engine", "goes away")
        world.up = False
        self._time.after(0.05, self._hub.lose_engine)
        if restarted:
            if self._chance.random() < 0.5:
                code = self._chance.choice([0, 137, 143, 255])
                for name, patient in world.patients.items():
                    if name not in world.jobs or not patient.finished:
                        world.end(name, code, forced=True)
            self._forget()
        self._time.after(self._within(0.5, 60), self._engine_back)
        return True

    def _forget(self) -> None:
        self._world.forget()
        records = self._hub.store.records
        for name, patient in self._world.patients.items():
            paused = patient.container is not None and patient.container.state is State.PAUSED
            if patient.down and patient.down != "hub" and not paused:
                record = records.get(name)
                patient.remembered = record is not None and record.held is not None

    def _engine_back(self) -> None:
        self._tell("engine", "is back")
        self._world.up = True
        for patient in self._world.patients.values():
            ended = patient.container is not None and patient.container.state is State.EXITED
            if not patient.spec.managed and ended:
                self._world.foreign_comes_back(patient)
        self._hub.reconnect()

    def _clock(self) -> bool:
        """It is set, and set right again later."""
        jump_s = self._chance.uniform(-600, 600)
        if abs(self._time.offset_s) > 1:
            jump_s = -self._time.offset_s
        self._hub.prober.stir_all()
        self._time.jump(jump_s)
        self._tell("clock", f"is set by {jump_s:+.0f} s")
        self._hub.watch.unsettled(self._hub, max(0.0, -jump_s))
        self._hub.wake_quietly()
        return True

    def _starve(self) -> bool:
        if self._hub.ill:
            return False
        self._set_ill(True)
        self._time.after(self._within(3, 60), lambda: self._set_ill(False))
        return True

    def _set_ill(self, ill: bool) -> None:
        self._hub.ill = ill
        self._tell("hub", "is starved" if ill else "is well")
        self._hub.watch.unsettled(self._hub)
        if self._hub.alive:
            self._hub.wake()

    def _network(self) -> bool:
        if not self._world.network:
            return False
        self._set_network(False)
        self._time.after(self._within(3, 150), lambda: self._set_network(True))
        return True

    def _set_network(self, works: bool) -> None:
        self._tell("network", "works" if works else "fails")
        self._world.network = works
        self._world.network_until = self._time.now
        self._hub.watch.unsettled(self._hub)
        self._world.refresh()

    # People

    def _through(self) -> bool:
        patient = self._anyone()
        kind = self._chance.choice(["stop", "start", "restart", "start"])
        if not patient.spec.managed:
            return False
        return self._hub.request(kind, patient.name)

    def _beside(self) -> bool:
        """Somebody acts on the engine. Not in the very moment in which the hub does."""
        patient, act = self._anyone(), self._chance.choice(_BESIDE)
        down = [p for p in self._world.patients.values() if p.down and p.down != "hub"]
        if down and self._chance.random() < 0.5:
            patient, act = self._chance.choice(down), "start"
        if not self._world.up or not patient.spec.managed:
            return False
        if self._hub.alive and (self._hub.acting_on(patient.name) or self._hub.locked):
            return False
        return self._do_beside(patient, act)

    def _do_beside(self, patient: Patient, act: str) -> bool:
        name, found = patient.name, patient.container
        if found is None or found.state is State.REMOVING or name in self._world.jobs:
            return False
        running = found.state is State.RUNNING
        if act == "start" and not running and patient.config is None and not found.orphaned:
            self._tell(name, "PERSON docker start")
            patient.touched = True
            self._world.set_paused(name, False)
            self._world.start(name, "person")
            self._world.notify(name)
            return True
        if act == "rm":
            self._tell(name, "PERSON docker rm -f")
            patient.down, patient.remembered = patient.down or "removed", True
            self._world.remove(name, by_hand=True)
            return True
        if act == "kill" and running:
            self._world.end(name, 137)
            return True
        if act == "pause" and running:
            self._tell(name, "PERSON docker pause")
            patient.down, patient.remembered = "paused", True
            self._world.set_paused(name, True)
            return True
        if act == "stop" and running:
            self._stop_beside(patient)
            return True
        return False

    def _stop_beside(self, patient: Patient) -> None:
        self._tell(patient.name, "PERSON docker stop")
        patient.down, patient.remembered = "stopped", True
        found = patient.container
        assert found is not None
        needs_s = self._world.ask_to_end(patient.name, "person")
        life = found.life

        def ends() -> None:
            if patient.container is found and found.life == life:
                self._world.end(patient.name, 137 if needs_s > 10 else 143)

        self._time.after(min(needs_s, 10.0), ends)

    def _pause(self) -> bool:
        if self._hub.store.pause is not None:
            return False
        self._hub.set_pause(True)
        self._time.after(self._within(30, 900), lambda: self._hub.set_pause(False))
        return True
