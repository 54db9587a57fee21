"""A normalised service in the engine's terms: seconds, bytes, nano CPUs, engine names."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from functools import partial
from typing import Any

from controller.config.compose.host_settings import file_binds, host_settings
from controller.config.compose.port_text import parse_range
from controller.config.compose.units import parse_duration
from controller.model.spec import (
    ContainerSpec,
    HealthCheck,
    Mount,
    NetworkAttachment,
    Port,
)

Service = Mapping[str, Any]


def container_name(project: str, name: str, service: Service, number: int = 1) -> str:
    """The engine's name of a service's container, the `number`th of them."""
    return str(service.get("container_name") or f"{project}-{name}-{number}")


def container_spec(
    name: str,
    model: Mapping[str, Any],
    labels: Mapping[str, str],
    contents: Mapping[tuple[str, str], str],
    *,
    managed: bool,
    number: int = 1,
) -> ContainerSpec:
    """Everything the engine needs for the `number`th container of a service of a normalised model.

    `labels` are the final ones; `contents` what secrets and configs hold that are variables.
    A managed container has restart policy `no`: the hub restarts it.
    """
    service: Service = model["services"][name]
    limits = _resources(service, "limits")
    reservations = _resources(service, "reservations")
    cpus = service.get("cpus") or limits.get("cpus")
    logging = service.get("logging", {})
    return ContainerSpec(
        name=container_name(model["name"], name, service, number),
        image=service.get("image") or f"{model['name']}-{name}",
        command=_words(service["command"]),
        entrypoint=_words(service["entrypoint"]),
        environment=tuple(service.get("environment", {}).items()),
        labels=tuple(labels.items()),
        ports=ports_of(service),
        expose=exposed_of(service),
        mounts=_mounts(service, model),
        networks=_attachments(name, service, model),
        network_mode=_namespace(service, "network_mode", model),
        user=service.get("user"),
        working_dir=service.get("working_dir"),
        hostname=service.get("hostname"),
        domainname=service.get("domainname"),
        init=service.get("init"),
        read_only=service.get("read_only", False),
        privileged=service.get("privileged", False),
        tty=service.get("tty", False),
        stdin_open=service.get("stdin_open", False),
        cap_add=tuple(service.get("cap_add", ())),
        cap_drop=tuple(service.get("cap_drop", ())),
        security_opt=tuple(service.get("security_opt", ())),
        group_add=tuple(service.get("group_add", ())),
        extra_hosts=tuple(line.replace("=", ":", 1) for line in service.get("extra_hosts", ())),
        dns=tuple(service.get("dns", ())),
        tmpfs=tuple(_path_and_options(entry) for entry in service.get("tmpfs", ())),
        ulimits=_ulimits(service),
        sysctls=tuple(service.get("sysctls", {}).items()),
        mem_limit=_bytes(service.get("mem_limit") or limits.get("memory")),
        mem_reservation=_bytes(service.get("mem_reservation") or reservations.get("memory")),
        nano_cpus=round(cpus * 1e9) if cpus else None,
        pids_limit=service.get("pids_limit") or limits.get("pids"),
        shm_size=_bytes(service.get("shm_size")),
        oom_score_adj=service.get("oom_score_adj"),
        ipc=_namespace(service, "ipc", model),
        pid=_namespace(service, "pid", model),
        restart="no" if managed else restart_of(service),
        stop_signal=service.get("stop_signal"),
        stop_grace_s=_seconds(service.get("stop_grace_period")) or 10.0,
        healthcheck=health_of(service),
        log_driver=logging.get("driver"),
        log_options=tuple(logging.get("options", {}).items()),
        settings=host_settings(service, model, contents, partial(_name_in, model)),
    )


def ports_of(service: Service) -> tuple[Port, ...]:
    """Published ports; of a range for one target the engine takes one that is free."""
    return tuple(_port(entry) for entry in service.get("ports", ()))


def _port(entry: Mapping[str, Any]) -> Port:
    said = str(entry.get("published", "") or "0")
    first, last = parse_range(said)
    return Port(
        target=entry["target"],
        published=first if first == last and first else None,
        protocol=entry.get("protocol", "tcp"),
        host_ip=entry.get("host_ip", ""),
        published_range=(first, last) if first != last else None,
    )


def health_of(service: Service) -> HealthCheck | None:
    """The container's own health check as the file sets it."""
    check = service.get("healthcheck")
    if not check:
        return None
    if check.get("disable"):
        return HealthCheck(("NONE",))
    return HealthCheck(
        test=tuple(check.get("test", ())),
        interval_s=_seconds(check.get("interval")),
        timeout_s=_seconds(check.get("timeout")),
        retries=check.get("retries"),
        start_period_s=_seconds(check.get("start_period")),
        start_interval_s=_seconds(check.get("start_interval")),
    )


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text) / 1e9


