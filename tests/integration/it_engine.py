"""What the engine itself says: the tests' witness, and their broom."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from controller.engine.inspect import moment

Json = dict[str, Any]
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


@dataclass(frozen=True, slots=True)
class Witness:
    """One engine, asked directly and never through the hub."""

    api: docker.DockerClient

    def inspected(self, project: str) -> list[Json]:
        """Every container of the project, sorted by name."""
        found = []
        for container in self.api.containers.list(all=True, filters=_of(project), sparse=True):
            with contextlib.suppress(NotFound):
                found.append(self.api.api.inspect_container(str(container.id)))
        return sorted(found, key=lambda raw: str(raw["Name"]))

    def one(self, project: str, service: str) -> Json:
        """The service's only container. Raises AssertionError if there are more or none."""
        found = [
            raw for raw in self.inspected(project) if raw["Config"]["Labels"][SERVICE] == service
        ]
        assert len(found) == 1, [raw["Name"] for raw in found]
        return found[0]

    def container(self, project: str, service: str) -> Container:
        """The service's only container, to be treated as a person would beside the hub."""
        return self.api.containers.get(self.one(project, service)["Id"])

    def helpers(self, project: str) -> list[str]:
        """Names of containers that keep a fault up in this project."""
        label: Json = {"label": f"heal7.fault.project={project}"}
        found = self.api.containers.list(all=True, filters=label, sparse=True)
        return [str(container.id) for container in found]

    def lives(self, project: str) -> dict[str, tuple[str, str]]:
        """By container name: its id and when it was started. Differs after any restart."""
        return {
            raw["Name"].lstrip("/"): (raw["Id"], raw["State"]["StartedAt"])
            for raw in self.inspected(project)
        }

    def started(self, project: str, service: str) -> datetime:
        return _moment(self.one(project, service)["State"]["StartedAt"])

    def finished(self, project: str, service: str) -> datetime:
        return _moment(self.one(project, service)["State"]["FinishedAt"])

    def said(self, project: str, service: str, word: str) -> datetime:
        """When the service last printed `word <unix time>`."""
        raw = self.logs(project, service)
        stamps = [line.split()[1] for line in raw.splitlines() if line.startswith(f"{word} ")]
        assert stamps, f"{service} never said {word!r}: {raw[-500:]}"
        return datetime.fromtimestamp(float(stamps[-1]), UTC)

    def logs(self, project: str, service: str) -> str:
        """All that the service's container has printed."""
        output: bytes = self.api.api.logs(self.one(project, service)["Id"])
        return output.decode()

    def picture(self, project: str) -> Json:
        """All that a dry run must leave as it is."""
        return {
            "containers": self.inspected(project),
            "networks": sorted(n.name for n in self.api.networks.list(filters=_of(project))),
            "volumes": sorted(v.name for v in self.api.volumes.list(filters=_of(project))),
        }

    def kill(self, project: str, service: str, signal: str = "SIGKILL") -> None:
        self.api.api.kill(self.one(project, service)["Id"], signal=signal)

    def run(self, project: str, service: str, script: str) -> str:
        """Run a shell script as root in the service's container; its output."""
        container = self.api.containers.get(self.one(project, service)["Id"])
        code, output = container.exec_run(["sh", "-c", script], user="0:0")
        assert isinstance(output, bytes)
        text = output.decode()
        assert code == 0, text
        return text

    def remove_containers(self, project: str) -> None:
        for container in self.api.containers.list(all=True, filters=_of(project), sparse=True):
            with contextlib.suppress(NotFound):
                container.remove(force=True, v=True)

    def remove_images(self, label: str, *refs: str) -> None:
        """Remove these images, by name or id, and the nameless ones that carry the label."""
        nameless: Json = {"label": label, "dangling": True}
        for ref in [*refs, *(str(i.id) for i in self.api.images.list(filters=nameless))]:
            with contextlib.suppress(NotFound):
                self.api.images.remove(ref, force=True)

    def sweep(self, project: str) -> None:
        """Remove everything that carries the project's label."""
        self.remove_containers(project)
        for network in self.api.networks.list(filters=_of(project)):
            network.remove()
        for volume in self.api.volumes.list(filters=_of(project)):
            volume.remove(force=True)


def _of(project: str) -> Json:
    return {"label": f"{PROJECT}={project}"}


def _moment(stamp: str) -> datetime:
    found = moment(stamp)
    assert found is not None, stamp
    return found
