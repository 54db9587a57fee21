"""The journal's file when its disk is full, it is locked, or its folder is gone or cannot be made.

What was acknowledged is kept and ends once the fault is over; what is new is refused with a reason,
and no trace of it is left. A hub that is killed or started amid the fault is no exception.
"""

from __future__ import annotations

import asyncio
import os
import random  # noqa: TID251 - seeded
import resource
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.model.run import RunStatus
from tests.crash import flow
from tests.crash.campaign import Scene, scene
from tests.crash.client import Clients, Json
from tests.crash.invariants import violations
from tests.crash.process import Worker
from tests.crash.stores import SqliteStore

_RUNS = 6
_LIMIT_S = 60.0
_KEPT_FREE = 4096
_ROOM = "2m"


@dataclass(slots=True)
class Hub:
    """A hub over a file, its clients, and the service whose steps it asks."""

    place: Scene
    clients: Clients
    process: Worker | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    async def start(self) -> None:
        self.process = await self.place.hub()
        await self.process.says("warm")
        self.process.go()
        await self.process.says("listening")

    async def kill9(self) -> None:
        assert self.process is not None
        await self.process.close()

    async def well(self) -> None:
        await self.clients.until(lambda state: state["problem"] is None, "the journal is well")

    async def in_trouble(self, word: str) -> None:
        """Until it says so of itself."""

        def says(state: Json) -> bool:
            return word in (state["problem"] or "")

        await self.clients.until(says, f"the hub says {word!r}")

    async def begin_gated(self) -> None:
        """Runs whose first step waits until `open_gate`, every one of them acknowledged."""
        for number in range(_RUNS):
            made = flow.errand(number, self.chance, fails=number % 3 == 0, gated=True)
            self.clients.begin(made)
        await self.clients.until(lambda state: state["live"] == _RUNS, "all are under way")

    async def open_gate(self) -> None:
        address = f"http://127.0.0.1:{self.place.service_port}/gate"
        async with self.place.session.post(address) as answer:
            assert answer.status == 200

    async def refused(self, status: int, word: str) -> None:
        """One more run is refused, with this reason and a remedy."""
        new = flow.errand(999, self.chance, fails=False)
        answered, body = await self.clients.ask("POST", "/runs", new.key, new.given)
        assert (answered, word in body["detail"]) == (status, True), body
        assert body["remedy"]

    async def all_end(self) -> None:
        """Every acknowledged run ends as it must, and the refused one left nothing behind."""
        async with asyncio.timeout(_LIMIT_S):
            ended = await self.clients.ended()
        await self.clients.until(lambda state: state["live"] == 0, "nothing is under way")
        await self.well()
        await self.kill9()
        stored = await self.place.journal()
        assert violations(ended, stored, await self.place.record(), kills=1) == []
        statuses = {one.status for one in ended}
        assert statuses == {RunStatus.SUCCEEDED, RunStatus.COMPENSATED}
        assert len(stored) == _RUNS


@asynccontextmanager
async def hub_over(file: Path, logs: Path) -> AsyncIterator[Hub]:
    async with scene(SqliteStore(file), logs) as place:
        made = Hub(place, Clients(place.port, place.session))
        try:
            yield made
        finally:
            made.clients.close()
            if made.process is not None:
                await made.process.close()


# A full disk


class FullDisk:
    """A small file system of our own, filled to the last page."""

    status, word = 507, "full"

    def __init__(self, folder: Path):
        self._ballast = folder / "ballast"

    def begin(self, pid: int) -> None:
        with self._ballast.open("wb", buffering=0) as ballast:
            for size in (65536, _KEPT_FREE, 1):
                try:
                    while True:
                        ballast.write(b"x" * size)
                except OSError:
                    continue

    def end(self, pid: int) -> None:
        self._ballast.unlink()


