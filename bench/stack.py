"""What the benchmarks share: the home stack's ports, a clock, a clean slate, and waiting.

Every contender is timed by the same loop: from the moment its command is given until the last of
the five services answers 200 on /health (or the last container is gone).
"""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import docker

ROOT = Path(__file__).resolve().parent.parent
COMPOSE_FILE = ROOT / "compose" / "compose.yaml"
PORTS = (8010, 8011, 8012, 8013, 8014)
HUB_PORT = 8015
_POLL_S = 0.02


def engine() -> docker.APIClient:
    """A connection to the engine for the bench's own looks and cleaning."""
    return docker.APIClient(version="auto", timeout=60)


def request(
    port: int, method: str, path: str, timeout_s: float = 120, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One HTTP exchange with loopback; status 0 where nothing answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def hub(method: str, path: str) -> Any:
    """A call to the hub; raises RuntimeError unless it answers 2xx."""
    status, body = request(HUB_PORT, method, path)
    if not 200 <= status < 300:
        raise RuntimeError(f"{method} {path}: {status} {body[:300]!r}")
    return json.loads(body)


def wait(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Poll until `condition` holds. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout_s} s")
        time.sleep(_POLL_S)


def wait_serving(timeout_s: float = 90) -> None:
    """Until all five services answer 200 on /health.

    One port after the other: whichever comes last decides anyway, and asking all five at every
    tick would take a third of a core from those who are starting.
    """
    for port in PORTS:
        wait(partial(_serves, port), timeout_s, f"an answer on port {port}")


def _serves(port: int) -> bool:
    return request(port, "GET", "/health", 1)[0] == 200


def clean_slate(api: docker.APIClient, project: str) -> None:
    """Remove the project's containers and networks; volumes stay, for everybody alike."""
    label = {"label": f"com.docker.compose.project={project}"}
    for row in api.containers(all=True, filters=label):
        api.remove_container(row["Id"], force=True)
    for network in api.networks(filters=label):
        api.remove_network(network["Id"])


def compose(project: str, *words: str) -> None:
    """Run Debian's docker-compose 1.29 on the same file."""
    command = ["docker-compose", "-p", project, "-f", str(COMPOSE_FILE), *words]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


def timed(work: Callable[[], None]) -> float:
    """Seconds that `work` took."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
