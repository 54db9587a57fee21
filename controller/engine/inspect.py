"""Reads the engine's JSON into observations; pure, so that recorded answers can test it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controller.model.observation import ContainerObs, NetworkObs, State
from controller.model.spec import AddressPool

LABEL_PROJECT = "com.docker.compose.project"
LABEL_SERVICE = "com.docker.compose.service"
LABEL_NUMBER = "com.docker.compose.container-number"
LABEL_HASH = "com.docker.compose.config-hash"
LABEL_ONEOFF = "com.docker.compose.oneoff"
LABEL_HUB = "heal7.config.digest"

_FRACTION = re.compile(r"\.(\d+)")


def moment(stamp: str | None) -> datetime | None:
    """An engine time stamp (nanoseconds, Go's zero time for "never") as aware UTC."""
    if not stamp or stamp.startswith("0001-"):
        return None
    trimmed = _FRACTION.sub(lambda m: "." + m.group(1)[:6].ljust(6, "0"), stamp)
    return datetime.fromisoformat(trimmed.replace("Z", "+00:00")).astimezone(UTC)


def _ports(raw: Mapping[str, Any] | None) -> dict[str, tuple[tuple[str, int], ...]]:
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for target, bindings in (raw or {}).items():
        published = tuple(
            (b.get("HostIp") or "0.0.0.0", int(b["HostPort"]))  # noqa: S104 - reported, not bound
            for b in bindings or ()
            if b.get("HostPort")
        )
        if published:
            found[target] = published
    return found


def _anonymous(mounts: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (mount["Destination"], mount["Name"])
        for mount in mounts
        if mount.get("Type") == "volume" and re.fullmatch(r"[0-9a-f]{64}", mount.get("Name", ""))
    )


def container_number(labels: Mapping[str, str]) -> int:
    """Which container of its service it is; 1 where that is not said."""
    number = labels.get(LABEL_NUMBER, "1")
    return int(number) if number.isdigit() else 1


def _joined(host: Mapping[str, Any]) -> frozenset[str]:
    modes = (str(host.get(key) or "") for key in ("NetworkMode", "IpcMode", "PidMode"))
    found = (mode.removeprefix("container:") for mode in modes if mode.startswith("container:"))
    return frozenset(found)


def container(raw: Mapping[str, Any]) -> ContainerObs:
    """One `GET /containers/{id}/json` answer. Raises KeyError if it is not one."""
    state, config = raw["State"], raw["Config"]
    labels: Mapping[str, str] = config.get("Labels") or {}
    network = raw.get("NetworkSettings") or {}
    status = State(state["Status"])
    ended = status in (State.EXITED, State.DEAD)
    return ContainerObs(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        service=labels.get(LABEL_SERVICE, ""),
        state=status,
        image=config.get("Image", ""),
        image_id=raw.get("Image", ""),
        config_hash=labels.get(LABEL_HASH, ""),
        number=container_number(labels),
        exit_code=state.get("ExitCode") if ended else None,
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        created_at=moment(raw.get("Created")),
        started_at=moment(state.get("StartedAt")),
        finished_at=moment(state.get("FinishedAt")),
        restart_count=int(raw.get("RestartCount") or 0),
        health=((state.get("Health") or {}).get("Status") or ""),
        ports=_ports(network.get("Ports")),
        networks={
            name: end["NetworkID"]
            for name, end in (network.get("Networks") or {}).items()
            if end.get("NetworkID")
        },
        addresses={
            name: end["IPAddress"]
            for name, end in (network.get("Networks") or {}).items()
            if end.get("IPAddress")
        },
        hardware_addresses=tuple(
            end["MacAddress"].lower()
            for end in (network.get("Networks") or {}).values()
            if end.get("MacAddress")
        ),
        anonymous_volumes=_anonymous(raw.get("Mounts") or []),
        joined=_joined(raw.get("HostConfig") or {}),
        is_hub=LABEL_HUB in labels,
    )


def network(raw: Mapping[str, Any]) -> NetworkObs:
    """One entry of `GET /networks`. Raises KeyError if it is not one."""
    ipam, labels = raw.get("IPAM") or {}, raw.get("Labels") or {}
    return NetworkObs(
        id=raw["Id"],
        driver=raw.get("Driver", ""),
        driver_opts=raw.get("Options") or {},
        internal=bool(raw.get("Internal")),
        attachable=bool(raw.get("Attachable")),
        enable_ipv6=bool(raw.get("EnableIPv6")),
        ipam_driver=ipam.get("Driver") or "default",
        ipam_options=ipam.get("Options") or {},
        ipam_pools=tuple(
            AddressPool(
                pool.get("Subnet") or None,
                pool.get("IPRange") or None,
                pool.get("Gateway") or None,
                tuple((pool.get("AuxiliaryAddresses") or {}).items()),
            )
            for pool in ipam.get("Config") or ()
        ),
        labels={name: value for name, value in labels.items() if name != LABEL_HASH},
        config_hash=labels.get(LABEL_HASH, ""),
    )
