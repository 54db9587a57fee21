"""The last stage: a normalised model becomes the `StackSpec` that the rest of the hub lives on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.config.compose.build import source_of
from controller.config.compose.container import (
    container_spec,
    exposed_of,
    health_of,
    ports_of,
    restart_of,
)
from controller.config.compose.defaults import borrowed_by, joined_by, replica_count
from controller.config.compose.hashing import service_hash, stable_hash
from controller.config.compose.pipeline import Compiled
from controller.config.managed import Treatment, probe_of, published_port, recovery_of
from controller.config.node import Mark
from controller.model.hook import Hook
from controller.model.spec import (
    AddressPool,
    Condition,
    Dependency,
    NetworkSpec,
    ServiceSpec,
    StackSpec,
    VolumeSpec,
    replica,
    replica_keys,
)

_PREFIX = "com.docker.compose."


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is the same for every service. `root` is the folder that no build may read out of."""

    compiled: Compiled
    version: str
    root: str
    replicas: Mapping[str, int]


def to_stack(
    compiled: Compiled,
    treatments: Mapping[str, Treatment | None],
    version: str,
    root: str | None = None,
) -> StackSpec:
    """The stack of a compiled model.

    `treatments` says how the hub treats each service; None is a service it does not manage.
    `version` is the hub's, for the label of that name; `root` the folder that no build may read
    out of (the project's where it is not said).
    """
    model = compiled.model
    frame = _Frame(
        compiled, version, root or compiled.project_directory, replicas_of(model["services"])
    )
    services = {}
    for name in model["services"]:
        for number in range(1, frame.replicas.get(name, 1) + 1):
            one = _service(name, number, treatments.get(name), frame)
            services[one.name] = one
    return StackSpec(
        project=model["name"],
        working_dir=compiled.project_directory,
        config_files=compiled.files,
        services=services,
        networks=tuple(
            _network(key, network, model["name"], version)
            for key, network in model.get("networks", {}).items()
        ),
        volumes=tuple(
            _volume(key, volume, model["name"], version)
            for key, volume in model.get("volumes", {}).items()
        ),
        warnings=tuple(compiled.report.warnings),
        replicas=frame.replicas,
        disabled=compiled.disabled,
    )


def replicas_of(services: Mapping[str, Any]) -> dict[str, int]:
    """In how many containers a service runs, of those that do not run in one."""
    counts = {name: replica_count(service) for name, service in services.items()}
    return {name: count for name, count in counts.items() if count != 1}


def _firsts(names: Iterable[str], replicas: Mapping[str, int]) -> tuple[str, ...]:
    """Compose gives what is shared of the first container of a service."""
    return tuple(key for name in names for key in replica_keys(name, replicas)[:1])


def _service(name: str, number: int, treatment: Treatment | None, frame: _Frame) -> ServiceSpec:
    compiled, replicas = frame.compiled, frame.replicas
    model = compiled.model
    service = model["services"][name]
    managed = treatment is not None
    said = treatment or Treatment()
    hashed = {**service, "restart": "no"} if managed else service
    digest = service_hash(hashed)
    # A dependency may be left out by its profile; `required: false` allowed that.
    depends_on = tuple(
        Dependency(
            service=other,
            condition=Condition(entry["condition"]),
            restart=entry.get("restart", False),
            required=entry["required"],
        )
        for other, entry in service.get("depends_on", {}).items()
        if other in model["services"]
    )
    labels = {
        **service.get("labels", {}),
        **_compose_labels(name, number, compiled, depends_on, digest, frame.version),
    }
    ports = ports_of(service)
    port = published_port(said, ports)
    return ServiceSpec(
        name=replica(name, number) if name in replicas else name,
        container=container_spec(
            name, model, labels, compiled.contents, managed=managed, number=number
        ),
        config_hash=digest,
        depends_on=tuple(
            replace(entry, service=key)
            for entry in depends_on
            for key in replica_keys(entry.service, replicas)
        ),
        managed=managed,
        port=port,
        probe=probe_of(said, port, ports, health_of(service), exposed_of(service)),
        recovery=recovery_of(said),
        stays=restart_of(service) in ("always", "unless-stopped"),
        source=source_of(
            name, model, frame.version, frame.root, str(_place_of_build(name, compiled))
        ),
        joins=_firsts(joined_by(service), replicas),
        borrows=_firsts(borrowed_by(service), replicas),
        replica_of=name if name in replicas else "",
        number=number,
        post_start=_hooks(service.get("post_start", ())),
        pre_stop=_hooks(service.get("pre_stop", ())),
    )


def _hooks(said: Iterable[Mapping[str, Any]]) -> tuple[Hook, ...]:
    return tuple(
        Hook(
            command=tuple(one["command"]),
            user=one.get("user"),
            privileged=one.get("privileged", False),
            working_dir=one.get("working_dir"),
            environment=tuple(one.get("environment", {}).items()),
        )
        for one in said
    )


def _place_of_build(name: str, compiled: Compiled) -> Mark:
    return compiled.tree.where("services", name, "build", "context")


def _compose_labels(
    name: str,
    number: int,
    compiled: Compiled,
    depends_on: tuple[Dependency, ...],
    digest: str,
    version: str,
) -> dict[str, str]:
    """The labels by which Compose tools know a container; the engine layer adds `image`."""
    order = ",".join(
        f"{entry.service}:{entry.condition}:{str(entry.restart).lower()}" for entry in depends_on
    )
    labels = {
        "project": compiled.model["name"],
        "service": name,
        "container-number": str(number),
        "oneoff": "False",
        "config-hash": digest,
        "depends_on": order,
        "project.config_files": ",".join(compiled.files),
        "project.working_dir": compiled.project_directory,
        "version": version,
    }
    return {_PREFIX + key: value for key, value in labels.items()}


def _resource_labels(
    kind: str, key: str, resource: Mapping[str, Any], project: str, version: str, digest: str
) -> tuple[tuple[str, str], ...]:
    if resource.get("external"):
        return ()
    labels = {
        **resource.get("labels", {}),
        _PREFIX + "project": project,
        _PREFIX + kind: key,
        _PREFIX + "version": version,
        _PREFIX + "config-hash": digest,
    }
    return tuple(labels.items())


def _network(key: str, network: Mapping[str, Any], project: str, version: str) -> NetworkSpec:
    digest = stable_hash(network)
    ipam = network.get("ipam", {})
    return NetworkSpec(
        key=key,
        name=network["name"],
        external=network.get("external", False),
        driver=network.get("driver"),
        driver_opts=tuple(network.get("driver_opts", {}).items()),
        internal=network.get("internal", False),
        attachable=network.get("attachable", False),
        enable_ipv6=network.get("enable_ipv6") or False,
        ipam_driver=ipam.get("driver"),
        ipam_options=tuple(ipam.get("options", {}).items()),
        ipam_pools=tuple(
            AddressPool(
                pool.get("subnet"),
                pool.get("ip_range"),
                pool.get("gateway"),
                tuple(pool.get("aux_addresses", {}).items()),
            )
            for pool in ipam.get("config", ())
        ),
        labels=_resource_labels("network", key, network, project, version, digest),
        config_hash=digest,
    )


def _volume(key: str, volume: Mapping[str, Any], project: str, version: str) -> VolumeSpec:
    digest = stable_hash(volume)
    return VolumeSpec(
        key=key,
        name=volume["name"],
        external=volume.get("external", False),
        driver=volume.get("driver"),
        driver_opts=tuple(volume.get("driver_opts", {}).items()),
        labels=_resource_labels("volume", key, volume, project, version, digest),
        config_hash=digest,
    )
