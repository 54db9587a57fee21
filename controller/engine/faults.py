"""Faults injected on purpose into a container of any image, and undone whatever happens to the hub.

Freezing is done by a short-lived helper container that sees the host's processes, runs
`controller.engine.freezer` and may do nothing but send signals: so it works whether the hub runs
in a container or on the host, and what it froze is thawed when its time is over even if the hub
has died. Crash and stop need no helper. All four go through `inject`.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from docker.types import LogConfig

from controller import clock
from controller.engine.client import DockerEngine
from controller.engine.inspect import LABEL_PROJECT, LABEL_SERVICE
from controller.engine.mapping import ImageMissingError, mapped_errors
from controller.errors import EngineConflictError, EngineError, EngineNotFoundError
from controller.model.rehearsal import Fault

LABEL_FAULT = "heal7.fault"
LABEL_FAULT_PROJECT = "heal7.fault.project"
_READY_WITHIN_S = 15.0
_BEAT_S = 0.02
_THAW_GRACE_S = 5.0
_FROZEN_AT_LEAST_S = 1.5
_FROZEN_PER_TIMEOUT = 6.0
_THAWED_S = 0.2


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that was injected. `helper_id` is the container that keeps it up, None where
    nothing has to (crash, stop)."""

    fault: Fault
    container_id: str
    injected_at: datetime
    helper_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    """The container as it ran when the fault was asked for."""

    id: str
    main_pid: int
    service: str
    project: str


def duty(probe_timeout_s: float) -> tuple[float, float]:
    """Seconds (frozen, thawed) of one beat of "slow", so that four of five probes time out.

    A probe gets through if it waits for the next thaw for less than its timeout.
    """
    return max(_FROZEN_AT_LEAST_S, _FROZEN_PER_TIMEOUT * probe_timeout_s), _THAWED_S


def inject(
    engine: DockerEngine,
    container_id: str,
    fault: Fault,
    image: str,
    limit_s: float,
    probe_timeout_s: float,
    grace_s: float = 10.0,
) -> Injection:
    """Inject the fault; returns once it is in effect.

    A hang or slowness undoes itself after `limit_s`; `image` is any on this machine that has
    python3, `grace_s` what a stop leaves the process. Raises ImageMissingError,
    EngineConflictError (the container does not run), EngineNotFoundError, EngineError.
    """
    match fault:
        case Fault.CRASH:
            at = clock.now()
            engine.kill(container_id)
            return Injection(fault, container_id, at)
        case Fault.STOP:
            at = clock.now()
            if not engine.stop(container_id, grace_s):
                raise EngineConflictError("the container is already stopped")
            return Injection(fault, container_id, at)
        case Fault.HANG | Fault.SLOW:
            beat = (0.0, 0.0) if fault is Fault.HANG else duty(probe_timeout_s)
            helper_id = _start_helper(engine, _target(engine, container_id), image, limit_s, beat)
            return Injection(fault, container_id, _injected_at(engine, helper_id), helper_id)


def undo(engine: DockerEngine, injection: Injection) -> None:
    """Thaw what was frozen; back once it runs again. Already undone is success.

    A crash or a stop is undone by starting the container, which is not for this module.
    """
    if injection.helper_id is not None:
        _end(engine, injection.helper_id)


def sweep(engine: DockerEngine, project: str) -> int:
    """Undo what an earlier hub of this compose project left injected; how many there were."""
    with mapped_errors("looking for leftover faults"):
        found = engine.api.containers(
            all=True, filters={"label": [LABEL_FAULT, f"{LABEL_FAULT_PROJECT}={project}"]}
        )
    for helper in found:
        _end(engine, helper["Id"])
    return len(found)


def _target(engine: DockerEngine, container_id: str) -> _Target:
    with mapped_errors("inspecting the container"):
        raw = engine.api.inspect_container(container_id)
    state, labels = raw["State"], raw["Config"].get("Labels") or {}
    if not state["Running"] or state["Paused"]:
        raise EngineConflictError(f"the container does not run: it is {state['Status']}")
    return _Target(
        raw["Id"], state["Pid"], labels.get(LABEL_SERVICE, ""), labels.get(LABEL_PROJECT, "")
    )


def _start_helper(
    engine: DockerEngine, target: _Target, image: str, limit_s: float, beat: tuple[float, float]
) -> str:
    if image not in engine.image_ids([image]):
        raise ImageMissingError(image)
    program = resources.files("controller.engine").joinpath("freezer.py").read_text("utf-8")
    arguments = [target.id, str(target.main_pid), str(limit_s), str(beat[0]), str(beat[1])]
    with mapped_errors("creating the helper that freezes"):
        made = engine.api.create_container(
            image,
            name=clock.new_id("heal7-fault"),
            entrypoint=["python3", "-I", "-S", "-c", program, *arguments],
            command=[],
            user="0",
            labels={LABEL_FAULT: target.service, LABEL_FAULT_PROJECT: target.project},
            host_config=engine.api.create_host_config(**_helper_host()),
        )
    helper_id = str(made["Id"])
    try:
        engine.start(helper_id)
    except EngineError:
        engine.remove(helper_id, force=True)
        raise
    return helper_id


def _helper_host() -> dict[str, Any]:
    return {
        "pid_mode": "host",
        "userns_mode": "host",
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "cap_add": ["KILL"],
        # A confined sender may not signal a process under another profile.
        "security_opt": ["no-new-privileges:true", "apparmor=unconfined"],
        "read_only": True,
        "auto_remove": True,
        "mem_limit": "64m",
        # Whatever the engine's own log driver is: this one can be read.
        "log_config": LogConfig(type=LogConfig.types.JSON),
    }


def _injected_at(engine: DockerEngine, helper_id: str) -> datetime:
    """When everything stood still, by the helper's word. Leaves no helper behind if it fails."""
    deadline = clock.monotonic() + _READY_WITHIN_S
    beat = threading.Event()
    try:
        while clock.monotonic() < deadline:
            for line in engine.log_tail(helper_id, 5).splitlines():
                word, _, rest = line.partition(" ")
                if word == "injected":
                    return datetime.fromtimestamp(float(rest), UTC)
                if word == "failed:":
                    raise EngineError(f"freezing the container: {rest}")
            beat.wait(_BEAT_S)
        raise EngineError(f"the helper did not freeze the container in {_READY_WITHIN_S:.0f} s")
    except EngineNotFoundError as error:
        raise EngineError("the helper ended before it froze the container") from error
    except EngineError:
        _end(engine, helper_id)
        raise


def _end(engine: DockerEngine, helper_id: str) -> None:
    """SIGTERM makes the helper thaw; removing it is the engine's, or ours where it did not."""
    with contextlib.suppress(EngineNotFoundError):
        engine.stop(helper_id, _THAW_GRACE_S)
    engine.remove(helper_id, force=True)
