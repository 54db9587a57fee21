"""Learns the facts that `doctor` judges. Each gatherer asks one thing and never decides.

Nothing here needs the hub: with the hub down, everything about this machine is still learned.
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller import __version__, clock
from controller.cli.client import LOOPBACK, HubClient
from controller.cli.doctor import (
    ClockFact,
    ConfigFact,
    DiskFact,
    EngineFact,
    Facts,
    HubFact,
    ImageFact,
    OrphanFact,
    PortFact,
    PortState,
    Socket,
)
from controller.cli.errors import CommandError
from controller.cli.local_engine import LocalEngine, LocalEngineError, socket_path
from controller.errors import ConfigError
from controller.model.build import Pull
from controller.model.spec import ServiceSpec, StackSpec

HUB_TIMEOUT_S = 5.0
_OWN_IMAGES = "heal7/"
_COMPOSE = "com.docker.compose."
_ENGINE_ROOT = "/var/lib/docker"


def gather(client: HubClient, config: Path, env: Mapping[str, str]) -> Facts:
    """Ask the hub, the engine, the files and the machine, in this order."""
    hub = hub_fact(client)
    path = socket_path(env)
    engine, local, root = engine_fact(path, env)
    config_fact, stack = load_config(config, env)
    return Facts(
        own_version=__version__,
        hub=hub,
        engine=engine,
        config=config_fact,
        ports=hub_port(hub) + (port_facts(stack, local) if stack else ()),
        images=image_facts(stack, local) if stack else (),
        disks=(disk_fact(root),),
        clock=ClockFact(clock.now(), newest_change([config, Path(__file__)])),
        orphans=orphan_facts(stack, local) if stack else (),
    )


def hub_fact(client: HubClient) -> HubFact:
    """What `GET /health` says; a hub that does not answer is a fact too."""
    try:
        health = client.get("/health", timeout_s=HUB_TIMEOUT_S)
    except CommandError as failure:
        return HubFact(client.base_url, error=failure.sentence)
    if health.get("role") != "orchestration_hub":
        return HubFact(client.base_url, error=f"What answers at {client.base_url} is not a hub.")
    return HubFact(
        url=client.base_url,
        version=str(health.get("version") or ""),
        engine=str(health.get("engine") or ""),
        paused=bool(health.get("paused")),
        config_digest=str(health.get("config_digest") or ""),
    )


def engine_fact(
    path: str | None, env: Mapping[str, str]
) -> tuple[EngineFact, LocalEngine | None, str]:
    """The engine behind the local socket, a door to it where it answers, and its root folder."""
    if path is None:
        return EngineFact(env["DOCKER_HOST"], Socket.REMOTE), None, _ENGINE_ROOT
    engine = LocalEngine(path)
    try:
        version, info = engine.version(), engine.info()
    except FileNotFoundError:
        return EngineFact(path, Socket.MISSING), None, _ENGINE_ROOT
    except PermissionError:
        return EngineFact(path, Socket.DENIED), None, _ENGINE_ROOT
    except (OSError, LocalEngineError) as failure:
        return EngineFact(path, Socket.SILENT, error=str(failure)), None, _ENGINE_ROOT
    fact = EngineFact(
        address=path,
        socket=Socket.ANSWERS,
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        skew_s=_skew(str(info.get("SystemTime", "")), clock.now()),
    )
    return fact, engine, str(info.get("DockerRootDir") or _ENGINE_ROOT)


def load_config(path: Path, env: Mapping[str, str]) -> tuple[ConfigFact, StackSpec | None]:
    """The configuration as the hub would load it now, or its faults."""
    from controller.config.load import load

    try:
        loaded = load(path, env)
    except ConfigError as wrong:
        return ConfigFact(str(path), tuple(wrong.faults), wrong.remedy or ""), None
    fact = ConfigFact(str(path), warnings=tuple(loaded.stack.warnings), digest=loaded.digest)
    return fact, loaded.stack


def port_facts(stack: StackSpec, engine: LocalEngine | None) -> tuple[PortFact, ...]:
    """Every published TCP port of the managed services: free, ours, or somebody else's."""
    ours = _running_services(stack.project, engine)
    facts: list[PortFact] = []
    for name in stack.managed:
        for address, port in _published(stack.services[name]):
            fact = _try_port(name, address, port)
            if ours is not None and name in ours:
                fact = PortFact(name, port, PortState.OURS)
            elif ours is None and fact.state is PortState.TAKEN:
                whose = "it is in use, and the engine cannot be asked by whom"
                fact = PortFact(name, port, PortState.UNKNOWN, whose)
            facts.append(fact)
    return tuple(facts)


