"""Translates a `ContainerSpec` into the engine's create call, key by key.

Pure apart from docker-py's own type builders: what a compose file says and what the engine gets
are compared here and nowhere else.
"""

from __future__ import annotations

import io
import tarfile
from typing import Any, cast

from docker.types import DeviceRequest as DockerDeviceRequest
from docker.types import Mount as DockerMount
from docker.types import Ulimit

from controller.model.host_settings import BlockIo, ContainerFile, DeviceRequest, HostSettings
from controller.model.spec import ContainerSpec, HealthCheck, Mount

_NANO = 1_000_000_000
_ENGINE_GRACE_S = 10.0


def host_config(spec: ContainerSpec) -> dict[str, Any]:
    """Keyword arguments of docker-py's `create_host_config`; unset keys are left out."""
    wanted: dict[str, Any] = {
        "port_bindings": _bindings(spec),
        "binds": [_bind(m) for m in spec.mounts if _is_plain_bind(m)] or None,
        "mounts": [_mount(m) for m in spec.mounts if not _is_plain_bind(m)],
        "tmpfs": dict(spec.tmpfs) or None,
        "restart_policy": _restart(spec.restart),
        "network_mode": spec.network_mode or _first_network(spec),
        "cap_add": list(spec.cap_add) or None,
        "cap_drop": list(spec.cap_drop) or None,
        "security_opt": list(spec.security_opt) or None,
        "group_add": list(spec.group_add) or None,
        "extra_hosts": _extra_hosts(spec),
        "dns": list(spec.dns) or None,
        "ulimits": [Ulimit(name=n, soft=s, hard=h) for n, s, h in spec.ulimits] or None,
        "sysctls": dict(spec.sysctls) or None,
        "mem_limit": spec.mem_limit,
        "mem_reservation": spec.mem_reservation,
        "nano_cpus": spec.nano_cpus,
        "pids_limit": spec.pids_limit,
        "shm_size": spec.shm_size,
        "oom_score_adj": spec.oom_score_adj,
        "ipc_mode": spec.ipc,
        "pid_mode": spec.pid,
        "read_only": spec.read_only or None,
        "privileged": spec.privileged,
        "init": spec.init,
        "log_config": _log_config(spec),
        **_settings(spec.settings),
    }
    return {key: value for key, value in wanted.items() if value is not None}


def container_config(spec: ContainerSpec, image_id: str) -> dict[str, Any]:
    """Keyword arguments of `create_container` except `host_config` and `networking_config`."""
    exposed = {f"{p.target}/{p.protocol}" for p in spec.ports} | {_proto(e) for e in spec.expose}
    wanted: dict[str, Any] = {
        "image": spec.image,
        "name": spec.name,
        "command": list(spec.command) if spec.command is not None else None,
        "entrypoint": list(spec.entrypoint) if spec.entrypoint is not None else None,
        "environment": [k if v is None else f"{k}={v}" for k, v in spec.environment] or None,
        "labels": {**dict(spec.labels), "com.docker.compose.image": image_id},
        "ports": [tuple(port.split("/")) for port in sorted(exposed)] or None,
        "user": spec.user,
        "working_dir": spec.working_dir,
        "hostname": spec.hostname,
        "domainname": spec.domainname,
        "tty": spec.tty,
        # Nobody is attached, whatever the container keeps open.
        "detach": True,
        "stdin_open": spec.stdin_open,
        "stop_signal": spec.stop_signal,
        "stop_timeout": _stop_timeout(spec.stop_grace_s),
        "healthcheck": _healthcheck(spec.healthcheck) if spec.healthcheck else None,
        "mac_address": spec.settings.mac_address,
        "platform": spec.settings.platform,
    }
    return {key: value for key, value in wanted.items() if value is not None}


def endpoint(spec: ContainerSpec, network: str) -> dict[str, Any]:
    """Keyword arguments of `create_endpoint_config` for one of the spec's networks."""
    for attachment in spec.networks:
        if attachment.network == network:
            wanted = {
                "aliases": list(attachment.aliases) or None,
                "ipv4_address": attachment.ipv4_address,
                "ipv6_address": attachment.ipv6_address,
                "link_local_ips": list(attachment.link_local_ips) or None,
                "links": list(spec.settings.links) or None,
                "mac_address": attachment.mac_address,
                "driver_opt": dict(attachment.driver_opts) or None,
            }
            return {key: value for key, value in wanted.items() if value is not None}
    return {}


def networks_in_order(spec: ContainerSpec) -> list[str]:
    """Engine names of the spec's networks, the one to create with first (highest priority)."""
    return [n.network for n in sorted(spec.networks, key=lambda n: (-n.priority, n.network))]


def _first_network(spec: ContainerSpec) -> str | None:
    ordered = networks_in_order(spec)
    return ordered[0] if ordered else None


def _stop_timeout(grace_s: float) -> int | None:
    """Whole seconds for whoever stops the container without saying how long; None if as usual."""
    return None if grace_s == _ENGINE_GRACE_S else round(grace_s)