def _bytes(text: str | None) -> int | None:
    return int(text) if text else None


def _resources(service: Service, part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (service.get("deploy", {}).get("resources", {})).get(part, {})
    return found


def restart_of(service: Service) -> str:
    """The restart policy that the definition asks for, in the engine's words."""
    policy = service.get("deploy", {}).get("restart_policy")
    if policy is None:
        return str(service.get("restart", "no"))
    condition = policy.get("condition", "any")
    if condition == "on-failure":
        attempts = policy.get("max_attempts")
        return f"on-failure:{attempts}" if attempts else "on-failure"
    return {"none": "no", "unless-stopped": "unless-stopped"}.get(condition, "always")


def _namespace(service: Service, key: str, model: Mapping[str, Any]) -> str | None:
    """A shared namespace; another service's is named by its container."""
    value = service.get(key)
    if value is None:
        return None
    target = str(value).removeprefix("service:")
    if target == value:
        return target
    return f"container:{_name_in(model, target)}"


def _name_in(model: Mapping[str, Any], service: str) -> str:
    return container_name(model["name"], service, model["services"][service])


def exposed_of(service: Service) -> tuple[str, ...]:
    """`port/protocol` of every port that is only shown to other containers."""
    found: dict[str, None] = {}
    for entry in service.get("expose", ()):
        text, _, protocol = entry.partition("/")
        first, last = parse_range(text)
        for port in range(first, last + 1):
            found[f"{port}/{protocol or 'tcp'}"] = None
    return tuple(found)


def _path_and_options(entry: str) -> tuple[str, str]:
    path, _, options = entry.partition(":")
    return path, options


def _ulimits(service: Service) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (name, limit["soft"], limit["hard"]) if isinstance(limit, Mapping) else (name, limit, limit)
        for name, limit in service.get("ulimits", {}).items()
    )


def _mounts(service: Service, model: Mapping[str, Any]) -> tuple[Mount, ...]:
    found = []
    for entry in service.get("volumes", ()):
        source = entry.get("source", "")
        if entry["type"] == "volume" and source:
            source = model["volumes"][source]["name"]
        elif entry["type"] == "bind":
            source = posixpath.normpath(source)
        bind, tmpfs, volume = (entry.get(key, {}) for key in ("bind", "tmpfs", "volume"))
        found.append(
            Mount(
                type=entry["type"],
                target=entry["target"],
                source=source,
                read_only=entry.get("read_only", False),
                tmpfs_size=_bytes(tmpfs.get("size")),
                tmpfs_mode=tmpfs.get("mode"),
                propagation=bind.get("propagation"),
                create_host_path=bind.get("create_host_path", True),
                selinux=bind.get("selinux", ""),
                nocopy=volume.get("nocopy", False),
                subpath=volume.get("subpath"),
                labels=tuple(volume.get("labels", {}).items()),
                consistency=entry.get("consistency"),
            )
        )
    found += [
        Mount("bind", target, source, read_only=True, create_host_path=False)
        for source, target in file_binds(service, model)
    ]
    return tuple(found)


def _attachments(
    name: str, service: Service, model: Mapping[str, Any]
) -> tuple[NetworkAttachment, ...]:
    found = []
    for key, endpoint in (service.get("networks") or {}).items():
        said = endpoint or {}
        aliases = dict.fromkeys([name, *said.get("aliases", ())])
        found.append(
            NetworkAttachment(
                network=model["networks"][key]["name"],
                aliases=tuple(aliases),
                ipv4_address=said.get("ipv4_address"),
                ipv6_address=said.get("ipv6_address"),
                priority=said.get("priority", 0),
                link_local_ips=tuple(said.get("link_local_ips", ())),
                mac_address=said.get("mac_address"),
                driver_opts=tuple(said.get("driver_opts", {}).items()),
            )
        )
    return tuple(sorted(found, key=lambda place: (-place.priority, place.network)))
