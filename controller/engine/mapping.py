"""Turns every way docker-py can break into the hub's four kinds of engine error.

docker-py raises `requests` errors (ConnectionError, ReadTimeout, ChunkedEncodingError) beside its
own, and the engine reports a port in use as a 500: nothing outside this folder should know that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests
import urllib3

from controller.errors import (
    EngineConflictError,
    EngineError,
    EngineNotFoundError,
    EngineUnreachableError,
)

_PORT_TAKEN = re.compile(
    r"port is already allocated|address already in use|failed to bind host port|"
    r"ports are not available",
    re.IGNORECASE,
)
_BOUND_PORT = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|\[::\]|[\d.]+|\*):(\d{1,5})")
_NAMESPACE_GONE = re.compile(
    r"cannot join (?:network|ipc|pid) .*container|joining \w+ namespace of", re.IGNORECASE
)
_COMMAND_MISSING = re.compile(
    r"executable file not found|no such file or directory|permission denied", re.IGNORECASE
)


class PortTakenError(EngineError):
    """Another process holds a port the container publishes. `port` where the engine named it."""

    def __init__(self, detail: str, port: int | None):
        super().__init__(detail, remedy="Free the port, or publish another one.")
        self.port = port


class ImageMissingError(EngineNotFoundError):
    """The declared image is not on this machine."""

    def __init__(self, image: str):
        super().__init__(
            f"the image {image} is not on this machine",
            remedy=f"Build it with `heal7 images build`, or fetch it with `docker pull {image}`.",
        )
        self.image = image


class NamespaceGoneError(EngineError):
    """The container shares a namespace with one that does not run: it must be made anew."""


class BadCommandError(EngineError):
    """The container's command cannot be run (missing or not executable)."""


def _explanation(error: docker.errors.APIError) -> str:
    said = error.explanation
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    return " ".join(str(said or error).split())


def _from_api(doing: str, error: docker.errors.APIError) -> EngineError:
    said = _explanation(error)
    status = error.status_code or 0
    if _PORT_TAKEN.search(said):
        found = _BOUND_PORT.search(said)
        return PortTakenError(said, int(found.group(1)) if found else None)
    if status == 404 and "no such image" in said.lower():
        return ImageMissingError(said.rsplit(": ", 1)[-1])
    if _NAMESPACE_GONE.search(said):
        return NamespaceGoneError(f"{doing}: {said}")
    if status == 404:
        return EngineNotFoundError(f"{doing}: {said}")
    if status in (409, 304):
        return EngineConflictError(f"{doing}: {said}")
    if status in (400, 500) and "exec" in said and _COMMAND_MISSING.search(said):
        return BadCommandError(said, remedy="Check the command and the entrypoint.")
    return EngineError(f"{doing}: {said}")


@contextmanager
def mapped_errors(doing: str) -> Iterator[None]:
    """Run engine calls inside; whatever breaks leaves as a `controller.errors.EngineError`.

    `doing` says what was tried, for the sentence people read.
    """
    try:
        yield
    except docker.errors.APIError as error:
        raise _from_api(doing, error) from error
    except (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        docker.errors.DockerException,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise EngineUnreachableError(
            f"{doing}: the engine did not answer ({type(error).__name__})",
            remedy="Check that Docker runs: `heal7 doctor` says what it sees.",
        ) from error
