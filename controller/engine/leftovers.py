"""What a compose project has left on an engine: set-up's `down` and `clean` remove exactly that.

Found by label, never by name: nothing without our project's label is ever named here.
"""

from __future__ import annotations

from controller.engine.client import DockerEngine
from controller.engine.inspect import LABEL_PROJECT
from controller.engine.mapping import mapped_errors


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