class FileLimit:
    """No file of the hub may grow: what a disk quota does."""

    status, word = 503, "disk I/O error"

    def __init__(self, folder: Path):
        self._before = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    def begin(self, pid: int) -> None:
        self._before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, self._before[1]))

    def end(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, self._before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("kind", [FullDisk, FileLimit])
async def test_a_full_disk_keeps_what_was_acknowledged_and_refuses_what_is_new(
    kind: type[FullDisk] | type[FileLimit], small_disk: Path, tmp_path: Path
) -> None:
    fault = kind(small_disk)
    async with hub_over(small_disk / "runs.sqlite3", tmp_path) as hub:
        await hub.start()
        await hub.begin_gated()
        assert hub.process is not None
        fault.begin(hub.process.pid)
        await hub.open_gate()
        await hub.in_trouble(fault.word)
        await hub.refused(fault.status, fault.word)
        fault.end(hub.process.pid)
        await hub.all_end()


async def test_a_hub_killed_and_started_on_a_full_disk_waits_for_room(
    small_disk: Path, tmp_path: Path
) -> None:
    fault = FullDisk(small_disk)
    async with hub_over(small_disk / "runs.sqlite3", tmp_path) as hub:
        await hub.start()
        await hub.begin_gated()
        assert hub.process is not None
        fault.begin(hub.process.pid)
        await hub.open_gate()
        await hub.in_trouble(fault.word)
        await hub.kill9()
        await hub.start()
        await hub.in_trouble(fault.word)
        await hub.refused(fault.status, fault.word)
        fault.end(0)
        await hub.all_end()


# A locked file


class Lock:
    """Somebody else's transaction, which nobody ends."""

    def __init__(self, file: Path):
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("BEGIN EXCLUSIVE")

    def end(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


async def test_a_locked_file_stops_runs_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite3"
    async with hub_over(file, tmp_path) as hub:
        await hub.start()
        await hub.begin_gated()
        lock = Lock(file)
        await hub.open_gate()
        await hub.in_trouble("locked")
        await hub.refused(503, "locked")
        lock.end()
        await hub.all_end()


async def test_a_hub_started_on_a_locked_file_goes_on_when_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite3"
    async with hub_over(file, tmp_path) as hub:
        await hub.start()
        await hub.begin_gated()
        await hub.kill9()
        lock = Lock(file)
        await hub.open_gate()
        await hub.start()
        await hub.in_trouble("locked")
        await hub.refused(503, "locked")
        lock.end()
        await hub.all_end()


# A folder that is gone


async def test_a_folder_that_is_moved_away_under_the_hub_is_missed(tmp_path: Path) -> None:
    home, away = tmp_path / "state", tmp_path / "elsewhere"
    async with hub_over(home / "runs.sqlite3", tmp_path) as hub:
        await hub.start()
        await hub.begin_gated()
        home.rename(away)
        await hub.open_gate()
        await hub.in_trouble("is gone")
        await hub.refused(503, "state")
        away.rename(home)
        await hub.all_end()


def nothing_there(home: Path) -> Callable[[], None]:
    """Its place is taken by a file."""
    home.write_text("no folder")
    return home.unlink


def not_writable(home: Path) -> Callable[[], None]:
    """It is there, and nobody may write to it: root too, as little as on a read-only disk."""
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(home)], check=True)
    return lambda: subprocess.run(["umount", str(home)], check=True) and None


@pytest.mark.parametrize("begin", [nothing_there, not_writable])
async def test_a_hub_that_cannot_make_its_file_says_so_and_tries_again(
    begin: Callable[[Path], Callable[[], None]], tmp_path: Path
) -> None:
    home = tmp_path / "state"
    if begin is not_writable and os.geteuid() != 0:
        pytest.skip("only root can mount")
    end = begin(home)
    async with hub_over(home / "runs.sqlite3", tmp_path) as hub:
        await hub.start()
        await hub.in_trouble("runs.sqlite3")
        await hub.refused(503, "runs.sqlite3")
        end()
        await hub.well()
        await hub.begin_gated()
        await hub.open_gate()
        await hub.all_end()
