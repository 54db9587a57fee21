"""What the executor does, in virtual time: stop, make, start, and wait for the verdict.

It may be cut short anywhere: by the engine that goes away, by a person who takes over, and by the
end of the hub, after which nothing of it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.model.observation import State
from controller.model.recovery import Claim
from controller.model.text import text
from controller.model.view import Desired, Health, Verdict
from controller.recovery import policy
from controller.recovery.scene import Busy
from tests.simulation.world import EngineAway, Refused

if TYPE_CHECKING:
    from tests.simulation.hub import Hub

_LATE_S = 5.0


@dataclass
class Task:
    """One service's part: `act` is start, restart, replace or stop; `state` waiting, acting,
    ready (its verdict is waited for), done, failed or skipped."""

    name: str
    act: str
    needs: tuple[str, ...] = ()
    state: str = "waiting"
    deadline_s: float = 0.0

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "skipped")


class Operation:
    """`kind` is heal, converge, or a person's start, stop or restart."""

    def __init__(
        self,
        hub: Hub,
        kind: str,
        tasks: Iterable[Task],
        on_end: Callable[[Operation], None],
        grace_s: float | None = None,
        claims: Mapping[str, Claim] | None = None,
    ):
        self.kind = kind
        self.tasks = {task.name: task for task in tasks}
        self.unknown = False
        self.cancelled = False
        self._hub = hub
        self._world = hub.world
        self._boot = hub.boot_number
        self._on_end = on_end
        self._grace_s = grace_s
        self._claims = claims or {}
        self._ended = False

    @property
    def busy(self) -> Busy:
        return Busy.HUB if self.kind in ("heal", "converge") else Busy.PERSON

    def cancel(self) -> None:
        self.cancelled = True
        self.advance()

    def advance(self) -> None:
        """Go on with whatever can."""
        if self._ended or not self._lives:
            return
        for task in self.tasks.values():
            if task.state == "waiting":
                self._maybe_begin(task)
            elif task.state == "ready":
                self._maybe_ready(task)
        if all(task.over for task in self.tasks.values()):
            self._ended = True
            self._on_end(self)

    def _maybe_begin(self, task: Task) -> None:
        before = [self.tasks[n] for n in task.needs if n in self.tasks]
        if self.cancelled or self.unknown or any(t.state in ("failed", "skipped") for t in before):
            task.state = "skipped"
        elif all(t.state == "done" for t in before):
            task.state = "acting"
            self._after(self._hub.chance.uniform(0.005, 0.03), lambda: self._begin(task), task)

    def _begin(self, task: Task) -> None:
        found = self._world.patients[task.name].container
        alive = found is not None and found.state in (State.RUNNING, State.PAUSED)
        if task.act == "stop" and not alive:
            self._done(task)
        elif task.act in ("stop", "restart", "replace") and alive:
            if task.act == "replace":
                self._refuse_early(task)
            self._stop(task)
        elif task.act == "restart" and self.kind == "heal":
            raise Refused(text("fail.stopped_meanwhile"))
        elif task.act == "replace":
            self._make(task)
        else:
            self._start(task)

    def _refuse_early(self, task: Task) -> None:
        """The new container is made before the old one is stopped."""
        config = self._world.patients[task.name].config
        if config is not None and config.key == "fail.image_missing":
            raise Refused(config)

    def _stop(self, task: Task) -> None:
        patient = self._world.patients[task.name]
        found = patient.container
        assert found is not None
        grace_s = self._grace_s if self._grace_s is not None else 10.0
        needs_s = self._world.ask_to_end(task.name, "hub")
        self._hub.ended[self._world.life(task.name)] += 1
        killed = needs_s > grace_s
        # The engine goes on with what it was asked, whatever becomes of the hub.
        life = found.life

        def ends() -> None:
            if patient.container is found and found.life == life:
                self._world.end(task.name, 137 if killed else 143, forced=True)

        wait_s = min(needs_s, grace_s)
        self._world.time.after(wait_s, ends)
        if self._hub.doomed("mid_stop"):
            return
        self._after(wait_s + 0.02, lambda: self._stopped(task), task)

    def _stopped(self, task: Task) -> None:
        self._hub.look(task.name)
        if task.act == "stop":
            self._done(task)
        elif self.cancelled:
            self._fail(task)
        else:
            self._only_ours(task)
            if task.act == "replace":
                self._make(task)
            else:
                self._start(task)

    def _only_ours(self, task: Task) -> None:
        """What healing has ended and somebody else, too, asked to end stays down."""
        found = self._world.observe(task.name)
        if self.kind != "heal" or found is None:
            return
        claim, ended, life = self._claims.get(task.name), self._hub.ended, found.incarnation
        now = self._world.time.wall()
        how = self._world.who_ended(
            task.name,
            found.started_at,
            lambda requests: policy.own_requests(claim, life, ended, requests, now),
        )
        if how is not None:
            raise Refused(text("fail.stopped_meanwhile"))

    def _make(self, task: Task) -> None:
        self._world.create(task.name)
        self._after(0.05, lambda: self._start(task), task)

    def _start(self, task: Task) -> None:
        if self._world.patients[task.name].container is None:
            self._world.create(task.name)
        wanted = self._hub.desired(task.name) is Desired.RUNNING
        if self.cancelled or not wanted:
            self._fail(task)
            return
        if self.busy is Busy.HUB and self._hub.doomed("mid_act"):
            return
        if self.busy is Busy.HUB:
            self._world.on_hub_start(self._world.patients[task.name])
        who = "hub" if self.busy is Busy.HUB else "person"
        self._after(self._hub.chance.uniform(0.1, 0.4), lambda: self._started(task, who), task)

    def _started(self, task: Task, who: str) -> None:
        self._world.set_paused(task.name, False)
        self._world.start(task.name, who)
        startup_s = self._hub.world.stack.services[task.name].probe.startup_s
        task.state, task.deadline_s = "ready", self._world.time.now + startup_s + _LATE_S
        self._after(startup_s + _LATE_S, self.advance)
        self._hub.look(task.name)

    def _maybe_ready(self, task: Task) -> None:
        verdict = self._hub.judge(task.name)
        is_job = task.name in self._world.jobs
        if verdict.health is Health.UNKNOWN:
            self.unknown = True
            self._fail(task)
        elif verdict.reason.key == "health.completed" or (
            verdict.health is Health.HEALTHY and not is_job
        ):
            self._hub.note(task.name, None)
            self._done(task)
        elif verdict.health in (Health.FAILED, Health.STOPPED):
            self._hub.note(task.name, Verdict(Health.FAILED, verdict.reason))
            self._fail(task)
        elif verdict.health in (Health.UNHEALTHY, Health.HELD) or self._late(task):
            self._fail(task)

    def _late(self, task: Task) -> bool:
        return self.cancelled or self._world.time.now >= task.deadline_s

    def _done(self, task: Task) -> None:
        task.state = "done"
        self._after(0.0, self.advance)

    def _fail(self, task: Task) -> None:
        task.state = "failed"
        self._after(0.0, self.advance)

    @property
    def _lives(self) -> bool:
        return self._hub.alive and self._hub.boot_number == self._boot

    def _after(self, seconds: float, what: Callable[[], None], task: Task | None = None) -> None:
        self._world.time.after(seconds, lambda: self._guarded(what, task))

    def _guarded(self, what: Callable[[], None], task: Task | None) -> None:
        if not self._lives or self._ended:
            return
        try:
            what()
        except Refused as refusal:
            assert task is not None
            self._hub.look(task.name)
            self._hub.note(task.name, Verdict(Health.FAILED, refusal.cause))
            self._fail(task)
        except EngineAway:
            assert task is not None
            self.unknown = True
            self._fail(task)
            self._hub.lose_engine()
