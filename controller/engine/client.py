"""The only door to Docker for commands: fixed verbs on names the hub's own registry gave.

Every call is blocking and bounded by an explicit timeout; `controller.engine.pool` runs them off
the event loop. Names are checked here once more, because a name with a slash reaches another
endpoint of the engine.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, cast

import docker
import requests
from docker.types import IPAMConfig, IPAMPool
from docker.utils import kwargs_from_env

from controller.engine import create as creation
from controller.engine.inspect import (
    LABEL_ONEOFF,
    LABEL_PROJECT,
    LABEL_SERVICE,
    container,
    network,
)
from controller.engine.mapping import ImageMissingError, mapped_errors
from controller.errors import EngineConflictError, EngineError, EngineNotFoundError
from controller.model.observation import ContainerObs, NetworkObs
from controller.model.spec import ContainerSpec, NetworkSpec, VolumeSpec

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_CALL_TIMEOUT_S = 30
_PING_TIMEOUT_S = 2
_LONGER_TAIL = 50
# docker-py keeps connections by whole URL, so that those to single containers are never used again;
# what is kept is for the few calls that are made over and over. One each: those of a busy moment
# would otherwise stay open as long as the hub lives.
_KEPT_URLS = 4
_KEPT_CONNECTIONS = 1


def checked(name: str) -> str:
    """The name, if the engine can only read it as a name. Raises EngineError otherwise."""
    if not _NAME.match(name):
        raise EngineError(f"{name!r} is not a container, network or volume name")
    return name


class DockerEngine:
    """A blocking connection to one engine. Thread-safe as docker-py's session pool is."""

    def __init__(self, base_url: str | None = None):
        self._base_url = base_url
        self._lock = threading.Lock()
        self._clients: dict[int, docker.APIClient] = {}

    @property
    def api(self) -> docker.APIClient:
        """docker-py's client, for the other modules of this folder."""
        return self._client(_CALL_TIMEOUT_S)

    def options(self) -> dict[str, Any]:
        """What every client of docker-py for this engine is made with."""
        options: dict[str, Any] = {"base_url": self._base_url, "version": "auto"}
        return options if self._base_url else options | kwargs_from_env()

    def _client(self, timeout_s: int) -> docker.APIClient:
        """The client with this read timeout, made at first use: the engine may come later."""
        with self._lock:
            if timeout_s not in self._clients:
                with mapped_errors("connecting to the engine"):
                    self._clients[timeout_s] = docker.APIClient(
                        **self.options(),
                        timeout=timeout_s,
                        num_pools=_KEPT_URLS,
                        max_pool_size=_KEPT_CONNECTIONS,
                    )
            return self._clients[timeout_s]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def ping(self) -> bool:
        """True when the engine answers within 2 s. Raises EngineUnreachableError."""
        client = self._client(_PING_TIMEOUT_S)
        with mapped_errors("asking the engine for a sign of life"):
            return bool(client.ping())

    def about(self) -> tuple[str, str]:
        """Its version and where it keeps its data, within 2 s. Raises EngineError."""
        client = self._client(_PING_TIMEOUT_S)
        with mapped_errors("asking the engine about itself"):
            told = client.info()
        return str(told.get("ServerVersion", "")), str(told.get("DockerRootDir", ""))

    def list_containers(self, project: str, service: str | None = None) -> list[ContainerObs]:
        """Every container of a compose project or of one service of it (one-offs left out)."""
        return list(self._inspected(project, service))

    def _inspected(self, project: str, service: str | None) -> Iterator[ContainerObs]:
        labels = [f"{LABEL_PROJECT}={project}"]
        if service is not None:
            labels.append(f"{LABEL_SERVICE}={service}")
        with mapped_errors(f"listing the containers of {project}"):
            rows = self.api.containers(all=True, filters={"label": labels})
        for row in rows:
            if (row.get("Labels") or {}).get(LABEL_ONEOFF) == "True":
                continue
            # A container may go between the list and the look; then it is simply not there.
            with contextlib.suppress(EngineNotFoundError):
                yield self.inspect(row["Id"])

    def inspect(self, container_id: str) -> ContainerObs:
        """One container. Raises EngineNotFoundError when it is gone."""
        with mapped_errors("inspecting a container"):
            raw = self.api.inspect_container(checked(container_id))
        return container(raw)

    def container_labels(self, name: str) -> dict[str, str] | None:
        """Labels of a container by name, None where there is none."""
        try:
            with mapped_errors(f"inspecting {name}"):
                raw = self.api.inspect_container(checked(name))
        except EngineNotFoundError:
            return None
        return dict(raw["Config"].get("Labels") or {})

    def networks(self) -> dict[str, NetworkObs]:
        """Every network on this machine, by name."""
        with mapped_errors("listing networks"):
            return {found["Name"]: network(found) for found in self.api.networks()}

    def volumes(self) -> frozenset[str]:
        """Names of every volume on this machine."""
        with mapped_errors("listing volumes"):
            return frozenset(v["Name"] for v in (self.api.volumes().get("Volumes") or ()))

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        """The id of each image that is here; absent references are left out."""
        found = {}
        for reference in set(references):
            try:
                with mapped_errors(f"looking for the image {reference}"):
                    found[reference] = self._image_id(reference)
            except EngineNotFoundError:
                continue
        return found

    def _image_id(self, reference: str) -> str:
        inspect = cast(Callable[[str], dict[str, str]], self.api.inspect_image)
        return inspect(reference)["Id"]

    def create(self, spec: ContainerSpec) -> str:
        """Create (not start) the container and put it on all its networks; its id.

        Raises ImageMissingError, EngineConflictError (the name is taken), EngineError. Where a
        second network fails, the half-made container is removed again.
        """
        checked(spec.name)
        image_id = self.image_ids([spec.image]).get(spec.image)
        if image_id is None:
            raise ImageMissingError(spec.image)
        networks = creation.networks_in_order(spec)
        with mapped_errors(f"creating {spec.name}"):
            networking = None
            if networks:
                first = self.api.create_endpoint_config(**creation.endpoint(spec, networks[0]))
                networking = cast(Any, {"EndpointsConfig": {networks[0]: first}})
            made = self.api.create_container(
                **creation.container_config(spec, image_id),
                host_config=self.api.create_host_config(**creation.host_config(spec)),
                networking_config=networking,
            )
        container_id = cast(str, made["Id"])
        try:
            if spec.settings.files:
                with mapped_errors(f"writing the files of {spec.name}"):
                    self.api.put_archive(container_id, "/", creation.archive(spec.settings.files))
            for other in networks[1:]:
                with mapped_errors(f"connecting {spec.name} to {other}"):
                    self.api.connect_container_to_network(
                        container_id, other, **creation.endpoint(spec, other)
                    )
        except EngineError:
            self.remove(container_id, force=True)
            raise
        return container_id

    def start(self, container_id: str) -> None:
        """Start it. Raises PortTakenError, BadCommandError, EngineNotFoundError, EngineError."""
        with mapped_errors("starting the container"):
            self.api.start(checked(container_id))

    def stop(self, container_id: str, grace_s: float) -> bool:
        """SIGTERM (or the stop signal), then SIGKILL after `grace_s`; returns when it is over.

        False where it had already ended: then not we but something else ended it.
        """
        grace = max(0, round(grace_s))
        # docker-py's own `stop` hides the 304 by which the engine says "already stopped".
        client = cast(Any, self.api)
        with mapped_errors("stopping the container"):
            answer = client._post(
                client._url("/containers/{0}/stop", checked(container_id)),
                params={"t": grace},
                timeout=_CALL_TIMEOUT_S + grace,
            )
            client._raise_for_status(answer)
        return bool(answer.status_code != requests.codes.not_modified)

    def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Send the signal to the main process. Raises EngineConflictError where none runs."""
        with mapped_errors(f"sending {signal} to the container"):
            self.api.kill(checked(container_id), signal=signal)

    def top_pids(self, container_id: str) -> tuple[int, ...]:
        """The host's ids of every process in it. Raises EngineConflictError where none runs."""
        with mapped_errors("listing the container's processes"):
            answer = self.api.top(checked(container_id), ps_args="-eo pid")
        column = answer["Titles"].index("PID")
        return tuple(int(row[column]) for row in answer["Processes"] or ())

    def unpause(self, container_id: str) -> None:
        with mapped_errors("resuming the paused container"):
            self.api.unpause(checked(container_id))

    def remove(self, container_id: str, *, force: bool = False) -> None:
        """Remove the container, keeping named volumes. Already gone or going is success."""
        try:
            with mapped_errors("removing the container"):
                self.api.remove_container(checked(container_id), force=force)
        except EngineNotFoundError:
            return
        except EngineConflictError as error:
            if "already in progress" not in error.detail:
                raise

    def rename(self, container_id: str, name: str) -> None:
        with mapped_errors(f"renaming a container to {name}"):
            self.api.rename(checked(container_id), checked(name))

    def ensure_network(self, spec: NetworkSpec) -> None:
        """Make the network unless it is there. Raises EngineNotFoundError if external and not."""
        with mapped_errors(f"looking for the network {spec.name}"):
            if any(n["Name"] == spec.name for n in self.api.networks(names=[spec.name])):
                return
        if spec.external:
            raise EngineNotFoundError(
                f"the external network {spec.name} does not exist",
                remedy=f"Create it: `docker network create {spec.name}`.",
            )
        with mapped_errors(f"creating the network {spec.name}"):
            self.api.create_network(
                checked(spec.name),
                driver=spec.driver or "bridge",
                options=dict(spec.driver_opts) or None,
                internal=spec.internal,
                attachable=spec.attachable,
                enable_ipv6=spec.enable_ipv6,
                ipam=_ipam(spec),
                labels=dict(spec.labels),
                check_duplicate=True,
            )

    def ensure_volume(self, spec: VolumeSpec) -> None:
        """Make the volume unless it is there. Raises EngineNotFoundError if external and not."""
        if spec.external:
            if spec.name not in self.volumes():
                raise EngineNotFoundError(
                    f"the external volume {spec.name} does not exist",
                    remedy=f"Create it: `docker volume create {spec.name}`.",
                )
            return
        with mapped_errors(f"creating the volume {spec.name}"):
            self.api.create_volume(
                checked(spec.name),
                driver=spec.driver or None,
                driver_opts=dict(spec.driver_opts) or None,
                labels=dict(spec.labels),
            )

    def remove_network(self, name: str) -> None:
        """Remove a network; already gone is success."""
        with contextlib.suppress(EngineNotFoundError), mapped_errors(f"removing {name}"):
            self.api.remove_network(checked(name))

    def remove_volume(self, name: str) -> None:
        """Remove a volume and its data; already gone is success."""
        with contextlib.suppress(EngineNotFoundError), mapped_errors(f"removing {name}"):
            self.api.remove_volume(checked(name))

    def log_tail(self, container_id: str, lines: int, until: datetime | None = None) -> str:
        """The last lines of output, both streams, as text; those after `until` left out.

        The engine takes the tail first and leaves out afterwards: where much was said since
        `until`, a longer tail is asked for, and what lies beyond that is not found.
        """
        last = None if until is None else until.timestamp()
        found: list[str] = []
        for tail in (lines, lines * _LONGER_TAIL):
            with mapped_errors("reading the container's output"):
                raw = self.api.logs(
                    checked(container_id), tail=tail, stdout=True, stderr=True, until=last
                )
            found = bytes(raw).decode("utf-8", "replace").splitlines(keepends=True)
            if until is None or len(found) >= lines:
                break
        return "".join(found[-lines:])


def _ipam(spec: NetworkSpec) -> IPAMConfig | None:
    if not (spec.ipam_driver or spec.ipam_pools or spec.ipam_options):
        return None
    pools = [
        IPAMPool(
            subnet=pool.subnet,
            gateway=pool.gateway,
            iprange=pool.ip_range,
            aux_addresses=dict(pool.aux_addresses) or None,
        )
        for pool in spec.ipam_pools
    ]
    return IPAMConfig(
        driver=spec.ipam_driver or "default",
        pool_configs=pools,
        options=dict(spec.ipam_options) or None,
    )
