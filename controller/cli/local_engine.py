"""Asks the engine on this host a few read-only questions, without the Docker library.

`heal7 doctor` must answer when nothing else does, and at once; everything that changes the engine,
and everything the hub asks, goes through `controller/engine`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

DEFAULT_SOCKET = "/var/run/docker.sock"
TIMEOUT_S = 5.0


class LocalEngineError(Exception):
    """The engine answered something else than what was asked; the text says what."""


def socket_path(env: Mapping[str, str]) -> str | None:
    """Path of the local socket, or None where DOCKER_HOST names an engine elsewhere."""
    host = env.get("DOCKER_HOST", "")
    if not host:
        return DEFAULT_SOCKET
    return host.removeprefix("unix://") if host.startswith("unix://") else None


class LocalEngine:
    """Read-only questions to the engine behind `path`. All raise OSError where nobody answers."""

    def __init__(self, path: str) -> None:
        self._path = path

    def info(self) -> dict[str, Any]:
        """`GET /info`: version, root directory, the engine's time."""
        return dict(self._get("/info"))

    def version(self) -> dict[str, Any]:
        """`GET /version`."""
        return dict(self._get("/version"))

    def has_image(self, reference: str) -> bool:
        """Whether the image is on this machine."""
        return (
            self._get(f"/images/{quote(reference, safe='/:@')}/json", missing_ok=True) is not None
        )

    def running(self, project: str) -> list[dict[str, Any]]:
        """Running containers of a compose project, as `GET /containers/json` lists them."""
        return self._containers(project, {"status": ["running"]})

    def containers(self, project: str) -> list[dict[str, Any]]:
        """Every container of a compose project, as `GET /containers/json` lists them."""
        return self._containers(project, {})

    def _containers(self, project: str, more: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        wanted = {"label": [f"com.docker.compose.project={project}"], **more}
        query = urlencode({"all": "true", "filters": json.dumps(wanted)})
        return list(self._get(f"/containers/json?{query}"))

    def _get(self, path: str, *, missing_ok: bool = False) -> Any:
        connection = _UnixConnection(self._path)
        try:
            connection.request("GET", path, headers={"Host": "docker"})
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as broken:
            raise LocalEngineError(f"it broke the connection ({broken!r})") from broken
        finally:
            connection.close()
        if answer.status == http.HTTPStatus.NOT_FOUND and missing_ok:
            return None
        if answer.status != http.HTTPStatus.OK:
            raise LocalEngineError(f"GET {path} answered {answer.status} {answer.reason}")
        try:
            return json.loads(body)
        except ValueError as broken:
            raise LocalEngineError(f"GET {path} did not answer JSON") from broken


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))
