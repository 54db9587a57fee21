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
from controller.engine.usage import Cables, Usage, read_usages
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
from controller.orchestrator.notices import Notices
from controller.orchestrator.orphans import orphan_views
from controller.orchestrator.sharing import lost_share
from controller.orchestrator.traffic import Traffic

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Activity:
    """What an operation is doing to a service now."""

    operation: str
    phase: Text


@dataclass(frozen=True, slots=True)
class Measured:
    """What a life of a container has used up to `at` (monotonic seconds)."""

    incarnation: str
    at: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    usage: Usage
    cpu_percent: float | None


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
        self._seen = Observation(clock.now())
        self._known = False
        self._asked = 0
        self._answered: dict[str, int] = {}
        self._connected = False
        self._connected_since = clock.now()
        self._notes: dict[str, tuple[str, Verdict]] = {}
        self._activities: dict[str, Activity] = {}
        self._samples: dict[str, _Sample] = {}
        self._cables = Cables()
        self._views: dict[str, ServiceView] = {}
        self._told: dict[str, ServiceView] = {}
        self._healing: dict[str, Healing] = {}
        self._asked_now: set[str] = set()
        self._last_probes: dict[str, tuple[ProbeResult, ...]] = {}
        self._signs: dict[str, _Signs] = {}
        self._changed = asyncio.Event()

    @property
    def seen(self) -> Observation:
        return self._seen

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
        engine, project = self._pool.engine, self.stack.project
        if services is None:
            question = self._question()
            found = self._by_key(await self._ask(engine.list_containers, project))
            gone = dict.fromkeys(self._seen.containers, ())
            self._learn({**gone, **found}, question)
            self._known = True
        else:
            services = set(services)
            for service in {self._declared_as(key) for key in services}:
                question = self._question()
                found = self._by_key(await self._ask(engine.list_containers, project, service))
                keys = self._keys_of(service)
                self._learn({**dict.fromkeys(keys, ()), **found}, question)
                services |= keys
        self._seen = replace(self._seen, taken_at=clock.now())
        self.set_connected(True)
        for service in self.stack.services if services is None else self._concerned(services):
            self._refresh(service)

    def _by_key(self, found: Iterable[ContainerObs]) -> dict[str, tuple[ContainerObs, ...]]:
        grouped: dict[str, tuple[ContainerObs, ...]] = {}
        for container in found:
            key = self.stack.key_of(container.service, container.number)
            grouped[key] = (*grouped.get(key, ()), container)
        return grouped

    def _declared_as(self, key: str) -> str:
        """The name in the compose files, also of a container that is more than are declared."""
        held = () if key in self.stack.services else self._seen.containers.get(key, ())
        return held[0].service if held else self.stack.declared_as(key)

    def _keys_of(self, service: str) -> set[str]:
        """Under which keys there are, or were, containers of it."""
        seen = self._seen.containers.items()
        known = {key for key, held in seen if any(one.service == service for one in held)}
        return known | {service} | set(self.stack.members(service))

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

    def _question(self) -> int:
        self._asked += 1
        return self._asked

    def _learn(self, found: Mapping[str, tuple[ContainerObs, ...]], question: int) -> None:
        """Take over an answer, except where a question asked later was answered already: a full
        pass takes long, and what it saw first may be old when it ends."""
        newer = {s: c for s, c in found.items() if self._answered.get(s, 0) < question}
        self._answered |= dict.fromkeys(newer, question)
        before = self.orphans()
        self._seen = replace(self._seen, containers={**self._seen.containers, **newer})
        if self.orphans() != before:
            self._notices.orphans(self.orphans())

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
        self._seen = replace(self._seen, networks=networks, volumes=volumes, images=images)
        return self._seen

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
        return self._seen.of(service)

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
            self._notes[service] = (_life(self._seen.of(service)), verdict)
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
            taken_at=self._seen.taken_at,
            engine_connected=self._connected,
            engine_since=self._connected_since,
            services=tuple(self.service_view(name) for name in self.stack.managed),
            warnings=self.stack.warnings,
            orphans=self.orphans(),
        )

    def orphans(self) -> tuple[OrphanView, ...]:
        """The containers of the project that no file speaks of, as last seen."""
        busy = {service: activity.operation for service, activity in self._activities.items()}
        return orphan_views(self.stack, self._seen, busy)

    def service_view(self, service: str) -> ServiceView:
        if service not in self._views:
            self._refresh(service)
        return self._views[service]

    def sample_usage(self, now: float) -> None:
        """Read what those use that run, and tell those who watch. Reads a few small files."""
        running = {
            container.id: (service, container)
            for service in self.stack.services
            if (container := self._seen.of(service)) and container.state is State.RUNNING
        }
        addresses = {cid: found.hardware_addresses for cid, (_, found) in running.items()}
        usages = self._cables.read_traffic(read_usages(running), addresses)
        self._samples = {cid: self._sample(cid, usage, now) for cid, usage in usages.items()}
        for service, _ in running.values():
            self._refresh(service, tell_figures=True)

    def measured(self, service: str) -> Measured | None:
        """What the service's container has used; None where it does not run or was not read."""
        container = self._seen.of(service)
        if container is None or container.state is not State.RUNNING:
            return None
        sample = self._samples.get(container.id)
        return Measured(container.incarnation, sample.at, sample.usage) if sample else None

    async def close(self) -> None:
        await self._prober.close()

    def _sample(self, container_id: str, usage: Usage, now: float) -> _Sample:
        before = self._samples.get(container_id)
        if before is None or now <= before.at or usage.cpu_ns < before.usage.cpu_ns:
            return _Sample(now, usage, None)
        used_s = (usage.cpu_ns - before.usage.cpu_ns) / 1e9
        return _Sample(now, usage, round(100 * used_s / (now - before.at), 1))

    def _evidence(self, service: str) -> Evidence:
        container = self._seen.of(service)
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
        return lost_share(spec, container, self._seen) if container and spec.shares else None

    def _probed(self, service: str) -> None:
        asked = service in self._asked_now
        self._asked_now.discard(service)
        if not self._refresh(service) and asked:
            self.on_sign(service)

    def _refresh(self, service: str, tell_figures: bool = False) -> bool:
        """Conclude anew; True where healing was told."""
        if service not in self.stack.services:
            return False
        spec, container = self.stack.services[service], self._seen.of(service)
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
        sample = self._samples.get(container.id) if container else None
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
            cpu_percent=sample.cpu_percent if sample and running else None,
            memory_bytes=sample.usage.memory_bytes if sample and running else None,
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