def _proto(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"


def _bindings(spec: ContainerSpec) -> dict[str, Any] | None:
    bindings: dict[str, list[Any]] = {}
    for port in spec.ports:
        key = f"{port.target}/{port.protocol}"
        # The engine takes the first free port of a range.
        span = "-".join(map(str, port.published_range or ()))
        bindings.setdefault(key, []).append((port.host_ip, span or port.published))
    return bindings or None


def _is_plain_bind(mount: Mount) -> bool:
    """Binds whose missing folder the engine makes; the long form would refuse it instead."""
    return mount.type == "bind" and mount.create_host_path and ":" not in mount.source


def _bind(mount: Mount) -> str:
    options = ["ro" if mount.read_only else "rw", mount.selinux, mount.propagation or ""]
    return f"{mount.source}:{mount.target}:{','.join(word for word in options if word)}"


def _settings(said: HostSettings) -> dict[str, Any]:
    blocks = said.block_io or BlockIo()
    return {
        "blkio_weight": blocks.weight,
        "blkio_weight_device": _throttles(blocks.weight_device, "Weight"),
        "device_read_bps": _throttles(blocks.device_read_bps, "Rate"),
        "device_read_iops": _throttles(blocks.device_read_iops, "Rate"),
        "device_write_bps": _throttles(blocks.device_write_bps, "Rate"),
        "device_write_iops": _throttles(blocks.device_write_iops, "Rate"),
        "cgroup_parent": said.cgroup_parent,
        "cgroupns": said.cgroupns,
        "cpu_period": said.cpu_period,
        "cpu_quota": said.cpu_quota,
        "cpu_rt_period": said.cpu_rt_period,
        "cpu_rt_runtime": said.cpu_rt_runtime,
        "cpu_shares": said.cpu_shares,
        "cpuset_cpus": said.cpuset,
        "device_cgroup_rules": list(said.device_cgroup_rules) or None,
        "device_requests": [_device_request(r) for r in said.device_requests] or None,
        "devices": [f"{d.source}:{d.target}:{d.permissions}" for d in said.devices] or None,
        "dns_opt": list(said.dns_opt) or None,
        "dns_search": list(said.dns_search) or None,
        "mem_swappiness": said.mem_swappiness,
        "memswap_limit": said.memswap_limit,
        "oom_kill_disable": said.oom_kill_disable or None,
        "runtime": said.runtime,
        "storage_opt": dict(said.storage_opt) or None,
        "userns_mode": said.userns,
        "uts_mode": said.uts,
        "volumes_from": list(said.volumes_from) or None,
    }


def _throttles(pairs: tuple[tuple[str, int], ...], key: str) -> list[dict[str, Any]] | None:
    return [{"Path": path, key: value} for path, value in pairs] or None


def _device_request(request: DeviceRequest) -> DockerDeviceRequest:
    return DockerDeviceRequest(
        driver=request.driver,
        count=request.count or 0,
        device_ids=list(request.device_ids),
        capabilities=[list(request.capabilities)],
        options=dict(request.options),
    )


def archive(files: tuple[ContainerFile, ...]) -> bytes:
    """A tar of the files, as the engine takes them for the root of a container."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            data = file.content.encode()
            entry = tarfile.TarInfo(file.target.lstrip("/"))
            entry.size, entry.mode = len(data), file.mode
            entry.uid, entry.gid = file.uid, file.gid
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _mount(mount: Mount) -> DockerMount:
    if mount.type == "tmpfs":
        return DockerMount(
            target=mount.target,
            source=None,
            type="tmpfs",
            tmpfs_size=mount.tmpfs_size,
            tmpfs_mode=mount.tmpfs_mode,
        )
    return DockerMount(
        target=mount.target,
        source=mount.source or None,
        type="bind" if mount.type == "bind" else "volume",
        read_only=mount.read_only,
        propagation=mount.propagation,
        no_copy=mount.nocopy,
        subpath=mount.subpath,
        labels=dict(mount.labels) or None,
        consistency=cast(Any, mount.consistency),
    )


def _restart(policy: str) -> dict[str, Any] | None:
    if policy in ("no", ""):
        return None
    name, _, count = policy.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _extra_hosts(spec: ContainerSpec) -> dict[str, str] | None:
    pairs = [host.replace("=", ":", 1).partition(":") for host in spec.extra_hosts]
    return {name: address for name, _, address in pairs} or None


def _log_config(spec: ContainerSpec) -> dict[str, Any] | None:
    if not spec.log_driver and not spec.log_options:
        return None
    return {"Type": spec.log_driver or "", "Config": dict(spec.log_options)}


def _healthcheck(check: HealthCheck) -> dict[str, Any]:
    wanted = {
        "test": list(check.test),
        "interval": _nanoseconds(check.interval_s),
        "timeout": _nanoseconds(check.timeout_s),
        "retries": check.retries,
        "start_period": _nanoseconds(check.start_period_s),
        "StartInterval": _nanoseconds(check.start_interval_s),
    }
    return {key: value for key, value in wanted.items() if value is not None}


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * _NANO)
