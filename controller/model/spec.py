"""What people declared: a stack of services as the compose files and config.yaml say it.

Pure data. `controller/config` makes it, everything else only reads it. Durations are seconds,
sizes bytes, CPU in billionths of a core (`nano_cpus`), as the engine's API has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.model.build import Source
from controller.model.hook import Hook
from controller.model.host_settings import HostSettings


class Condition(StrEnum):
    """What a dependant waits for, in Compose's own words."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One `depends_on` entry."""

    service: str
    condition: Condition = Condition.STARTED
    restart: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Port:
    """One published port. `published` is None where the engine chooses, out of `published_range`
    (first, last) where there is one; `host_ip` '' means all."""

    target: int
    published: int | None = None
    protocol: str = "tcp"
    host_ip: str = ""
    published_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind, named volume (`source` is the engine's volume name; '' is anonymous) or tmpfs."""

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    tmpfs_size: int | None = None
    tmpfs_mode: int | None = None
    propagation: str | None = None
    create_host_path: bool = True
    selinux: str = ""
    nocopy: bool = False
    subpath: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    consistency: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkAttachment:
    """A container's place on one network; `network` is the engine's name of it."""

    network: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    priority: int = 0
    link_local_ips: tuple[str, ...] = ()
    mac_address: str | None = None
    driver_opts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The container's own HEALTHCHECK. `test` is the engine's form (`CMD`, `CMD-SHELL`, `NONE`)."""

    test: tuple[str, ...]
    interval_s: float | None = None
    timeout_s: float | None = None
    retries: int | None = None
    start_period_s: float | None = None
    start_interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything the engine needs to create the container of a service.

    None means "as the image has it"; `()` for command or entrypoint means "cleared".
    `network_mode` is None when `networks` says where the container lives.
    """

    name: str
    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str | None], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[NetworkAttachment, ...] = ()
    network_mode: str | None = None
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    init: bool | None = None
    read_only: bool = False
    privileged: bool = False
    tty: bool = False
    stdin_open: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    tmpfs: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    mem_limit: int | None = None
    mem_reservation: int | None = None
    nano_cpus: int | None = None
    pids_limit: int | None = None
    shm_size: int | None = None
    oom_score_adj: int | None = None
    ipc: str | None = None
    pid: str | None = None
    restart: str = "no"
    stop_signal: str | None = None
    stop_grace_s: float = 10.0
    healthcheck: HealthCheck | None = None
    log_driver: str | None = None
    log_options: tuple[tuple[str, str], ...] = ()
    settings: HostSettings = field(default_factory=HostSettings)


class ProbeKind(StrEnum):
    HTTP = "http"
    TCP = "tcp"
    ENGINE = "engine"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """How the hub asks a service whether it is well.

    `port` is the container's port; the prober finds the published address or the container's own.
    `engine` takes the container's HEALTHCHECK as the source; `none` means running is enough.
    """

    kind: ProbeKind = ProbeKind.HTTP
    port: int | None = None
    path: str = "/health"
    interval_s: float = 2.0
    timeout_s: float = 1.0
    failures: int = 3
    successes: int = 1
    startup_s: float = 60.0
    match: str | None = None
    """Regular expression that the body of an HTTP answer must contain; None: the status decides."""


class RecoveryPolicy(StrEnum):
    """`restart`: the hub heals it. `none`: the hub watches and tells, and leaves it alone."""

    RESTART = "restart"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RecoverySpec:
    """How the hub heals a service.

    The first restart follows at once, later ones after `backoff_s` doubling up to `max_backoff_s`;
    `reset_s` of health in one piece make the next one the first again. After `max_restarts` within
    `window_s` the hub gives up. A process that hangs gets `grace_s` to end before it is killed.
    After `replace_after` tries in a row the container is made anew. `objective_s` is how fast it is
    meant to be well again, which rehearsals measure against.
    """

    policy: RecoveryPolicy = RecoveryPolicy.RESTART
    grace_s: float = 1.0
    max_restarts: int = 10
    window_s: float = 1800.0
    backoff_s: float = 1.0
    max_backoff_s: float = 300.0
    reset_s: float = 600.0
    replace_after: int = 3
    objective_s: float = 30.0


