"""Runs the hub in this process: listens first, then wires, and ends the streams before the rest."""

from __future__ import annotations

import errno
import logging
import os
import socket
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

import controller
from controller.api.receipt import PromptProtocol
from controller.bootstrap import memory
from controller.bootstrap.app import create_app
from controller.bootstrap.hub import Hub
from controller.config.load import load
from controller.config.settings import ServerSettings
from controller.errors import ConfigError, ListenError
from controller.telemetry import logs

log = logging.getLogger(__name__)

_DRAIN_S = 3


class _Server(uvicorn.Server):
    """Ends the event streams first, which would otherwise keep the shutdown waiting."""

    def __init__(self, config: uvicorn.Config, running: Hub):
        super().__init__(config)
        self._hub = running

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._hub.end_streams()
        await super().shutdown(sockets)  # type: ignore[arg-type]


def app_from_environment() -> FastAPI:
    """For `serve --reload`: uvicorn imports this anew after every change."""
    config = load(Path(os.environ["HEAL7_CONFIG"]), os.environ)
    return create_app(Hub(config, Path(os.environ["HEAL7_STATE"])))


def serve(
    config_path: Path, state_dir: Path, host: str | None, port: int | None, reload: bool
) -> None:
    """Run the hub until it is told to stop; exits with 1 if a task died.

    Raises ConfigError, and ListenError where the port is taken.
    """
    memory.bound()
    logs.configure()
    config = load(config_path, os.environ)
    settings = _listening(config.settings.server, host, port)
    options = {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "http": PromptProtocol,
        "ws": "none",
        "timeout_graceful_shutdown": _DRAIN_S,
    }
    if reload:
        os.environ |= {"HEAL7_CONFIG": str(config_path), "HEAL7_STATE": str(state_dir)}
        root = str(Path(controller.__file__).parent)
        factory = "controller.bootstrap.serve:app_from_environment"
        uvicorn.run(factory, factory=True, reload=True, reload_dirs=[root], **options)  # type: ignore[arg-type]
        return
    for warning in config.stack.warnings:
        log.warning("%s", warning)
    # Messages say where the dashboard really is.
    served = config.settings.model_copy(update={"server": settings})
    config = replace(config, settings=served)
    # Before anything of the state is touched: it may be another hub's that listens here.
    with _listener(settings) as listener:
        running = Hub(config, state_dir)
        server = _Server(uvicorn.Config(create_app(running), **options), running)  # type: ignore[arg-type]
        server.run(sockets=[listener])
    if running.died:
        raise SystemExit(1)


def _listening(configured: ServerSettings, host: str | None, port: int | None) -> ServerSettings:
    chosen = {"host": host or configured.host, "port": port or configured.port}
    try:
        return ServerSettings.model_validate(chosen)
    except ValueError as error:
        raise ConfigError([f"--host {chosen['host']} --port {chosen['port']}: {error}"]) from error


def _listener(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        where = f"port {settings.port} of {settings.host}"
        if error.errno != errno.EADDRINUSE:
            raise ListenError(f"{where}: {error.strerror}") from error
        raise ListenError(
            f"{where} is already in use, perhaps by another hub",
            remedy=f"See who answers there with `heal7 --hub http://{settings.host}:{settings.port}"
            " ps`, end it, or choose another port with --port.",
        ) from error
