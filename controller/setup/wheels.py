"""Downloads what the images need of Python, on the host, before any image is built.

The host's pip knows its index, its proxy and its private CA; a build container knows none of them.
So builds get the files and need neither network nor certificates, and the download runs beside the
making of the base image.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from controller.engine.images import Say
from controller.setup import cache, system
from controller.setup.progress import Board

_PYTHON = "3.13"
_ABIS = ("cp313", "abi3", "none")
_GLIBC = range(41, 16, -1)  # trixie's glibc is 2.41; wheels of any older one run on it
_ANY_ARCHITECTURE = ("manylinux2014",)
_AT_ONCE = 2
_OLD_X86 = ("manylinux_2_12", "manylinux_2_5", "manylinux2010", "manylinux1")


def platforms(machine: str) -> tuple[str, ...]:
    """Wheel platform tags that run in the images, best first. `machine` as in `uname -m`."""
    names = [f"manylinux_2_{minor}" for minor in _GLIBC] + list(_ANY_ARCHITECTURE)
    if machine == "x86_64":
        names += _OLD_X86
    return tuple(f"{name}_{machine}" for name in names)


def cached(lock: Path, machine: str) -> Path:
    """The folder for the wheels of `lock`; its name changes with every change of the lock."""
    digest = hashlib.sha256(lock.read_bytes() + machine.encode() + _PYTHON.encode()).hexdigest()
    return cache.root("wheels") / digest[:16]


def fetch(lock: Path, machine: str, say: Say) -> dict[str, Path]:
    """The wheels of a lock file as `file name → path`, downloaded unless they are here.

    Raises SetupError naming pip's complaint.
    """
    folder = cached(lock, machine)
    cache.fill(folder, lambda work: _download(lock, machine, work, say))
    return {wheel.name: wheel for wheel in sorted(folder.glob("*.whl"))}


class WheelStore:
    """Fetches the wheels of several locks side by side; whoever needs some waits for those only."""

    def __init__(self, machine: str):
        self._machine = machine
        self._lock = threading.Lock()
        self._futures: dict[Path, Future[dict[str, Path]]] = {}

    def prefetch(self, locks: Iterable[Path], pool: ThreadPoolExecutor, board: Board) -> None:
        """Begin to fetch what is not here yet, as one phase on the board. Answers at once."""
        with self._lock:
            new = [lock for lock in locks if lock not in self._futures]
            new = [lock for lock in new if not cached(lock, self._machine).is_dir()]
            self._futures |= {lock: Future() for lock in new}
        if new:
            pool.submit(self._fetch_all, new, board)

    def get(self, lock: Path, say: Say) -> dict[str, Path]:
        """The wheels of `lock`, when they are here. Raises SetupError where they cannot be had."""
        with self._lock:
            future = self._futures.get(lock)
        return fetch(lock, self._machine, say) if future is None else future.result()

    def _fetch_all(self, locks: list[Path], board: Board) -> None:
        with (
            board.phase("wheels") as phase,
            ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="wheels") as pool,
        ):
            for lock in locks:
                pool.submit(self._fetch_one, lock, phase.say)

    def _fetch_one(self, lock: Path, say: Say) -> None:
        future = self._futures[lock]
        try:
            future.set_result(fetch(lock, self._machine, say))
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits for the wheels
            future.set_exception(error)


def _download(lock: Path, machine: str, folder: Path, say: Say) -> None:
    targets = [option for name in platforms(machine) for option in ("--platform", name)]
    abis = [option for name in _ABIS for option in ("--abi", name)]
    system.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar=off",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--implementation=cp",
            f"--python-version={_PYTHON}",
            *abis,
            *targets,
            "--dest",
            str(folder),
            "--requirement",
            str(lock),
        ],
        say,
        doing=f"download the wheels of {lock.parent.name}/{lock.name}",
        remedy="See whether pip reaches its package index (`pip config list`, proxy, CA).",
    )
