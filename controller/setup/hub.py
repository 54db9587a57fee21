"""Starts the hub's own container, and speaks to the hub while set-up waits for it.

The container comes from compose/hub.yaml by the same loader and the same engine code that the hub
uses for its services. It is left alone as long as its definition, its configuration and its image
are the ones it runs with.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Any, cast

import requests

from controller import __version__, clock
from controller.engine.client import DockerEngine
from controller.engine.images import Say
from controller.errors import ConflictError, EngineNotFoundError, SetupError
from controller.model.observation import ContainerObs, State
from controller.model.spec import ServiceSpec, StackSpec

SERVICE = "hub"
PROJECT = "heal7-hub"
_READY_WITHIN_S = 30.0
_FREE_WITHIN_S = 20.0
_BEAT_S = 0.1
_CALL_S = 10.0
_CONFLICT = 409


class HubDoor:
    """The hub's HTTP API on this machine's loopback."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"heal7-up/{__version__}"
        self._session.trust_env = False  # a proxy never leads to this machine's own loopback

    def ready(self) -> bool:
        """Whether the hub says it is ready to be asked for things."""
        try:
            return self._session.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at `path`. Raises SetupError."""
        return self._call("GET", path, _CALL_S)

    def post(self, path: str, timeout_s: float = _CALL_S) -> dict[str, Any]:
        """POST without a body. Raises ConflictError (409) or SetupError."""
        return self._call("POST", path, timeout_s)

    def _call(self, method: str, path: str, timeout_s: float) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self.url + path, timeout=timeout_s)
            body = answer.json()
        except requests.RequestException as error:
            raise SetupError(
                f"The hub at {self.url} does not answer ({type(error).__name__}).",
                remedy="See `docker logs heal7-hub`.",
            ) from error
        if answer.ok and isinstance(body, dict):
            return cast("dict[str, Any]", body)
        told = body if isinstance(body, dict) else {}
        detail = str(told.get("detail") or told.get("title") or answer.reason)
        if answer.status_code == _CONFLICT:
            raise ConflictError(detail)
        remedy = told.get("remedy") or "See `docker logs heal7-hub`."
        raise SetupError(f"The hub refused {method} {path}: {detail}", remedy=str(remedy))


def is_current(found: ContainerObs, spec: ServiceSpec, image_id: str) -> bool:
    """Whether the container runs just what is declared: same definition, same image."""
    return found.config_hash == spec.config_hash and found.image_id == image_id


def ensure(engine: DockerEngine, stack: StackSpec, image_id: str, port: int, say: Say) -> bool:
    """Have the hub's container running as declared; whether anything had to be done.

    `port` is the one the hub will listen on. Raises SetupError where it is somebody else's,
    EngineError where the engine refuses.
    """
    spec = stack.services[SERVICE]
    found = [c for c in engine.list_containers(stack.project) if c.service == SERVICE]
    keep = next((c for c in found if is_current(c, spec, image_id)), None)
    for old in found:
        if old is not keep:
            say("removing the hub of an earlier version or configuration")
            remove(engine, old.id, spec.container.stop_grace_s)
    if keep is not None and keep.state in (State.RUNNING, State.RESTARTING):
        return False
    _need_free_port(port)
    if keep is None:
        for volume in stack.volumes:
            engine.ensure_volume(volume)
        say("creating the hub")
        container_id = engine.create(spec.container)
    else:
        container_id = keep.id
    say("starting the hub")
    engine.start(container_id)
    return True


def check_port(engine: DockerEngine, stack: StackSpec, port: int) -> None:
    """Raise SetupError where the hub's port is taken and not by the hub; before the long work."""
    found = engine.list_containers(stack.project)
    if not any(c.state in (State.RUNNING, State.RESTARTING) for c in found):
        _need_free_port(port)


def remove(engine: DockerEngine, container_id: str, grace_s: float) -> None:
    """Stop a container with its grace, then remove it; already gone is fine."""
    with contextlib.suppress(EngineNotFoundError):
        engine.stop(container_id, grace_s)
    engine.remove(container_id, force=True)


def await_ready(engine: DockerEngine, stack: StackSpec, door: HubDoor, say: Say) -> None:
    """Wait until the hub says it is ready. Raises SetupError with the end of its log."""
    name = stack.services[SERVICE].container.name
    began = clock.monotonic()
    beat = threading.Event()
    while not door.ready():
        waited = clock.monotonic() - began
        found = next((c for c in engine.list_containers(stack.project) if c.name == name), None)
        if found is None or found.state is not State.RUNNING or found.restart_count > 0:
            state = "gone" if found is None else found.state.value
            raise _not_ready(engine, found, f"The hub stopped while starting (it is {state}).")
        if waited > _READY_WITHIN_S:
            raise _not_ready(engine, found, f"The hub was not ready within {waited:.0f} s.")
        say(f"waiting for the hub ({waited:.0f} s)")
        beat.wait(_BEAT_S)


def _not_ready(engine: DockerEngine, found: ContainerObs | None, what: str) -> SetupError:
    tail = engine.log_tail(found.id, 15).strip() if found else ""
    return SetupError(
        f"{what}\n{tail}".rstrip(), remedy="Mend what its log says, then run `heal7 up` again."
    )


def start_all(door: HubDoor, say: Say) -> Mapping[str, Any]:
    """Ask the hub to start every service; the operation. Waits for one that is under way."""
    began = clock.monotonic()
    beat = threading.Event()
    while True:
        try:
            return door.post("/orchestration/start-all?wait=false")
        except ConflictError as busy:
            if clock.monotonic() - began > _FREE_WITHIN_S:
                raise SetupError(busy.detail, remedy="Wait for it: `heal7 ps`.") from busy
            say(f"waiting: {busy.detail}")
        beat.wait(_BEAT_S * 5)


def _need_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SetupError(
                f"Port {port} is in use by another program, and the hub needs it.",
                remedy=f"See which with `ss -ltnp 'sport = :{port}'` and stop it (`make dev`?).",
            )


def stop_all(door: HubDoor, timeout_s: float) -> bool:
    """Ask the hub to stop every service; whether it could be asked and did."""
    try:
        return bool(door.post("/orchestration/stop-all", timeout_s).get("success"))
    except (SetupError, ConflictError):
        return False
