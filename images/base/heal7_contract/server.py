"""Runs a service as a process: obeys SIGTERM from its first moment and is gone within 2 s."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from heal7_contract import logs
from heal7_contract.launch import obey_signals
from heal7_contract.settings import from_env

if TYPE_CHECKING:
    import uvicorn

    from heal7_contract.service import Service

_DRAIN_SECONDS = 1
_CONFIG_ERROR = 2
_CANNOT_SERVE = 3  # as the server itself exits where the port is taken


def serve(service: Service) -> NoReturn:
    """Serves until SIGTERM or SIGINT. Exit codes: 0 stopped, 2 wrong settings, 3 cannot serve."""
    obey_signals()
    try:
        settings = from_env(os.environ, name=service.name, port=service.port)
    except ValueError as fault:
        sys.stderr.write(f"{service.name}: {fault}\n")
        _exit(_CONFIG_ERROR)
    logs.configure(service.name, settings.log_level)
    server = _server(service, settings.host, settings.port)
    gc.freeze()
    gc.enable()
    server.run()
    # A thread still busy with an action would keep the interpreter waiting for it.
    _exit(0 if server.started else _CANNOT_SERVE)


def _server(service: Service, host: str, port: int) -> uvicorn.Server:
    import uvicorn  # here, so that SIGTERM is obeyed while it loads

    config = uvicorn.Config(
        service.app,
        host=host,
        port=port,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return uvicorn.Server(config)


def _exit(code: int) -> NoReturn:
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