def hub_port(hub: HubFact) -> tuple[PortFact, ...]:
    """The hub's own port: its own where it answers; elsewhere than on this host, nobody's."""
    parts = urlsplit(hub.url)
    port = parts.port
    if port is None or parts.hostname not in LOOPBACK:
        return ()
    if not hub.error:
        return (PortFact("the hub", port, PortState.OURS),)
    return (_try_port("the hub", "127.0.0.1", port),)


def image_facts(stack: StackSpec, engine: LocalEngine | None) -> tuple[ImageFact, ...]:
    """Every image that a managed service names, once."""
    facts: dict[str, ImageFact] = {}
    for name in stack.managed:
        spec = stack.services[name]
        reference = spec.container.image
        if reference not in facts:
            present = _has_image(engine, reference)
            facts[reference] = ImageFact(reference, present, _source(spec))
    return tuple(facts.values())


def _source(spec: ServiceSpec) -> str:
    if spec.source.build is not None:
        return "own" if spec.container.image.startswith(_OWN_IMAGES) else "build"
    return "" if spec.source.policy.when in (Pull.NEVER, Pull.BUILD) else "pull"


def orphan_facts(stack: StackSpec, engine: LocalEngine | None) -> tuple[OrphanFact, ...]:
    """The containers of the project that no file speaks of; none where nobody can be asked."""
    try:
        found = engine.containers(stack.project) if engine else []
    except (OSError, LocalEngineError):
        return ()
    orphans = []
    for container in found:
        labels = container.get("Labels") or {}
        service = str(labels.get(f"{_COMPOSE}service", ""))
        one_off = labels.get(f"{_COMPOSE}oneoff") == "True"
        if not stack.declares(service) and not one_off and "heal7.config.digest" not in labels:
            since = datetime.fromtimestamp(int(container["Created"]), UTC)
            name = str(container["Names"][0]).lstrip("/")
            orphans.append(OrphanFact(name, service, str(container.get("State", "")), since))
    return tuple(sorted(orphans, key=lambda one: one.name))


def disk_fact(path: str) -> DiskFact:
    """Room under `path`, or under the nearest folder above it that this user can see."""
    place = Path(path)
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    return DiskFact(str(place), usage.free, usage.total)


def newest_change(paths: list[Path]) -> datetime | None:
    """When the newest of those files that exist was last changed."""
    times = [path.stat().st_mtime for path in paths if path.is_file()]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _published(spec: ServiceSpec) -> list[tuple[str, int]]:
    """(address, port) pairs on the host; the known port where the container publishes none."""
    found = [
        (port.host_ip, port.published)
        for port in spec.container.ports
        if port.published is not None and port.protocol == "tcp"
    ]
    if not found and spec.port is not None:
        found = [("", spec.port)]
    return found


def _running_services(project: str, engine: LocalEngine | None) -> frozenset[str] | None:
    """Services of the project with a running container (their ports are theirs), None unknown."""
    if engine is None:
        return None
    try:
        containers = engine.running(project)
    except (OSError, LocalEngineError):
        return None
    labels: list[dict[str, Any]] = [container.get("Labels") or {} for container in containers]
    return frozenset(str(label.get(f"{_COMPOSE}service", "")) for label in labels)


def _try_port(service: str, address: str, port: int) -> PortFact:
    """Bind and let go: the one question whose answer is the engine's answer too."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as refused:
            if refused.errno == errno.EADDRINUSE:
                return PortFact(service, port, PortState.TAKEN)
            reason = refused.strerror or str(refused)
            return PortFact(service, port, PortState.UNKNOWN, reason)
    return PortFact(service, port, PortState.FREE)


def _has_image(engine: LocalEngine | None, reference: str) -> bool | None:
    if engine is None:
        return None
    try:
        return engine.has_image(reference)
    except (OSError, LocalEngineError):
        return None


def _skew(system_time: str, now: datetime) -> float | None:
    """The engine's RFC 3339 time minus `now`, in seconds; None where it cannot be read."""
    try:
        return (datetime.fromisoformat(system_time) - now).total_seconds()
    except (ValueError, TypeError):
        return None
