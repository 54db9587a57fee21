"""From what is wanted and what is seen to a plan; pure.

Creating is separate from starting on purpose: everything is created at once, and only a start
waits for its dependencies' verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.graph import dependants, may_finish, one_shots, with_dependencies
from controller.model.observation import ALIVE, ContainerObs, Observation, State
from controller.model.spec import Condition, Dependency, ServiceSpec, StackSpec
from controller.model.text import Text, text
from controller.orchestrator.drafting import Draft
from controller.orchestrator.drift import drift
from controller.orchestrator.network_changes import renewable
from controller.orchestrator.plan import Edge, Op, Plan, Tolerance, removal_of
from controller.orchestrator.rolling import rolling
from controller.orchestrator.sharing import own_volumes
from controller.orchestrator.supply import Supply


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted. `run` is dependencies first; `restart` maps a service to the incarnation
    that must end; of `replace_drifted` also running containers end that differ from their
    definition; those of `replace` are made anew whatever they are; of the services in `tidy`, as
    the compose files name them, containers go that are more than are declared; `causes` says why,
    for every service named."""

    run: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    restart: Mapping[str, str] = field(default_factory=dict)
    replace_drifted: frozenset[str] = frozenset()
    replace: frozenset[str] = frozenset()
    tidy: frozenset[str] = frozenset()
    causes: Mapping[str, Text] = field(default_factory=dict)


def reconcile(
    stack: StackSpec,
    goal: Goal,
    seen: Observation,
    healthy: frozenset[str] = frozenset(),
    supplies: Mapping[str, Supply] | None = None,
) -> Plan:
    """The plan that makes `goal` true. `healthy` are services whose verdict is good now;
    `supplies` says what is to be done for the images of containers that are made."""
    return _Planner(stack, goal, seen, healthy, supplies or {}).plan()


