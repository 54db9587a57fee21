"""Until when the certificates of an engine that is reached over TLS are good.

An engine whose certificate has expired cannot be reached from one second to the next, and nothing
that restarts heals that; so it has to be told before.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

_TIMEOUT_S = 3.0
_PORT = 2376


def expires_at(environment: Mapping[str, str]) -> datetime | None:
    """The earliest end among the engine's certificate and its authority's; None where the engine
    is not reached over TLS, or nothing can be said. Blocks."""
    host = environment.get("DOCKER_HOST", "")
    verify = environment.get("DOCKER_TLS_VERIFY", "")
    if not verify or not host.startswith(("tcp://", "https://")):
        return None
    folder = Path(environment.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        return _earliest(host, folder)
    except (OSError, ValueError) as error:
        # An engine that does not answer, also because of its certificate, is told of elsewhere.
        log.debug("the engine's certificate cannot be looked at: %s", error)
        return None


def _earliest(host: str, folder: Path) -> datetime | None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    # docker-py verifies the authority and not the name either, where it is an address.
    context.check_hostname = False
    parts = urlsplit(host)
    address = (parts.hostname or "localhost", parts.port or _PORT)
    with (
        socket.create_connection(address, _TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as secure,
    ):
        shown: list[Any] = [secure.getpeercert(), *context.get_ca_certs()]
    ends = [ssl.cert_time_to_seconds(one["notAfter"]) for one in shown if one and "notAfter" in one]
    return datetime.fromtimestamp(min(ends), UTC) if ends else None
