"""The rarer settings of a container, in the engine's terms; kept apart from what every service has.

Pure data. Sizes are bytes, times microseconds as the kernel's scheduler has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host in the container; `permissions` out of r, w and m."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Devices that a driver of the engine gives, such as GPUs; a count of -1 is all of them."""

    driver: str = ""
    count: int | None = None
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BlockIo:
    """Limits of reading and writing; each pair is a device and a weight, bytes or operations a
    second."""

    weight: int | None = None
    weight_device: tuple[tuple[str, int], ...] = ()
    device_read_bps: tuple[tuple[str, int], ...] = ()
    device_read_iops: tuple[tuple[str, int], ...] = ()
    device_write_bps: tuple[tuple[str, int], ...] = ()
    device_write_iops: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A file that is written into the container before it starts."""

    target: str
    content: str = field(repr=False)
    mode: int = 0o444
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class HostSettings:
    """None and () mean that the definition does not say it.

    `links` are pairs of a container and its alias; `volumes_from` names containers, with `:ro` or
    `:rw`; `userns`, `uts` and `cgroupns` are the engine's modes.
    """

    block_io: BlockIo | None = None
    cgroup_parent: str | None = None
    cgroupns: str | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpu_shares: int | None = None
    cpuset: str | None = None
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()
    devices: tuple[Device, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    files: tuple[ContainerFile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    mac_address: str | None = None
    mem_swappiness: int | None = None
    memswap_limit: int | None = None
    oom_kill_disable: bool = False
    platform: str | None = None
    runtime: str | None = None
    storage_opt: tuple[tuple[str, str], ...] = ()
    userns: str | None = None
    uts: str | None = None
    volumes_from: tuple[str, ...] = ()