@dataclass(frozen=True, slots=True)
class HealingLimits:
    """What keeps healing from becoming a storm, over the whole stack: restarts at once, restarts
    in any minute, and how long probe-driven healing holds while over half of the stack fails."""

    at_once: int = 2
    per_minute: int = 10
    hold_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service of the stack. `port` is the one people know it by (published on the host).

    Of a service that runs in several containers each is one of these: `replica_of` is then its name
    in the compose files, and `number` says which container this is.
    """

    name: str
    container: ContainerSpec
    config_hash: str
    depends_on: tuple[Dependency, ...] = ()
    managed: bool = True
    port: int | None = None
    probe: ProbeSpec = field(default_factory=ProbeSpec)
    recovery: RecoverySpec = field(default_factory=RecoverySpec)
    stays: bool = True
    """Whether the definition asks for it to run on after an exit with code 0 (`restart: always` or
    `unless-stopped`); one that says nothing and has nothing to probe may finish."""
    source: Source = field(default_factory=Source)
    joins: tuple[str, ...] = ()
    """Services whose network, ipc or pid namespace its container lives in."""
    borrows: tuple[str, ...] = ()
    """Services whose volumes its container mounts (`volumes_from`)."""
    replica_of: str = ""
    number: int = 1
    post_start: tuple[Hook, ...] = ()
    """Run one after the other in its container once that has started."""
    pre_stop: tuple[Hook, ...] = ()

    @property
    def network_names(self) -> frozenset[str]:
        """The networks that its container is to be on, by the engine's names."""
        return frozenset(attachment.network for attachment in self.container.networks)

    @property
    def shares(self) -> tuple[str, ...]:
        """Services whose namespaces or volumes its container takes; the engine binds it to the very
        container it finds, so it is made anew whenever one of theirs is."""
        return tuple(dict.fromkeys((*self.joins, *self.borrows)))


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Addresses that a network gives away, but for `aux_addresses`, which are those of hosts."""

    subnet: str | None = None
    ip_range: str | None = None
    gateway: str | None = None
    aux_addresses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network to have; `name` is the engine's. External ones are only checked."""

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    driver_opts: tuple[tuple[str, str], ...] = ()
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    ipam_driver: str | None = None
    ipam_options: tuple[tuple[str, str], ...] = ()
    ipam_pools: tuple[AddressPool, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    config_hash: str = ""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A named volume to have; `name` is the engine's. External ones are only checked."""

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    driver_opts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    config_hash: str = ""


@dataclass(frozen=True, slots=True)
class StackSpec:
    """The whole declared stack, normalised. `services` is keyed by name, in file order.

    `replicas` says of services that run in another number of containers than one, in how many;
    those are in `services` as `name-1`, `name-2` and so on. `disabled` are services of profiles
    that nobody enabled. `warnings` are sentences `file:line: …` on what was read and cannot be
    honoured, or disagrees.
    """

    project: str
    working_dir: str
    config_files: tuple[str, ...]
    services: Mapping[str, ServiceSpec]
    networks: tuple[NetworkSpec, ...] = ()
    volumes: tuple[VolumeSpec, ...] = ()
    warnings: tuple[str, ...] = ()
    limits: HealingLimits = field(default_factory=HealingLimits)
    replicas: Mapping[str, int] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()

    @property
    def managed(self) -> tuple[str, ...]:
        """Names of the services the hub answers for, in file order."""
        return tuple(name for name, spec in self.services.items() if spec.managed)

    def members(self, name: str) -> tuple[str, ...]:
        """The keys in `services` that a name means: the one, or all of a service with replicas."""
        declared = name in self.replicas or name in self.services
        return replica_keys(name, self.replicas) if declared else ()

    def declares(self, service: str) -> bool:
        """Whether the compose files speak of it, under a profile that is not enabled too."""
        return service in self.services or service in self.replicas or service in self.disabled

    def declared_as(self, key: str) -> str:
        """The name in the compose files of what is `key` in `services`."""
        spec = self.services.get(key)
        return (spec.replica_of if spec else "") or key

    def key_of(self, service: str, number: int) -> str:
        """The key of a container that is labelled so. One that is not in `services` is of a service
        that is not declared, or more than are declared of one that is."""
        several = service in self.replicas or (service in self.services and number != 1)
        return replica(service, number) if several else service


def replica(service: str, number: int) -> str:
    """What one of several containers of a service is called, `number` from 1."""
    return f"{service}-{number}"


def replica_keys(name: str, replicas: Mapping[str, int]) -> tuple[str, ...]:
    """What a declared service is called in the stack, each of its containers by itself."""
    if name not in replicas:
        return (name,)
    return tuple(replica(name, number + 1) for number in range(replicas[name]))
