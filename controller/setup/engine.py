"""Finds a working engine, or installs and starts one.

An engine that answers is used as it is, whoever started it. Otherwise Debian's own package is
installed, and started by systemd where systemd runs, by hand where nothing starts services.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from controller import clock
from controller.engine.client import DockerEngine
from controller.engine.images import Say
from controller.errors import EngineError, SetupError
from controller.setup import system

LOG = Path("/var/log/heal7-dockerd.log")
_ANSWER_WITHIN_S = 60.0
_BEAT_S = 0.25
_INSTALL = (
    "Install Docker Engine 20.10 or newer as its documentation says for this system and start it, "
    "then run `make up` again."
)


def connect() -> DockerEngine | None:
    """A connection to the engine, or None where none answers."""
    try:
        engine = DockerEngine()
        engine.ping()
    except EngineError:
        return None
    return engine


def ensure(machine: system.Machine, say: Say) -> DockerEngine:
    """A connection to a working engine. Raises SetupError with what a person must do."""
    engine = connect()
    if engine is not None:
        return engine
    if os.environ.get("DOCKER_HOST"):
        raise SetupError(
            f"DOCKER_HOST is {os.environ['DOCKER_HOST']}, and no engine answers there.",
            remedy="Start that engine, or unset DOCKER_HOST to use this machine's own.",
        )
    if not system.have("dockerd"):
        system.need_debian(machine, "Docker Engine", _INSTALL)
        # debootstrap is small, and fetching it here saves a second round where no registry answers.
        system.apt_install(["docker.io", "iptables", "ca-certificates", "debootstrap"], say)
    if not machine.root:
        raise SetupError(
            "No engine answers, or this user may not use it.",
            remedy="Start Docker and join the `docker` group, or run `make up` as root.",
        )
    return _start(machine, say)


def _start(machine: system.Machine, say: Say) -> DockerEngine:
    if machine.systemd:
        system.run(
            ["systemctl", "enable", "--now", "docker"],
            say,
            doing="start the engine",
            remedy="See why with `journalctl -u docker -n 50`.",
        )
        return _await(say, None, "`journalctl -u docker -n 50`")
    say(f"starting dockerd (log: {LOG})")
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            ["dockerd"],  # noqa: S607 - wherever the package put it
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
        )
    return _await(say, process, str(LOG))


def _await(say: Say, process: subprocess.Popen[bytes] | None, where: str) -> DockerEngine:
    """Wait until the engine answers. `where` names its log for people."""
    began = clock.monotonic()
    beat = threading.Event()
    while (waited := clock.monotonic() - began) < _ANSWER_WITHIN_S:
        engine = connect()
        if engine is not None:
            return engine
        if process is not None and process.poll() is not None:
            break
        say(f"waiting for the engine to answer ({waited:.0f} s)")
        beat.wait(_BEAT_S)
    tail = "\n".join(LOG.read_text("utf-8", "replace").splitlines()[-8:]) if process else ""
    raise SetupError(
        f"The engine was started and did not answer.\n{tail}".rstrip(),
        remedy=f"Its log says why: {where}.",
    )
