"""What was seen of the engine last, kept by the key that each container has in the stack.

The engine answers late and out of order: a full pass takes long, and what it saw first may be old
when it ends, while events have had single services looked at meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller import clock
from controller.model.observation import ContainerObs, NetworkObs, Observation
from controller.model.spec import StackSpec

Found = Mapping[str, tuple[ContainerObs, ...]]


class Sightings:
    """Take a number with `question` before the engine is asked, and give it with the answer."""

    def __init__(self, stack: StackSpec):
        self._stack = stack
        self._asked = 0
        self._answered: dict[str, int] = {}
        self.seen = Observation(clock.now())

    def question(self) -> int:
        self._asked += 1
        return self._asked

    def all(self, listed: Iterable[ContainerObs], question: int) -> None:
        """These are all the containers there are."""
        gone: Found = dict.fromkeys(self.seen.containers, ())
        self._learn({**gone, **self._by_key(listed)}, question)

    def some(self, service: str, listed: Iterable[ContainerObs], question: int) -> set[str]:
        """These are all the containers of a service, as the compose files call it; the keys under
        which there are or were some."""
        seen = self.seen.containers.items()
        keys = {key for key, held in seen if any(one.service == service for one in held)}
        keys |= {service, *self._stack.members(service)}
        gone: Found = dict.fromkeys(keys, ())
        self._learn({**gone, **self._by_key(listed)}, question)
        return keys

    def surveyed(
        self,
        networks: Mapping[str, NetworkObs],
        volumes: frozenset[str],
        images: Mapping[str, str],
    ) -> None:
        self.seen = replace(self.seen, networks=networks, volumes=volumes, images=images)

    def declared_as(self, key: str) -> str:
        """The name in the compose files, also of a container that is more than are declared."""
        held = () if key in self._stack.services else self.seen.containers.get(key, ())
        return held[0].service if held else self._stack.declared_as(key)

    def _by_key(self, listed: Iterable[ContainerObs]) -> Found:
        grouped: dict[str, tuple[ContainerObs, ...]] = {}
        for container in listed:
            key = self._stack.key_of(container.service, container.number)
            grouped[key] = (*grouped.get(key, ()), container)
        return grouped

    def _learn(self, found: Found, question: int) -> None:
        """Take over an answer, except where a question asked later was answered already."""
        newer = {key: held for key, held in found.items() if self._answered.get(key, 0) < question}
        self._answered |= dict.fromkeys(newer, question)
        self.seen = replace(
            self.seen, containers={**self.seen.containers, **newer}, taken_at=clock.now()
        )
