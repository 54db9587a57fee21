"""The second engine that tests may end, kill and freeze, and whom the hub holds to have done it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import docker
import pytest

from controller import clock
from controller.engine import faults
from controller.engine.client import DockerEngine
from controller.engine.intent import Asked, asked_to_end, by_hand
from controller.errors import EngineUnreachableError
from controller.model.recovery import ByHand
from controller.model.rehearsal import Fault
from tests.integration.conftest import Ports
from tests.integration.it_engine import PROJECT, SERVICE, Witness
from tests.integration.it_second_engine import SecondEngine
from tests.integration.it_wait import eventually

IMAGE = "heal7/saju-service:0.1.0"
HUB_IMAGE = "heal7/hub:0.1.0"
NAME = "heal7-it-inner"


@pytest.fixture(scope="module")
def port(free_port: Ports) -> int:
    return free_port()


def _bridge(witness: Witness) -> object:
    """docker0 as the kernel and the machine's engine have it."""
    link = Path("/sys/class/net/docker0/ifindex").read_text()
    return link, witness.api.networks.get("bridge").attrs["Created"]


@pytest.fixture(scope="module")
def second(witness: Witness, port: int) -> Iterator[SecondEngine]:
    before = _bridge(witness)
    begun = clock.monotonic()
    with SecondEngine(witness, (port,)) as engine:
        assert clock.monotonic() - begun < 120  # the image is built where it is not there yet
        engine.load(IMAGE, HUB_IMAGE)
        yield engine
        name = engine.name
    assert _bridge(witness) == before
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{name}"))
    assert not witness.api.api.containers(all=True, filters={"name": name})
    assert not Path(engine.socket.removeprefix("unix://")).exists()


@pytest.fixture
def since(second: SecondEngine, port: int) -> datetime:
    """A service runs on a well inner engine; when it was begun."""
    if not second.running():
        second.start()
    second.witness.remove_containers(NAME)
    begun = clock.now()
    second.witness.api.containers.run(
        IMAGE,
        name=NAME,
        detach=True,
        init=True,
        user="10001:10001",
        tmpfs={"/data": "uid=10001"},
        labels={PROJECT: NAME, SERVICE: "saju"},
        ports={"8012/tcp": ("127.0.0.1", port)},
    )
    eventually(lambda: _answers(port), what="the service inside answers outside")
    return begun


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _status(second: SecondEngine) -> str:
    return str(second.witness.one(NAME, "saju")["State"]["Status"])


def _asked(second: SecondEngine, since: datetime) -> Asked:
    return asyncio.run(asked_to_end(NAME, "saju", since, second.socket, timeout_s=2))


def _verdict(second: SecondEngine, since: datetime) -> ByHand | None:
    found = second.witness.one(NAME, "saju")["Id"]
    return by_hand(_asked(second, since), found)


def test_a_person_stops_it_and_that_is_told(second: SecondEngine, since: datetime) -> None:
    assert _verdict(second, since) is None
    second.witness.api.containers.get(NAME).stop()
    eventually(lambda: _verdict(second, since) is ByHand.STOPPED)


def test_a_daemon_that_stops_is_no_person(second: SecondEngine, since: datetime, port: int) -> None:
    second.term()
    assert not second.answers()
    assert not _answers(port)
    with pytest.raises(EngineUnreachableError):
        _asked(second, since)
    second.start()
    assert _status(second) == "exited"
    assert _verdict(second, since) is None


def test_a_daemon_that_cleans_up_after_a_killed_one_is_no_person(
    second: SecondEngine, since: datetime, port: int
) -> None:
    """The next daemon stops what it finds running, before it answers: see its own events."""
    second.kill()
    with pytest.raises(EngineUnreachableError):
        _asked(second, since)
    second.start()
    assert _status(second) == "exited"
    # The client cuts both to whole seconds, and what just happened must not be cut off.
    until = clock.now() + timedelta(seconds=1)
    ring = list(second.witness.api.api.events(since=since, until=until, decode=True))
    assert {"kill", "stop"} <= {event["Action"] for event in ring}
    assert _verdict(second, since) is None
    second.witness.api.containers.get(NAME).start()
    eventually(lambda: _answers(port))


def test_a_frozen_daemon_is_unreachable_and_its_containers_go_on(
    second: SecondEngine, since: datetime, port: int
) -> None:
    second.freeze()
    try:
        assert second.running()
        assert not second.answers()
        assert _answers(port)
        begun = clock.monotonic()
        with pytest.raises(EngineUnreachableError):
            _asked(second, since)
        assert clock.monotonic() - begun < 5
    finally:
        second.thaw()
    eventually(second.answers)
    assert _status(second) == "running"


def test_a_program_inside_sees_its_loopback(
    second: SecondEngine, since: datetime, port: int
) -> None:
    """Outside, the machine's engine accepts for what is not there; inside it is refused."""
    look = [*second.inside, sys.executable, "-c", _CONNECT, str(port)]
    assert subprocess.run(look, check=True, capture_output=True).stdout == b"accepted\n"
    second.witness.api.containers.get(NAME).stop()
    assert subprocess.run(look, check=True, capture_output=True).stdout == b"refused\n"
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        assert not _answers(port)


_CONNECT = """
import socket, sys
code = socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1])))
print("refused" if code else "accepted")
"""


def test_faults_work_on_another_engine_too(
    second: SecondEngine, since: datetime, port: int
) -> None:
    engine = DockerEngine(second.socket)
    try:
        found = second.witness.one(NAME, "saju")["Id"]
        injection = faults.inject(engine, found, Fault.HANG, HUB_IMAGE, 60, 1)
        assert not _answers(port)
        faults.undo(engine, injection)
        assert _answers(port)
    finally:
        engine.close()


def test_what_cannot_start_leaves_nothing(witness: Witness, port: int) -> None:
    """The port is taken (by the engine of this module), so the container cannot start."""
    engine = SecondEngine(witness, (port,))
    with pytest.raises(docker.errors.APIError), engine:
        raise AssertionError("it started")
    with pytest.raises(docker.errors.NotFound):
        witness.api.containers.get(engine.name)
