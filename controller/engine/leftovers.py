"""What a compose project has left on an engine: set-up's `down` and `clean` remove exactly that.

Found by label, never by name: nothing without our project's label is ever named here.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.engine.client import DockerEngine
from controller.engine.inspect import LABEL_PROJECT, LABEL_SERVICE
from controller.engine.mapping import mapped_errors


@dataclass(frozen=True, slots=True)
class Leftover:
    """A container of the project. `service` is what its label says; `networks` are by name."""

    id: str
    name: str
    service: str
    networks: frozenset[str]


def containers(engine: DockerEngine, project: str) -> tuple[Leftover, ...]:
    """Every container of the project, one-offs too. Raises EngineError."""
    with mapped_errors(f"listing the containers of {project}"):
        rows = engine.api.containers(all=True, filters={"label": f"{LABEL_PROJECT}={project}"})
    return tuple(
        Leftover(
            row["Id"],
            row["Names"][0].lstrip("/"),
            (row.get("Labels") or {}).get(LABEL_SERVICE, ""),
            frozenset((row.get("NetworkSettings") or {}).get("Networks") or ()),
        )
        for row in rows
    )


def networks(engine: DockerEngine, project: str) -> tuple[str, ...]:
    """Names of the project's networks. Raises EngineError."""
    with mapped_errors(f"listing the networks of {project}"):
        found = engine.api.networks(filters={"label": f"{LABEL_PROJECT}={project}"})
    return tuple(sorted(network["Name"] for network in found))


def volumes(engine: DockerEngine, project: str) -> tuple[str, ...]:
    """Names of the project's volumes. Raises EngineError."""
    with mapped_errors(f"listing the volumes of {project}"):
        answer = engine.api.volumes(filters={"label": f"{LABEL_PROJECT}={project}"})
    return tuple(sorted(volume["Name"] for volume in answer.get("Volumes") or ()))
