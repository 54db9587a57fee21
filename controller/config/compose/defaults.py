"""What a file leaves unsaid: the default network, names of networks and volumes, implied order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHARED_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")
_RESOURCES = ("networks", "volumes", "secrets", "configs")


def with_defaults(model: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical model with the reference's defaults filled in. Services are copied."""
    filled = dict(model)
    services = {name: _service(service) for name, service in model["services"].items()}
    filled["services"] = services
    networks = dict(model.get("networks", {}))
    if any("default" in (service.get("networks") or {}) for service in services.values()):
        networks.setdefault("default", {"ipam": {}})
    filled["networks"] = networks
    for kind in _RESOURCES:
        filled[kind] = {
            key: _named(resource, key, model["name"])
            for key, resource in filled.get(kind, {}).items()
        }
    return filled


def replica_count(service: Mapping[str, Any]) -> int:
    """In how many containers a canonical service runs; `scale` and `deploy.replicas` agree where
    both are said."""
    scale = service.get("scale")
    if scale is None:
        scale = (service.get("deploy") or {}).get("replicas")
    return 1 if scale is None else int(scale)


def _named(resource: Mapping[str, Any], key: str, project: str) -> dict[str, Any]:
    name = resource.get("name") or (key if resource.get("external") else f"{project}_{key}")
    return {**resource, "name": name}


def _service(service: Mapping[str, Any]) -> dict[str, Any]:
    filled = dict(service)
    if filled.get("pull_policy") == "if_not_present":
        filled["pull_policy"] = "missing"
    placed = "network_mode" in filled or filled.get("provider") or filled.get("networks")
    if not placed:
        filled["networks"] = {"default": None}
    if filled.get("pre_start") and filled.get("image"):
        filled["pre_start"] = [{"image": filled["image"], **hook} for hook in filled["pre_start"]]
    if filled.get("network_mode") == "":
        del filled["network_mode"]
    order = dict(filled.get("depends_on", {}))
    for name, restart in _implied(filled):
        entry: dict[str, Any] = {"condition": "service_started", "required": True}
        if restart:
            entry["restart"] = True
        order.setdefault(name, entry)
    if order:
        filled["depends_on"] = order
    return filled


def joined_by(service: Mapping[str, Any]) -> tuple[str, ...]:
    """Services whose namespaces this one lives in."""
    said = (str(service.get(key, "")) for key in SHARED_NAMESPACES)
    found = (text.removeprefix("service:") for text in said if text.startswith("service:"))
    return tuple(dict.fromkeys(found))


def borrowed_by(service: Mapping[str, Any]) -> tuple[str, ...]:
    """Services whose volumes this one mounts."""
    said = service.get("volumes_from", [])
    found = (text.split(":")[0] for text in said if not text.startswith("container:"))
    return tuple(dict.fromkeys(found))


def _implied(service: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Services that this one cannot start before, and whether it restarts with them."""
    links = [(link, *link.split(":")) for link in service.get("links", [])]
    found = [(parts[0] if len(parts) == 2 else link, True) for link, *parts in links]
    found.extend((name, True) for name in joined_by(service))
    found.extend((name, False) for name in borrowed_by(service))
    return found
