"""The hub's memory of the stack: what was seen last, and what it concludes from that.

Every question people ask is answered from here and never by asking the engine. The engine is asked
when an event wakes a service, on a slow full pass, and after the hub's own acts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ParamSpec, TypeVar

from controller import clock
from controller.engine.pool import EnginePool
from controller.errors import EngineUnreachableError
from controller.health.history import ProbeHistory
from controller.health.probe import target_of
from controller.health.prober import Prober
from controller.health.verdict import Evidence, conclude, judge
from controller.model.graph import may_finish
from controller.model.observation import ContainerObs, Observation, State
from controller.model.probe import ProbeResult
from controller.model.recovery import Healing
from controller.model.spec import StackSpec
from controller.model.text import Text
from controller.model.view import (
    Desired,
    Health,
    OrphanView,
    ServiceView,
    StackView,
    Verdict,
    Wish,
)
from controller.orchestrator.consumption import Consumption, Measured
from controller.orchestrator.notices import Notices
from controller.orchestrator.orphans import orphan_views
from controller.orchestrator.sharing import lost_share
from controller.orchestrator.sightings import Sightings
from controller.orchestrator.traffic import Traffic

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Activity:
    """What an operation is doing to a service now."""

    operation: str
    phase: Text


@dataclass(frozen=True, slots=True)
class _Signs:
    """All that healing looks at; it is woken when any of it changes."""

    health: Health
    reason: str
    life: str
    state: State
    suspect: bool
    desired: Desired
    operation: str
    since: datetime


class World:
    """Observations, wishes and verdicts of one stack. Use from the event loop only.

    `on_sign(service)` is told when anything changes that healing looks at, `on_view(service)`
    whenever it is concluded anew; `ended` counts how often the hub itself ended a life, by
    incarnation; `outages` how often the engine went away.
    """

    def __init__(
        self,
        stack: StackSpec,
        pool: EnginePool,
        notices: Notices,
        *,
        self_check: Callable[[], Text | None] | None = None,
        on_result: Callable[[str, ProbeResult], None] | None = None,
    ):
        self.stack = stack
        self.wishes: dict[str, Wish] = {}
        self.on_sign: Callable[[str], None] = _nobody
        self.on_view: Callable[[str], None] = _nobody
        self.traffic = Traffic(lambda service: self.on_view(service))
        self.ended: Counter[str] = Counter()
        self.outages = 0
        self._pool = pool
        self._notices = notices
        self._prober = Prober(self._probed, on_result=on_result, self_check=self_check)
        self._finishing = may_finish(stack)
        self._sightings = Sightings(stack)
        self._known = False
        self._connected = False
        self._connected_since = clock.now()
        self._notes: dict[str, tuple[str, Verdict]] = {}
        self._activities: dict[str, Activity] = {}
        self._consumption = Consumption()
        self._views: dict[str, ServiceView] = {}
        self._told: dict[str, ServiceView] = {}
        self._told_orphans: tuple[OrphanView, ...] = ()
        self._healing: dict[str, Healing] = {}
        self._asked_now: set[str] = set()
        self._last_probes: dict[str, tuple[ProbeResult, ...]] = {}
        self._signs: dict[str, _Signs] = {}
        self._changed = asyncio.Event()

    @property
    def seen(self) -> Observation:
        return self._sightings.seen

    @property
    def known(self) -> bool:
        """Whether the engine was ever asked about all containers."""
        return self._known

    @property
    def connected(self) -> bool:
        return self._connected

    async def look(self, services: Iterable[str] | None = None) -> None:
        """Ask the engine about these services (None: all of them) and conclude anew.

        Raises EngineUnreachableError; everything is `unknown` from then on until it answers.
        """
        list_containers, project = self._pool.engine.list_containers, self.stack.project
        sightings = self._sightings
        if services is None:
            question = sightings.question()
            sightings.all(await self._ask(list_containers, project), question)
            self._known = True
        else:
            services = set(services)
            for service in {sightings.declared_as(key) for key in services}:
                question = sightings.question()
                listed = await self._ask(list_containers, project, service)
                services |= sightings.some(service, listed, question)
        self.set_connected(True)
        if self.orphans() != self._told_orphans:
            self._told_orphans = self.orphans()
            self._notices.orphans(self._told_orphans)
        for service in self.stack.services if services is None else self._concerned(services):
            self._refresh(service)

    def _concerned(self, services: Iterable[str]) -> Iterable[str]:
        """These, and those that share their containers."""
        looked = dict.fromkeys(services)
        riders = (n for n, spec in self.stack.services.items() if looked.keys() & {*spec.shares})
        return looked | dict.fromkeys(riders)

    async def _ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A look at the engine; one that gets no answer means it is not connected."""
        try:
            return await self._pool.look(call, *args, **kwargs)
        except EngineUnreachableError:
            self.set_connected(False)
            raise

    async def survey(self) -> Observation:
        """A full look with networks, volumes and images: what a plan is made from.

        Raises EngineUnreachableError, after 2 s where the engine takes questions and is silent.
        """
        engine = self._pool.engine
        await self._ask(engine.ping)
        references = {spec.container.image for spec in self.stack.services.values()}
        networks, volumes, images, _ = await asyncio.gather(
            self._pool.look(engine.networks),
            self._pool.look(engine.volumes),
            self._pool.look(engine.image_ids, references),
            self.look(),
        )
        self._sightings.surveyed(networks, volumes, images)
        return self.seen

    def set_connected(self, connected: bool) -> None:
        """Record whether the engine answers; on a change everything is concluded anew."""
        if connected == self._connected:
            return
        self._connected, self._connected_since = connected, clock.now()
        self.outages += not connected
        self._notices.engine(connected, self._connected_since)
        for service in self.stack.services:
            self._refresh(service)

    def container(self, service: str) -> ContainerObs | None:
        return self.seen.of(service)

    def history(self, service: str) -> ProbeHistory | None:
        return self._prober.history(service)

    def last_probes(self, service: str) -> tuple[ProbeResult, ...]:
        """What the last probes said, also those of a life that is over."""
        history = self._prober.history(service)
        if history is not None and history.results:
            return history.results
        return self._last_probes.get(service, ())

    def bad_since(self, service: str) -> datetime:
        """Since when the bare verdict is what it is."""
        return self._signs[service].since if service in self._signs else clock.now()

    def ask_now(self, services: Iterable[str]) -> None:
        """Probe these at once; the answer is told to `on_sign` whatever it says."""
        for service in services:
            self._asked_now.add(service)
            self._prober.ask_now(service)

    def forgive(self, service: str) -> None:
        """What was bad was not the service's own doing."""
        self._prober.forgive(service)
        self._refresh(service)

    def healed(self, shown: Mapping[str, Healing]) -> None:
        """What healing adds to the verdicts, for every service it speaks of."""
        for service, healing in shown.items():
            if self._healing.get(service) != healing:
                self._healing[service] = healing
                self._refresh(service)

    def desired(self, service: str) -> Desired:
        wish = self.wishes.get(service)
        return wish.state if wish else Desired.STOPPED

    def wish(self, wishes: Mapping[str, Wish]) -> None:
        """Take over wishes that the store has acknowledged."""
        self.wishes.update(wishes)
        for service in wishes:
            self._refresh(service)

    def act(self, service: str, activity: Activity | None) -> None:
        """Say what is being done to a service; None when it is over."""
        if activity is None:
            self._activities.pop(service, None)
        else:
            self._activities[service] = activity
        self._refresh(service)

    def note(self, service: str, verdict: Verdict | None) -> None:
        """Remember why the last attempt failed, for as long as the container stays as it is."""
        if verdict is None:
            self._notes.pop(service, None)
        else:
            self._notes[service] = (_life(self.seen.of(service)), verdict)
        self._refresh(service)

    def judge(self, service: str) -> Verdict:
        """The bare verdict, blind to operations under way."""
        return judge(self._evidence(service), clock.now())

    async def wait_change(self, timeout_s: float) -> None:
        """Return when any verdict may have changed, at the latest after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def view(self) -> StackView:
        """The managed stack as people see it, from memory."""
        return StackView(
            project=self.stack.project,
            taken_at=self.seen.taken_at,
            engine_connected=self._connected,
            engine_since=self._connected_since,
            services=tuple(self.service_view(name) for name in self.stack.managed),
            warnings=self.stack.warnings,
            orphans=self.orphans(),
        )

    def orphans(self) -> tuple[OrphanView, ...]:
        """The containers of the project that no file speaks of, as last seen."""
        busy = {service: activity.operation for service, activity in self._activities.items()}
        return orphan_views(self.stack, self.seen, busy)

    def service_view(self, service: str) -> ServiceView:
        if service not in self._views:
            self._refresh(service)
        return self._views[service]

    def sample_usage(self, now: float) -> None:
        """Read what those use that run, and tell those who watch."""
        found = {service: self.seen.of(service) for service in self.stack.services}
        running = {s: c for s, c in found.items() if c is not None and c.state is State.RUNNING}
        self._consumption.sample(running.values(), now)
        for service in running:
            self._refresh(service, tell_figures=True)

    def measured(self, service: str) -> Measured | None:
        """What the service's container has used; None where it does not run or was not read."""
        return self._consumption.of(self.seen.of(service))

    async def close(self) -> None:
        await self._prober.close()

    def _evidence(self, service: str) -> Evidence:
        container = self.seen.of(service)
        life, note = self._notes.get(service, ("", None))
        activity = self._activities.get(service)
        return Evidence(
            spec=self.stack.services[service],
            desired=self.desired(service),
            container=container,
            probes=self._prober.history(service),
            engine_connected=self._connected and self._known,
            note=note if life == _life(container) else None,
            phase=activity.phase if activity else None,
            one_shot=service in self._finishing,
            healing=self._healing.get(service),
            lost_share=self._lost_share(service, container),
        )

    def _lost_share(self, service: str, container: ContainerObs | None) -> str | None:
        spec = self.stack.services[service]
        return lost_share(spec, container, self.seen) if container and spec.shares else None

    def _probed(self, service: str) -> None:
        asked = service in self._asked_now
        self._asked_now.discard(service)
        if not self._refresh(service) and asked:
            self.on_sign(service)

    def _refresh(self, service: str, tell_figures: bool = False) -> bool:
        """Conclude anew; True where healing was told."""
        if service not in self.stack.services:
            return False
        spec, container = self.stack.services[service], self.seen.of(service)
        running = container is not None and container.state is State.RUNNING
        self._last_probes[service] = self.last_probes(service)
        target = target_of(container, spec.probe) if container and running else None
        self._prober.watch(service, target, spec.probe)
        evidence = self._evidence(service)
        view = self._make_view(service, evidence, clock.now())
        self._views[service] = view
        told = self._told.get(service)
        if told is None or tell_figures or _gist(told) != _gist(view):
            self._told[service] = view
            if spec.managed and self._known:
                self._notices.service(view)
        self._changed.set()
        self._changed = asyncio.Event()
        self.on_view(service)
        return self._sign(service, evidence)

    def _sign(self, service: str, evidence: Evidence) -> bool:
        now = clock.now()
        container, history = evidence.container, evidence.probes
        verdict = judge(evidence, now)
        activity = self._activities.get(service)
        before = self._signs.get(service)
        signs = _Signs(
            health=verdict.health,
            reason=verdict.reason.key,
            life=_life(container),
            state=container.state if container else State.MISSING,
            suspect=history is not None and history.first_bad_at is not None,
            desired=evidence.desired,
            operation=activity.operation if activity else "",
            since=now,
        )
        if before is not None and (before.health, before.life) == (signs.health, signs.life):
            signs = replace(signs, since=before.since)
        self._signs[service] = signs
        if signs == before:
            return False
        self.on_sign(service)
        return True

    def _make_view(self, service: str, evidence: Evidence, now: datetime) -> ServiceView:
        spec, container = evidence.spec, evidence.container
        verdict = conclude(evidence, now)
        before = self._views.get(service)
        last = evidence.probes.last if evidence.probes else None
        sample = self._consumption.of(container)
        running = container is not None and container.state is State.RUNNING
        activity = self._activities.get(service)
        healing = self._healing.get(service) or Healing()
        return ServiceView(
            name=service,
            port=spec.port,
            desired=evidence.desired,
            state=container.state if container else State.MISSING,
            health=verdict.health,
            reason=verdict.reason,
            since=before.since if before and before.health is verdict.health else now,
            container_id=container.id if container else None,
            image=spec.container.image,
            depends_on=tuple(d.service for d in spec.depends_on),
            started_at=container.started_at if container and running else None,
            restarts=healing.restarts,
            response_ms=last.response_ms if last else None,
            cpu_percent=sample.cpu_percent if sample else None,
            memory_bytes=sample.usage.memory_bytes if sample else None,
            port_open=_port_open(evidence, running),
            busy=activity.operation if activity else None,
            incident=healing.incident,
            replica_of=spec.replica_of,
        )


def _port_open(evidence: Evidence, running: bool) -> bool | None:
    """None where nobody looked: the engine is away, or the first probe is still out."""
    if not evidence.engine_connected:
        return None
    if not running:
        return False
    return evidence.probes.last.port_open if evidence.probes and evidence.probes.last else None


def _life(container: ContainerObs | None) -> str:
    return container.incarnation if container else "none"


def _nobody(_: str) -> None:
    """Until healing runs there is nobody to tell."""


def _gist(view: ServiceView) -> ServiceView:
    """The view without the figures that change with every probe."""
    return replace(view, response_ms=None, cpu_percent=None, memory_bytes=None)