class _Planner:
    def __init__(
        self,
        stack: StackSpec,
        goal: Goal,
        seen: Observation,
        healthy: frozenset[str],
        supplies: Mapping[str, Supply],
    ) -> None:
        self._stack = stack
        self._goal = goal
        self._seen = seen
        self._healthy = healthy
        self._draft = Draft(seen, supplies)
        self._one_shots = one_shots(stack)
        self._may_finish = may_finish(stack)
        self._settled: dict[str, str] = {}
        self._stops: dict[str, int] = {}
        self._riders: dict[str, Text] = {}
        self._placed: dict[str, Edge] = {}
        self._gates: dict[str, int] = {}
        self._surplus: dict[str, list[Edge]] = {}
        # What is to stop may be on a network too, and is only in the way until it has.
        self._renewed = {} if goal.stop else renewable(stack, seen, goal.run, goal.replace_drifted)
        self._taken: dict[str, Edge] = {}

    def plan(self) -> Plan:
        self._tidy()
        going_down = self._services_to_stop()
        creates = {name: self._prepare(name) for name in self._goal.run}
        back = [name for name in self._goal.run if name not in self._riders]
        turns = rolling(self._stack, going_down, back)
        for name in reversed(with_dependencies(self._stack, going_down)):
            if name in going_down and name not in turns:
                self._stop(name, creates.get(name))
        self._renew_networks()
        for name in self._goal.run:
            if name in turns:
                self._stop(name, creates[name], self._turn(name))
            self._bring_up(name, creates[name])
        for name in self._goal.stop:
            if name not in self._stops:
                self._settled[name] = "already_stopped"
        return Plan(tuple(self._draft.ops), self._settled, self._goal.causes)

    def _tidy(self) -> None:
        """End what is more than is declared; it may hold ports that the others want."""
        for key, held in self._seen.containers.items():
            if key in self._stack.services or not held or held[0].service not in self._goal.tidy:
                continue
            service = held[0].service
            cause = text("cause.surplus", service=service)
            for container in held:
                edges: tuple[Edge, ...] = ()
                for op in removal_of(container.state):
                    edges = (self._draft.add(op, key, cause, container.name, edges, container.id),)
                gone = Edge(edges[0].id, Tolerance.ANY)
                self._surplus.setdefault(service, []).append(gone)

    def _container(self, name: str) -> ContainerObs | None:
        """The service's container; one on its way out is none any more."""
        found = self._seen.of(name)
        return None if found is not None and found.state is State.REMOVING else found

    def _services_to_stop(self) -> set[str]:
        names = set()
        for name in self._goal.stop:
            container = self._container(name)
            if container and container.state in ALIVE:
                names.add(name)
        for name in self._goal.run:
            container = self._container(name)
            if container and container.state in ALIVE and self._must_end(name, container):
                names.add(name)
        return names

    def _moved(self, name: str) -> str | None:
        """The service, out of those whose container this one shares, that gets another one."""
        for other in self._stack.services[name].shares:
            if other not in self._goal.run:
                continue
            container = self._container(other)
            if container is None or self._replaces(other, container) is not None:
                return other
        return None

    def _renewal(self, name: str) -> Text | None:
        """Why a network of the service is made anew, which its container has to make way for."""
        networks = sorted(self._stack.services[name].network_names & self._renewed.keys())
        return self._renewed[networks[0]] if networks else None

    def _rides(self, name: str) -> bool:
        """Whether its new container can be made only when its old one has gone."""
        return self._moved(name) is not None or self._renewal(name) is not None

    def _must_end(self, name: str, container: ContainerObs) -> bool:
        return self._restarts(name, container) or self._replaces(name, container) is not None

    def _restarts(self, name: str, container: ContainerObs) -> bool:
        return self._goal.restart.get(name) == container.incarnation

    def _replaces(self, name: str, container: ContainerObs) -> Text | None:
        if name in self._goal.replace:
            return self._goal.causes[name]
        moved = self._moved(name)
        if moved is not None:
            return text("cause.shared_replaced", service=moved)
        renewal = self._renewal(name)
        if renewal is not None:
            return renewal
        if container.state in ALIVE and name not in self._goal.replace_drifted:
            return None
        return drift(self._stack.services[name], container, self._seen)

    def _prepare(self, name: str) -> Edge | None:
        """Make sure there is a container to start: the edge its start must wait for."""
        spec = self._stack.services[name]
        main = spec.container.name
        found = self._container(name)
        removed = self._remove_leftovers(name, found)
        if self._rides(name):
            why = None if found is None else self._replaces(name, found)
            self._riders[name] = why or text("cause.missing")
            return None
        if found is None:
            return self._create(spec, main, text("cause.missing"))
        if found.is_replacement:
            return self._finish_replacement(spec, found)
        why = self._replaces(name, found)
        if why is None:
            return None
        return self._create(spec, f"{found.id[:12]}_{main}", why, *removed, old=found)

    def _finish_replacement(self, spec: ServiceSpec, found: ContainerObs) -> Edge | None:
        main = spec.container.name
        why = drift(spec, found, self._seen)
        if why is None:
            cause = text("cause.interrupted_replacement")
            return self._draft.add(Op.RENAME, spec.name, cause, main, container_id=found.id)
        gone = self._draft.add(Op.REMOVE, spec.name, why, found.name, container_id=found.id)
        return self._create(spec, main, why, gone, old=found)

    def _remove_leftovers(self, name: str, found: ContainerObs | None) -> list[Edge]:
        """Whoever creates under a leftover's name must wait until it is free."""
        cause = text("cause.leftover")
        return [
            self._draft.add(Op.REMOVE, name, cause, other.name, container_id=other.id)
            for other in self._seen.containers.get(name, ())
            if other is not found and other.is_replacement and other.state is State.CREATED
        ]

    def _create(
        self,
        spec: ServiceSpec,
        subject: str,
        cause: Text,
        *after: Edge,
        old: ContainerObs | None = None,
    ) -> Edge:
        edges = (*after, *self._draft.needs(spec))
        kept = own_volumes(spec, old, self._seen) if old else ()
        return self._draft.add(Op.CREATE, spec.name, cause, subject, edges, volumes=kept)

    def _turn(self, name: str) -> Edge | None:
        """The wait until the container of the same service before it is well again."""
        members = self._stack.members(self._stack.declared_as(name))
        before = [self._gates[other] for other in members if other in self._gates]
        return Edge(max(before)) if before else None

    def _stop(self, name: str, created: Edge | None, turn: Edge | None = None) -> None:
        """Stop after the dependants that go down too, and after its replacement is made."""
        container = self._container(name)
        assert container is not None
        waits = [
            Edge(self._stops[other], Tolerance.ANY)
            for other in dependants(self._stack, name)
            if other in self._stops
        ]
        remade = created is not None or name in self._riders
        cause = self._replaces(name, container) if remade else None
        cause = cause or self._goal.causes[name]
        # A rider is made only after it has gone, but not before its image is there.
        images = self._images_to_ride(name) if name in self._riders else ()
        edges: tuple[Edge | None, ...] = (created, turn, *images, *waits)
        if container.state is State.PAUSED:
            paused = text("cause.paused")
            unpaused = self._draft.add(
                Op.UNPAUSE, name, paused, container.name, edges, container_id=container.id
            )
            edges = (unpaused,)
        edge = self._draft.add(
            Op.STOP, name, cause, container.name, edges, container_id=container.id
        )
        self._stops[name] = edge.id

    def _images_to_ride(self, name: str) -> list[Edge]:
        """Its own; all that leave one network together wait for the images of all."""
        together = [name]
        if self._renewal(name) is not None:
            together = [other for other in self._riders if self._renewal(other) is not None]
        images = (self._draft.images(self._stack.services[other]) for other in together)
        return [edge for found in images for edge in found]

    def _renew_networks(self) -> None:
        """Take off a network what is on it, then make it anew."""
        for network, cause in self._renewed.items():
            users = [n for n in self._goal.run if network in self._stack.services[n].network_names]
            for name in users:
                container = self._container(name)
                if container is not None and name not in self._taken:
                    self._taken[name] = self._take(name, container)
            waits = tuple(self._taken[name] for name in users if name in self._taken)
            self._draft.once(Op.RENEW, users[0], cause, network, waits)

    def _take(self, name: str, container: ContainerObs, *after: Edge) -> Edge:
        """Remove a rider's old container, which may have been stopped before."""
        stopped = Edge(self._stops[name]) if name in self._stops else None
        return self._draft.add(
            Op.REMOVE,
            name,
            self._riders[name],
            container.name,
            (stopped, *after),
            container_id=container.id,
        )

    def _bring_up(self, name: str, created: Edge | None) -> None:
        spec = self._stack.services[name]
        container = self._container(name)
        stopped = Edge(self._stops[name]) if name in self._stops else None
        if name in self._riders:
            self._start(spec, None, self._ride(spec, container), stopped)
            return
        if created is None and stopped is None and container is not None:
            if self._leave(name, container):
                return
            if container.state is State.RUNNING:
                self._gate(spec, None, container.id)
                return
        if created is not None and container is not None and not container.is_replacement:
            created = self._take_over(spec, container, created, stopped)
        if created is not None:
            self._placed[name] = created
        self._start(spec, container, created, stopped)

    def _leave(self, name: str, container: ContainerObs) -> bool:
        """True (and settled) where the container already is as wished."""
        finished = container.state is State.EXITED and container.exit_code == 0
        if finished and name in self._may_finish and not self._restarts(name, container):
            self._settled[name] = "completed"
            return True
        if name in self._one_shots:
            return False
        if container.state is State.RUNNING and name in self._healthy:
            self._settled[name] = "already_running"
            return True
        return False

    def _ride(self, spec: ServiceSpec, old: ContainerObs | None) -> Edge:
        """Its new container, made only once those that it shares have their places: the engine
        binds it to whatever has their names when it is made."""
        cause = self._riders[spec.name]
        after = [self._placed[other] for other in spec.shares if other in self._placed]
        if old is not None:
            after = [self._taken.get(spec.name) or self._take(spec.name, old, *after), *after]
        self._placed[spec.name] = self._create(spec, spec.container.name, cause, *after, old=old)
        return self._placed[spec.name]

    def _take_over(
        self, spec: ServiceSpec, old: ContainerObs, created: Edge, stopped: Edge | None
    ) -> Edge:
        cause = text("cause.replace")
        gone = self._draft.add(
            Op.REMOVE, spec.name, cause, old.name, (created, stopped), container_id=old.id
        )
        return self._draft.add(Op.RENAME, spec.name, cause, spec.container.name, (gone,))

    def _start(
        self,
        spec: ServiceSpec,
        container: ContainerObs | None,
        created: Edge | None,
        stopped: Edge | None,
    ) -> None:
        gates = (
            *(self._dependency_edge(d) for d in spec.depends_on),
            *self._surplus.get(spec.replica_of or spec.name, ()),
        )
        existing = container.id if container and (created is None) else None
        if container and container.is_replacement and existing is None:
            kept = drift(spec, container, self._seen) is None
            existing = container.id if kept else None
        op = Op.START
        if container and container.state is State.PAUSED and created is None and stopped is None:
            op = Op.UNPAUSE
        started = self._draft.add(
            op,
            spec.name,
            self._goal.causes[spec.name],
            spec.container.name,
            (created, stopped, *gates),
            container_id=existing,
        )
        self._gate(spec, started, existing)

    def _gate(self, spec: ServiceSpec, started: Edge | None, container_id: str | None) -> None:
        """The wait for the service's verdict, which dependants and the caller await."""
        finishing = spec.name in self._one_shots
        op = Op.FINISHED if finishing else Op.READY
        cause = text("cause.completion" if finishing else "cause.readiness")
        gate = self._draft.add(op, spec.name, cause, spec.container.name, (started,), container_id)
        self._gates[spec.name] = gate.id

    def _dependency_edge(self, dependency: Dependency) -> Edge | None:
        gate = self._gates.get(dependency.service)
        if gate is None:
            return None
        if not dependency.required:
            return Edge(gate, Tolerance.ANY)
        if dependency.condition is Condition.STARTED:
            return Edge(gate, Tolerance.UNHEALTHY)
        return Edge(gate)
