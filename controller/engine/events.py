"""The engine's event stream, read without a thread.

Events only *wake*: the name of the service that changed is all that leaves this module, and what
is true is looked up afterwards. The stream ends silently when the daemon stops, so its reader must
subscribe again and then list; `controller.orchestrator.loop` does both.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import aiohttp

from controller.engine.inspect import LABEL_PROJECT, LABEL_SERVICE, container_number
from controller.errors import EngineUnreachableError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_NOISE = ("exec_", "top", "attach", "resize", "export", "archive-path", "extract-to-dir")


async def service_events(
    project: str, subscribed: Callable[[], None], base_url: str | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Services of `project` whose containers changed, as it happens: name and container number.

    `subscribed` is called once the engine has accepted the subscription: list then, not before.
    Ends when the engine closes the stream. Raises EngineUnreachableError when it cannot be opened
    or breaks.
    """
    connector, url = where(base_url or os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET)
    filters = json.dumps({"type": ["container"], "label": [f"{LABEL_PROJECT}={project}"]})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"{url}/events", params={"filters": filters}) as answer,
        ):
            answer.raise_for_status()
            subscribed()
            async for line in answer.content:
                service = _service_of(line)
                if service is not None:
                    yield service
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise EngineUnreachableError(
            f"following the engine's events: {type(error).__name__}: {error}"
        ) from error


def _service_of(line: bytes) -> tuple[str, int] | None:
    event = json.loads(line)
    if str(event.get("Action", "")).startswith(_NOISE):
        return None
    labels = event.get("Actor", {}).get("Attributes", {})
    if LABEL_SERVICE not in labels:
        return None
    return labels[LABEL_SERVICE], container_number(labels)


def where(
    base_url: str, *, force_close: bool = False, limit: int = 100
) -> tuple[aiohttp.BaseConnector, str]:
    """A connector to the engine at a DOCKER_HOST address, and the address to ask it at. `limit` is
    how many connections there may be, 0 for any number."""
    parts = urlsplit(base_url)
    if parts.scheme in ("unix", "http+unix"):
        return (
            aiohttp.UnixConnector(parts.path, force_close=force_close, limit=limit),
            "http://engine",
        )
    return aiohttp.TCPConnector(force_close=force_close, limit=limit), f"http://{parts.netloc}"
