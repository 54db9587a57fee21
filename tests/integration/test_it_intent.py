"""Each way to end a container on the real engine, and what the engine then remembers of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.models.containers import Container as DockerContainer

from controller import clock
from controller.engine.client import DockerEngine
from controller.engine.intent import Asked, Signs, asked_to_end, by_hand
from controller.errors import EngineConflictError
from controller.model.recovery import ByHand
from tests.integration.it_engine import PROJECT, SERVICE, Witness
from tests.integration.it_stack import PYTHON
from tests.integration.it_wait import eventually

_UP = "print('up', flush=True)\n"
HEEDS = (
    "import os, signal, threading\n"
    "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n" + _UP + "threading.Event().wait()\n"
)
IGNORES = (
    "import signal, threading\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _UP + "threading.Event().wait()\n"
)
ENDS = _UP + "raise SystemExit(3)\n"
GREEDY = _UP + "held = []\nwhile True:\n    held.append(bytearray(b'x' * 10_000_000))\n"


@dataclass(frozen=True, slots=True)
class Target:
    """One container of one service, and the moment before it was started."""

    engine: DockerEngine
    witness: Witness
    project: str
    service: str
    id: str
    since: datetime

    def asked(self) -> Asked:
        return asyncio.run(asked_to_end(self.project, self.service, self.since))

    def signs(self) -> Signs:
        return self.asked().of(self.id)

    @property
    def docker(self) -> DockerContainer:
        """What a person beside the hub would use."""
        return self.witness.api.containers.get(self.id)

    def strike(self, number: int) -> None:
        pid = self.witness.api.api.inspect_container(self.id)["State"]["Pid"]
        os.kill(pid, number)

    def ended(self) -> None:
        self.witness.api.api.wait(self.id, timeout=30)


Make = Callable[..., Target]


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    found = DockerEngine()
    yield found
    found.close()


@pytest.fixture(scope="module")
def project(witness: Witness) -> Iterator[str]:
    name = f"heal7-it-{os.getpid()}-intent"
    yield name
    witness.sweep(name)


@pytest.fixture
def make(witness: Witness, engine: DockerEngine, image: str, project: str) -> Iterator[Make]:
    api = witness.api.api
    service = clock.new_id("service")

    def build(program: str, **host: Any) -> Target:
        made = api.create_container(
            image,
            command=[PYTHON, "-uc", program],
            labels={PROJECT: project, SERVICE: service},
            host_config=api.create_host_config(**host),
        )["Id"]
        since = clock.now()
        api.start(made)
        eventually(lambda: b"up" in api.logs(made), what="the program runs")
        return Target(engine, witness, project, service, made, since)

    yield build
    witness.remove_containers(project)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to end a container: what is done, what the engine remembers, what it means."""

    name: str
    act: Callable[[Target], object]
    verdict: ByHand | None
    program: str = HEEDS
    terms: int = 0
    kills: int = 0
    stopped: bool = False
    destroyed: bool = False
    died: bool = True
    memory: str | None = None

    @property
    def remembered(self) -> tuple[int, int, bool, bool, bool]:
        return self.terms, self.kills, self.stopped, self.destroyed, self.died


def _restart_then_crash(target: Target) -> None:
    target.docker.restart()
    eventually(lambda: not target.signs().stopped, what="the new life is told")
    target.strike(signal.SIGKILL)


