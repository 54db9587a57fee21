"""A normalised service's rarer keys in the engine's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.model.host_settings import (
    BlockIo,
    ContainerFile,
    Device,
    DeviceRequest,
    HostSettings,
)

Service = Mapping[str, Any]
NameOf = Callable[[str], str]


def host_settings(
    service: Service,
    model: Mapping[str, Any],
    contents: Mapping[tuple[str, str], str],
    name_of: NameOf,
) -> HostSettings:
    """The settings of a service; `name_of` gives the container of another one, `contents` what the
    variables hold that secrets and configs are made of, by section and key."""
    return HostSettings(
        block_io=_block_io(service.get("blkio_config", {})),
        cgroup_parent=service.get("cgroup_parent"),
        cgroupns=service.get("cgroup"),
        cpu_period=service.get("cpu_period"),
        cpu_quota=service.get("cpu_quota"),
        cpu_rt_period=service.get("cpu_rt_period"),
        cpu_rt_runtime=service.get("cpu_rt_runtime"),
        cpu_shares=service.get("cpu_shares"),
        cpuset=service.get("cpuset"),
        device_cgroup_rules=tuple(service.get("device_cgroup_rules", ())),
        device_requests=_device_requests(service),
        devices=tuple(Device(**entry) for entry in service.get("devices", ())),
        dns_opt=tuple(service.get("dns_opt", ())),
        dns_search=tuple(service.get("dns_search", ())),
        files=_files(service, model, contents),
        links=_links(service, name_of),
        mac_address=service.get("mac_address"),
        mem_swappiness=_number(service.get("mem_swappiness")),
        memswap_limit=_number(service.get("memswap_limit")),
        oom_kill_disable=service.get("oom_kill_disable", False),
        platform=service.get("platform"),
        runtime=service.get("runtime"),
        storage_opt=tuple((k, str(v)) for k, v in service.get("storage_opt", {}).items()),
        userns=service.get("userns_mode"),
        uts=service.get("uts"),
        volumes_from=tuple(
            _volumes_from(entry, name_of) for entry in service.get("volumes_from", ())
        ),
    )


def _number(text: Any) -> int | None:
    return None if text in (None, "") else int(text)


def _block_io(said: Mapping[str, Any]) -> BlockIo | None:
    if not said:
        return None

    def pairs(key: str, value: str) -> tuple[tuple[str, int], ...]:
        return tuple((entry["Path"], int(entry[value])) for entry in said.get(key, ()))

    return BlockIo(
        weight=said.get("weight"),
        weight_device=pairs("weight_device", "Weight"),
        device_read_bps=pairs("device_read_bps", "Rate"),
        device_read_iops=pairs("device_read_iops", "Rate"),
        device_write_bps=pairs("device_write_bps", "Rate"),
        device_write_iops=pairs("device_write_iops", "Rate"),
    )


def _device_requests(service: Service) -> tuple[DeviceRequest, ...]:
    reserved = service.get("deploy", {}).get("resources", {}).get("reservations", {})
    gpus = [
        {**entry, "capabilities": ["gpu", *entry.get("capabilities", ())]}
        for entry in service.get("gpus", ())
    ]
    return tuple(
        DeviceRequest(
            driver=entry.get("driver", ""),
            count=entry.get("count"),
            device_ids=tuple(entry.get("device_ids", ())),
            capabilities=tuple(dict.fromkeys(entry.get("capabilities", ()))),
            options=tuple(entry.get("options", {}).items()),
        )
        for entry in [*reserved.get("devices", ()), *gpus]
    )


def _links(service: Service, name_of: NameOf) -> tuple[tuple[str, str], ...]:
    """Each linked container under its alias; a service also under its container's name."""
    found: list[tuple[str, str]] = []
    for entry in service.get("links", ()):
        other, _, alias = entry.partition(":")
        found += [(name_of(other), alias or other), (name_of(other), name_of(other))]
    for entry in service.get("external_links", ()):
        other, _, alias = entry.partition(":")
        found.append((other, alias or other))
    return tuple(dict.fromkeys(found))


def _volumes_from(entry: str, name_of: NameOf) -> str:
    outside = entry.startswith("container:")
    source, _, mode = entry.removeprefix("container:").partition(":")
    return f"{source if outside else name_of(source)}:{mode or 'rw'}"


def _mounted(
    service: Service, model: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    """(section, path in the container, the mount, what is mounted) of every config and secret."""
    for kind in ("configs", "secrets"):
        for mount in service.get(kind, ()):
            yield kind, _target(kind, mount), mount, model.get(kind, {}).get(mount["source"], {})


def file_binds(service: Service, model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(file of the host, path in the container) of the secrets and configs that are files."""
    mounted = _mounted(service, model)
    return [(said["file"], target) for _, target, _, said in mounted if said.get("file")]


def _files(
    service: Service, model: Mapping[str, Any], contents: Mapping[tuple[str, str], str]
) -> tuple[ContainerFile, ...]:
    """Secrets and configs whose content stands in the file or in a variable."""
    found = []
    for kind, target, mount, declared in _mounted(service, model):
        content = declared.get("content", contents.get((kind, mount["source"])))
        if content is not None:
            found.append(
                ContainerFile(
                    target=target,
                    content=content,
                    mode=int(mount.get("mode") or "0444", 8),
                    uid=_identity(mount.get("uid")),
                    gid=_identity(mount.get("gid")),
                )
            )
    return tuple(found)


def _identity(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _target(kind: str, mount: Mapping[str, Any]) -> str:
    folder = "/" if kind == "configs" else "/run/secrets/"
    target = str(mount.get("target") or mount["source"])
    return target if target.startswith("/") else folder + target
