"""What the hub saw: one snapshot of the engine, and nothing that it did not see.

Pure data. `controller/engine` fills it from inspect answers, the decisions read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.spec import AddressPool

_REPLACEMENT = re.compile(r"[0-9a-f]{12}_")


class State(StrEnum):
    """The engine's word for a container; `missing` where there is none."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"
    MISSING = "missing"


ALIVE = (State.RUNNING, State.PAUSED, State.RESTARTING)


@dataclass(frozen=True, slots=True)
class ContainerObs:
    """One container as the engine's inspect tells it.

    `health` is the container's own HEALTHCHECK verdict ('' where it has none); `ports` maps
    container port/protocol to the host's (address, port); `networks` the name of a network to the
    id of the one it is on; `addresses` network name to IP;
    `joined` are the containers whose namespaces it was bound to when it was made (ids, or names as
    some engines keep them); `is_hub`: it is a hub's own.
    """

    id: str
    name: str
    service: str
    state: State
    image: str
    image_id: str
    config_hash: str = ""
    number: int = 1
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restart_count: int = 0
    health: str = ""
    ports: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    hardware_addresses: tuple[str, ...] = ()
    anonymous_volumes: tuple[tuple[str, str], ...] = ()
    joined: frozenset[str] = frozenset()
    is_hub: bool = False

    @property
    def incarnation(self) -> str:
        """Identifies one life of one container: it changes with every start."""
        started = self.started_at.isoformat() if self.started_at else "never"
        return f"{self.id}@{started}"

    @property
    def is_replacement(self) -> bool:
        """Made to replace `<id>_name`'s owner, and not renamed yet."""
        return _REPLACEMENT.match(self.name) is not None


@dataclass(frozen=True, slots=True)
class NetworkObs:
    """One network as the engine's list tells it."""

    id: str = ""
    driver: str = "bridge"
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    ipam_driver: str = "default"
    ipam_options: Mapping[str, str] = field(default_factory=dict)
    ipam_pools: tuple[AddressPool, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    config_hash: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """The stack at one moment. `containers` holds every container of the project, by service.

    `networks` are all that the engine has, by name; `images` maps each declared image reference to
    its id on this machine (absent: not here).
    """

    taken_at: datetime
    containers: Mapping[str, tuple[ContainerObs, ...]] = field(default_factory=dict)
    networks: Mapping[str, NetworkObs] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    images: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: str) -> ContainerObs | None:
        """The service's container: the lowest number, a running one before any other.

        A replacement that was never renamed counts only where nothing else is there.
        """
        found = self.containers.get(service, ())
        if not found:
            return None
        return min(
            found, key=lambda c: (c.is_replacement, c.state is not State.RUNNING, c.number, c.name)
        )