WAYS = (
    Way("kill -9 of PID 1", lambda t: t.strike(signal.SIGKILL), None),
    Way("kill -15 of PID 1", lambda t: t.strike(signal.SIGTERM), None),
    Way("exit by itself", Target.ended, None, ENDS),
    Way("out of memory", Target.ended, None, GREEDY, memory="64m"),
    Way("kill", lambda t: t.docker.kill(), None, kills=1),
    Way("kill TERM", lambda t: t.docker.kill("SIGTERM"), ByHand.STOPPED, terms=1),
    Way("kill HUP", lambda t: t.docker.kill("SIGHUP"), None, died=False),
    Way("stop", lambda t: t.docker.stop(), ByHand.STOPPED, terms=1, stopped=True),
    Way(
        "stop of one that ignores it",
        lambda t: t.docker.stop(timeout=1),
        ByHand.STOPPED,
        IGNORES,
        terms=1,
        kills=1,
        stopped=True,
    ),
    Way(
        "stop at once",
        lambda t: t.docker.stop(timeout=0),
        ByHand.STOPPED,
        IGNORES,
        terms=1,
        kills=1,
        stopped=True,
    ),
    Way("rm -f", lambda t: t.docker.remove(force=True), ByHand.REMOVED, kills=1, destroyed=True),
    Way("pause", lambda t: t.docker.pause(), None, died=False),
    Way("restart", lambda t: t.docker.restart(), None, died=False),
    Way("restart, then a crash", _restart_then_crash, None),
    Way("our own stop", lambda t: t.engine.stop(t.id, 3), ByHand.STOPPED, terms=1, stopped=True),
    Way("our own kill", lambda t: t.engine.kill(t.id), None, kills=1),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_what_the_engine_remembers(make: Make, way: Way) -> None:
    host = {"mem_limit": way.memory} if way.memory else {}
    target = make(way.program, **host)
    way.act(target)

    def as_remembered() -> bool:
        signs = target.signs()
        died = signs.died_at is not None
        found = (signs.terms, signs.kills, signs.stopped, signs.destroyed, died)
        assert found == way.remembered, found
        return True

    eventually(as_remembered, what=way.name)
    assert by_hand(target.asked(), target.id) is way.verdict


def test_a_stop_is_told_from_a_crash_at_the_first_notice_of_death(make: Make) -> None:
    """The signal is remembered before the process ends: nothing has to be waited for."""
    target = make(HEEDS)
    with ThreadPoolExecutor(1) as person:
        person.submit(target.docker.stop)
        eventually(lambda: target.signs().died_at, what="the death is told")
        assert by_hand(target.asked(), target.id) is ByHand.STOPPED


def test_nothing_of_the_last_moment_is_missed(make: Make) -> None:
    """The engine answers a kill after it remembered it; asked at once, it must be there."""
    target = make(IGNORES)
    for sent in range(1, 21):
        target.engine.kill(target.id, "SIGTERM")
        assert target.signs().terms == sent


def test_a_stop_says_whether_it_was_ours(make: Make) -> None:
    target = make(HEEDS)
    assert target.engine.stop(target.id, 3) is True
    assert by_hand(target.asked(), target.id, own_terms=1) is None
    assert target.engine.stop(target.id, 3) is False
    with pytest.raises(EngineConflictError):
        target.engine.kill(target.id)


def test_the_processes_of_a_container_by_the_hosts_ids(make: Make) -> None:
    target = make("import os\nos.fork()\n" + HEEDS, init=True)
    pids = target.engine.top_pids(target.id)
    assert len(pids) == 3
    for pid in pids:
        assert target.id in Path(f"/proc/{pid}/cgroup").read_text()


def test_output_up_to_a_moment(make: Make) -> None:
    """What was said before the end is found below much that was said after it."""
    target = make(
        "import time\n"
        "print('before', time.time(), flush=True)\n"
        "time.sleep(0.2)\n"
        "for n in range(200):\n    print('after', n)\n" + HEEDS
    )
    assert target.engine.log_tail(target.id, 2).splitlines() == ["after 199", "up"]
    (line,) = target.engine.log_tail(target.id, 5, until=_middle(target)).splitlines()
    assert line.startswith("before ")


def _middle(target: Target) -> datetime:
    said = target.witness.api.api.logs(target.id).decode().split()[1]
    return datetime.fromtimestamp(float(said) + 0.1, UTC)


COMPOSE_WAYS = {
    "stop": (["stop", "-t", "3"], ByHand.STOPPED),
    "kill": (["kill"], None),
    "down": (["down", "-t", "3"], ByHand.REMOVED),
}


@pytest.mark.parametrize("command", COMPOSE_WAYS)
def test_compose_tools(
    engine: DockerEngine, witness: Witness, image: str, tmp_path: Path, command: str
) -> None:
    words, verdict = COMPOSE_WAYS[command]
    project = f"heal7-it-{os.getpid()}-compose-{command}"
    web = {"image": image, "command": [PYTHON, "-uc", HEEDS], "network_mode": "none"}
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump({"services": {"web": web}}))
    try:
        _compose(project, tmp_path, "up", "-d")
        found = witness.one(project, "web")["Id"]
        eventually(lambda: b"up" in witness.api.api.logs(found), what="the program runs")
        target = Target(engine, witness, project, "web", found, clock.now())
        _compose(project, tmp_path, *words)
        eventually(lambda: target.signs().died_at)
        assert by_hand(target.asked(), found) is verdict
    finally:
        witness.sweep(project)


def _compose(project: str, folder: Path, *words: str) -> None:
    subprocess.run(
        ["docker-compose", "-p", project, *words],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
