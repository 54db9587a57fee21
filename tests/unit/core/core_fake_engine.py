"""An engine in memory with the verbs of the real door, told beforehand how to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import cast

from core_builders import IMAGE, IMAGE_ID, NET, NOW

from controller.engine.client import DockerEngine
from controller.engine.intent import Asked
from controller.engine.pool import EnginePool
from controller.errors import (
    EngineConflictError,
    EngineNotFoundError,
    EngineUnreachableError,
)
from controller.model.observation import ContainerObs, NetworkObs, State
from controller.model.spec import ContainerSpec, NetworkSpec, VolumeSpec

_SERVICE = "com.docker.compose.service"


class FakeEngine:
    """`calls` are the commands it was given, as `verb service`. Used from the pool's threads."""

    def __init__(self, *containers: ContainerObs):
        self.containers = {c.id: c for c in containers}
        self.labels = {c.id: {_SERVICE: c.service} for c in containers}
        self.calls: list[str] = []
        self.breaks: dict[str, Exception] = {}
        """What a command raises instead of being done, by `verb service`."""
        self.exits: dict[str, int] = {}
        """Services that end at once when started, with their exit code."""
        self.output = ""
        self.silent = False
        self.images = {IMAGE: IMAGE_ID}
        self.held: dict[str, threading.Event] = {}
        """Commands that wait until a test lets them go."""
        self.begun: dict[str, threading.Event] = {}
        self.strangers: dict[str, dict[str, str]] = {}
        """Names taken by containers outside the stack, with their labels."""
        self._ids = count(1)

    def pool(self) -> EnginePool:
        return FakePool(self)

    def hold(self, command: str) -> None:
        self.held[command], self.begun[command] = threading.Event(), threading.Event()

    def of(self, service: str) -> ContainerObs:
        (found,) = (c for c in self.containers.values() if c.service == service)
        return found

    # -- looks

    def ping(self) -> bool:
        self._answer()
        return True

    def list_containers(self, project: str, service: str | None = None) -> list[ContainerObs]:
        self._answer()
        found = list(self.containers.values())
        return [c for c in found if service in (None, c.service)]

    def networks(self) -> dict[str, NetworkObs]:
        self._answer()
        return {NET: NetworkObs()}

    def volumes(self) -> frozenset[str]:
        self._answer()
        return frozenset()

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        self._answer()
        return {ref: self.images[ref] for ref in references if ref in self.images}

    def container_labels(self, name: str) -> dict[str, str] | None:
        self._answer()
        for found in self.containers.values():
            if found.name == name:
                return self.labels[found.id]
        return self.strangers.get(name)

    def log_tail(self, container_id: str, lines: int) -> str:
        self._answer()
        return self.output

    # -- commands

    def ensure_network(self, spec: NetworkSpec) -> None:
        self._command("network", spec.name)

    def ensure_volume(self, spec: VolumeSpec) -> None:
        self._command("volume", spec.name)

    def create(self, spec: ContainerSpec) -> str:
        labels = dict(spec.labels)
        self._command("create", labels[_SERVICE])
        taken = {c.name for c in self.containers.values()} | set(self.strangers)
        if spec.name in taken:
            raise EngineConflictError(f"the name {spec.name} is in use")
        made = ContainerObs(
            id=f"{next(self._ids):064x}",
            name=spec.name,
            service=labels[_SERVICE],
            state=State.CREATED,
            image=spec.image,
            image_id=IMAGE_ID,
            config_hash=labels["com.docker.compose.config-hash"],
        )
        self.containers[made.id], self.labels[made.id] = made, labels
        return made.id

    def start(self, container_id: str) -> None:
        found = self._known("start", container_id)
        life = NOW + timedelta(seconds=next(self._ids))
        self.containers[found.id] = replace(
            found, state=State.RUNNING, started_at=life, exit_code=None
        )
        if found.service in self.exits:
            self.die(found.service, self.exits[found.service])

    def stop(self, container_id: str, grace_s: float) -> bool:
        found = self._known("stop", container_id)
        self.containers[found.id] = replace(found, state=State.EXITED, exit_code=0)
        return found.state is not State.EXITED

    def unpause(self, container_id: str) -> None:
        found = self._known("unpause", container_id)
        self.containers[found.id] = replace(found, state=State.RUNNING)

    def remove(self, container_id: str) -> None:
        del self.containers[self._known("remove", container_id).id]

    def rename(self, container_id: str, name: str) -> None:
        found = self._known("rename", container_id)
        self.containers[found.id] = replace(found, name=name)

    def die(self, service: str, code: int) -> None:
        """The container ends by itself."""
        found = self.of(service)
        self.containers[found.id] = replace(found, state=State.EXITED, exit_code=code)

    def close(self) -> None:
        return

    def _known(self, verb: str, container_id: str) -> ContainerObs:
        if container_id not in self.containers:
            raise EngineNotFoundError(f"no container {container_id[:12]}")
        self._command(verb, self.containers[container_id].service)
        return self.containers[container_id]

    def _command(self, verb: str, about: str) -> None:
        command = f"{verb} {about}"
        self._answer()
        if command in self.held:
            self.begun[command].set()
            assert self.held[command].wait(60), f"nobody let {command} go"
        self.calls.append(command)
        if command in self.breaks:
            raise self.breaks[command]

    def _answer(self) -> None:
        if self.silent:
            raise EngineUnreachableError("the engine did not answer")


class FakePool(EnginePool):
    """Runs a fake engine's calls; `asked` is what that engine remembers of its containers."""

    def __init__(self, engine: FakeEngine):
        super().__init__(cast(DockerEngine, engine))
        self.asked = Asked()
        self._fake = engine

    async def asked_to_end(
        self, project: str, service: str, since: datetime, stop_signal: str
    ) -> Asked:
        if self._fake.silent:
            raise EngineUnreachableError("the engine did not answer")
        return self.asked
