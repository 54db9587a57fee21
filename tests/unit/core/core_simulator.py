"""An engine made of values: what the world looks like after every operation of a plan succeeded.

It is as strict as the real one about names, states and networks, so a plan that could not be
carried out fails here, without Docker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from core_builders import NOW

from controller.model.observation import ALIVE, ContainerObs, NetworkObs, Observation, State
from controller.model.spec import StackSpec
from controller.orchestrator.plan import Op, Plan, PlannedOp


class Simulator:
    """Carries out a plan on an observation, in the order of its ids."""

    def __init__(self, stack: StackSpec, seen: Observation):
        self._stack = stack
        self._seen = seen
        self._containers = {c.id: c for group in seen.containers.values() for c in group}
        self._networks = dict(seen.networks)
        self._volumes = set(seen.volumes)
        self._made: dict[str, str] = {}
        self._tick = 0

    def carry_out(self, plan: Plan) -> Observation:
        acts: dict[Op, Callable[[PlannedOp], None]] = {
            Op.NETWORK: self._network,
            Op.RENEW: self._renew,
            Op.VOLUME: lambda op: self._volumes.add(op.subject),
            Op.CREATE: self._create,
            Op.RENAME: self._rename,
            Op.REMOVE: self._remove,
            Op.STOP: self._stop,
            Op.START: self._start,
            Op.UNPAUSE: self._unpause,
            Op.READY: self._ready,
            Op.FINISHED: self._finish,
        }
        for op in plan.ops:
            acts[op.op](op)
        return self._observation()

    def _observation(self) -> Observation:
        by_service: dict[str, tuple[ContainerObs, ...]] = {}
        for found in self._containers.values():
            by_service[found.service] = (*by_service.get(found.service, ()), found)
        return replace(
            self._seen,
            containers=by_service,
            networks=dict(self._networks),
            volumes=frozenset(self._volumes),
        )

    def _target(self, op: PlannedOp) -> ContainerObs:
        return self._containers[op.container_id or self._made[op.service]]

    def _put(self, container: ContainerObs) -> None:
        self._containers[container.id] = container

    def _free(self, name: str) -> None:
        for other in list(self._containers.values()):
            if other.name == name:
                # A removal in progress ends by itself; the executor waits for it.
                assert other.state is State.REMOVING, f"the name {name} is taken"
                del self._containers[other.id]

    def _create(self, op: PlannedOp) -> None:
        spec = self._stack.services[op.service]
        self._free(op.subject)
        assert {m.source for m in spec.container.mounts} <= self._volumes
        self._tick += 1
        made = ContainerObs(
            id=f"{self._tick:064x}",
            name=op.subject,
            service=op.service,
            state=State.CREATED,
            image=spec.container.image,
            image_id=self._seen.images.get(spec.container.image, "sha256:pulled"),
            config_hash=spec.config_hash,
            networks={
                name: self._networks[name].id
                for name in self._stack.services[op.service].network_names
            },
        )
        self._made[op.service] = made.id
        self._put(made)

    def _network(self, op: PlannedOp) -> None:
        assert op.subject not in self._networks, "it is there"
        self._tick += 1
        self._networks[op.subject] = NetworkObs(f"made {self._tick}")

    def _renew(self, op: PlannedOp) -> None:
        for found in self._containers.values():
            on_it = op.subject in self._stack.services[found.service].network_names
            assert found.state not in ALIVE or not on_it, f"{found.name} is on the network"
        del self._networks[op.subject]
        self._network(op)

    def _rename(self, op: PlannedOp) -> None:
        self._free(op.subject)
        self._put(replace(self._target(op), name=op.subject))

    def _remove(self, op: PlannedOp) -> None:
        assert self._target(op).state not in ALIVE, "only a stopped container can be removed"
        del self._containers[self._target(op).id]

    def _stop(self, op: PlannedOp) -> None:
        assert self._target(op).state in (State.RUNNING, State.RESTARTING)
        self._put(replace(self._target(op), state=State.EXITED, exit_code=0))

    def _start(self, op: PlannedOp) -> None:
        found = self._target(op)
        assert found.state in (State.CREATED, State.EXITED, State.RESTARTING), found.state
        assert found.name == op.subject, "what is started bears its own name"
        self._tick += 1
        started = NOW + timedelta(seconds=self._tick)
        self._put(replace(found, state=State.RUNNING, started_at=started, exit_code=None))

    def _unpause(self, op: PlannedOp) -> None:
        assert self._target(op).state is State.PAUSED
        self._put(replace(self._target(op), state=State.RUNNING))

    def _ready(self, op: PlannedOp) -> None:
        found = self._observation().of(op.service)
        assert found is not None
        assert found.state is State.RUNNING

    def _finish(self, op: PlannedOp) -> None:
        found = self._observation().of(op.service)
        assert found is not None
        self._put(replace(found, state=State.EXITED, exit_code=0))
