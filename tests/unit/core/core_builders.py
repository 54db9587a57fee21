"""Short ways to say a stack and what was seen of it, so that a test shows only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from controller.model.observation import ContainerObs, NetworkObs, Observation, State
from controller.model.spec import (
    Condition,
    ContainerSpec,
    Dependency,
    Mount,
    NetworkAttachment,
    NetworkSpec,
    Port,
    ProbeKind,
    ProbeSpec,
    ServiceSpec,
    StackSpec,
    VolumeSpec,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BORN = NOW - timedelta(hours=1)
NET = "heal7_net"
IMAGE = "heal7/app:1"
IMAGE_ID = "sha256:app1"
HASH = "h1"
UNPROBED = ProbeSpec(kind=ProbeKind.NONE)


def needs(name: str) -> Dependency:
    """`db`, `db:healthy` or `db:completed`; `?` at the end is `required: false`, `!` restart."""
    plain = name.rstrip("?!")
    service, _, condition = plain.partition(":")
    wanted = {"": Condition.STARTED, "healthy": Condition.HEALTHY, "completed": Condition.COMPLETED}
    return Dependency(
        service, wanted[condition], restart="!" in name, required=not name.endswith("?")
    )


def service(
    name: str,
    *dependencies: str,
    networks: Iterable[str] = (NET,),
    volumes: Iterable[str] = (),
    image: str = IMAGE,
    config_hash: str = HASH,
    probe: ProbeSpec = UNPROBED,
    port: int | None = None,
    managed: bool = True,
    joins: tuple[str, ...] = (),
    borrows: tuple[str, ...] = (),
) -> ServiceSpec:
    """A service whose container is `heal7-<name>-1`."""
    return ServiceSpec(
        name=name,
        container=ContainerSpec(
            name=f"heal7-{name}-1",
            image=image,
            networks=tuple(NetworkAttachment(n) for n in networks),
            mounts=tuple(Mount("volume", f"/{v}", v) for v in volumes),
            ports=(Port(port, port),) if port else (),
            labels=(
                ("com.docker.compose.project", "heal7"),
                ("com.docker.compose.service", name),
                ("com.docker.compose.config-hash", config_hash),
            ),
        ),
        config_hash=config_hash,
        depends_on=tuple(needs(d) for d in dependencies),
        managed=managed,
        port=port,
        probe=probe,
        joins=joins,
        borrows=borrows,
    )


def stack(*services: ServiceSpec) -> StackSpec:
    """A stack with every network and volume its services name."""
    networks = dict.fromkeys(n.network for s in services for n in s.container.networks)
    volumes = dict.fromkeys(m.source for s in services for m in s.container.mounts)
    return StackSpec(
        project="heal7",
        working_dir="/srv/heal7",
        config_files=("/srv/heal7/compose.yaml",),
        services={s.name: s for s in services},
        networks=tuple(NetworkSpec(n, n) for n in networks),
        volumes=tuple(VolumeSpec(v, v) for v in volumes),
    )


CHAIN = stack(service("web", "api"), service("api", "db:healthy"), service("db"))


def long_id(name: str) -> str:
    """The id that `container` gives: 64 hex digits that show the service's first letters."""
    letters = "".join(f"{ord(c) % 16:x}" for c in name)
    return (letters * 64)[:64]


def container(
    name: str,
    state: State = State.RUNNING,
    *,
    config_hash: str = HASH,
    image_id: str = IMAGE_ID,
    container_id: str | None = None,
    container_name: str | None = None,
    started_at: datetime | None = BORN,
    exit_code: int | None = None,
    number: int = 1,
    health: str = "",
    oom_killed: bool = False,
    ports: Mapping[str, tuple[tuple[str, int], ...]] | None = None,
    addresses: Mapping[str, str] | None = None,
) -> ContainerObs:
    """A container of the service `name`; a created one was never started."""
    ended = state in (State.EXITED, State.DEAD)
    return ContainerObs(
        id=container_id or long_id(name),
        name=container_name or f"heal7-{name}-1",
        service=name,
        state=state,
        image=IMAGE,
        image_id=image_id,
        config_hash=config_hash,
        number=number,
        exit_code=(0 if exit_code is None else exit_code) if ended else None,
        started_at=None if state is State.CREATED else started_at,
        health=health,
        oom_killed=oom_killed,
        ports=ports or {},
        addresses=addresses or {},
    )


def leftover(name: str, config_hash: str = HASH) -> ContainerObs:
    """A replacement that a dead hub made for `container(name)` and never renamed."""
    return container(
        name,
        State.CREATED,
        config_hash=config_hash,
        container_id="f" * 64,
        container_name=f"{long_id(name)[:12]}_heal7-{name}-1",
    )


def seen(
    *containers: ContainerObs,
    networks: Iterable[str] = (NET,),
    volumes: Iterable[str] = (),
    images: Mapping[str, str] | None = None,
) -> Observation:
    """An observation of exactly these containers, with the usual network and image there."""
    by_service: dict[str, tuple[ContainerObs, ...]] = {}
    for found in containers:
        by_service[found.service] = (*by_service.get(found.service, ()), found)
    return Observation(
        taken_at=NOW,
        containers=by_service,
        networks={name: NetworkObs() for name in networks},
        volumes=frozenset(volumes),
        images={IMAGE: IMAGE_ID} if images is None else images,
    )
