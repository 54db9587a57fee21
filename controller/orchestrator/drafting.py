"""A plan in the making: operations in order, and what containers need, each once; pure."""

from __future__ import annotations

from collections.abc import Mapping

from controller.model.observation import Observation
from controller.model.spec import ServiceSpec
from controller.model.text import Text, text
from controller.orchestrator.plan import Edge, Op, PlannedOp, Tolerance
from controller.orchestrator.supply import Supply


class Draft:
    """`ops` so far. `supplies` says what is to be done for the images of containers."""

    def __init__(self, seen: Observation, supplies: Mapping[str, Supply]):
        self.ops: list[PlannedOp] = []
        self._seen = seen
        self._supplies = supplies
        self._shared: dict[tuple[Op, str], int] = {}

    def add(
        self,
        op: Op,
        service: str,
        cause: Text,
        subject: str,
        edges: tuple[Edge | None, ...] = (),
        container_id: str | None = None,
        volumes: tuple[tuple[str, str], ...] = (),
        *,
        lenient: bool = False,
    ) -> Edge:
        """One operation more; what is to come after it waits for the edge."""
        number = len(self.ops) + 1
        kept = tuple(edge for edge in edges if edge is not None)
        self.ops.append(
            PlannedOp(number, op, service, cause, subject, kept, container_id, volumes, lenient)
        )
        return Edge(number)

    def once(
        self,
        op: Op,
        service: str,
        cause: Text,
        subject: str,
        edges: tuple[Edge, ...] = (),
        *,
        lenient: bool = False,
    ) -> Edge:
        """The operation on this subject, whoever needed it first."""
        key = (op, subject)
        if key not in self._shared:
            added = self.add(op, service, cause, subject, edges, lenient=lenient)
            self._shared[key] = added.id
        return Edge(self._shared[key])

    def needs(self, spec: ServiceSpec) -> list[Edge]:
        """All that must be there before its container is made."""
        return [*self.images(spec), *self._networks(spec), *self._volumes(spec)]

    def images(self, spec: ServiceSpec) -> list[Edge]:
        """What must have been pulled or built; nothing of the old container is touched before."""
        supply = self._supplies.get(spec.name)
        if supply is None:
            return []
        edges: tuple[Edge, ...] = ()
        if supply.pull is not None:
            pulled = self.once(
                Op.PULL, spec.name, supply.pull, supply.image, lenient=supply.lenient
            )
            edges = (pulled,)
        if supply.build is not None:
            built = self.once(Op.BUILD, spec.name, supply.build, supply.image, edges)
            edges = (built,)
        return list(edges)

    def _networks(self, spec: ServiceSpec) -> list[Edge]:
        names = sorted(spec.network_names)
        # One that cannot be made anew is there as it was, which is better than to stay down.
        renewed = [
            Edge(self._shared[Op.RENEW, name], Tolerance.ANY)
            for name in names
            if (Op.RENEW, name) in self._shared
        ]
        return renewed + [
            self.once(
                Op.NETWORK,
                spec.name,
                text("cause.network_missing", service=spec.name, network=name),
                name,
            )
            for name in names
            if name not in self._seen.networks
        ]

    def _volumes(self, spec: ServiceSpec) -> list[Edge]:
        named = {m.source for m in spec.container.mounts if m.type == "volume" and m.source}
        return [
            self.once(
                Op.VOLUME,
                spec.name,
                text("cause.volume_missing", service=spec.name, volume=name),
                name,
            )
            for name in sorted(named - self._seen.volumes)
        ]
