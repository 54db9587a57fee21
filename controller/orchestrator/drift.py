"""Whether a container still is what its definition says; pure."""

from __future__ import annotations

from controller.model.observation import ALIVE, ContainerObs, Observation, State
from controller.model.spec import ServiceSpec
from controller.model.text import Text, text
from controller.orchestrator.sharing import lost_share


def drift(spec: ServiceSpec, container: ContainerObs, seen: Observation) -> Text | None:
    """Why the container cannot be what its definition says; None if it can."""
    if container.state is State.DEAD:
        return text("cause.not_running", state=container.state)
    if container.config_hash != spec.config_hash:
        return text("cause.hash_changed")
    image = seen.images.get(spec.container.image)
    if image is not None and container.image_id != image:
        return text("cause.image_changed")
    shared = lost_share(spec, container, seen)
    if shared is not None:
        return text("cause.shared_gone", service=shared)
    if container.state not in ALIVE:
        for name in sorted(spec.network_names):
            there, held = seen.networks.get(name), container.networks.get(name)
            # It is bound to the very network that was there when it was made.
            if there is None or (held and there.id and held != there.id):
                return text("cause.network_gone", network=name)
    return None
