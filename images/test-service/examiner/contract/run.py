"""Starts the child of a test run, follows what it says, and ends it when its time is over.

One run at a time: two would share the memory of one container and shake each other's figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from examiner.contract.plan import Plan

_PACKAGES = str(Path(__file__).resolve().parents[2])
_TABLES = "HYPOTHESIS_STORAGE_DIRECTORY"
_GRACE_SECONDS = 15.0
_LINE_BYTES = 16 << 20
Snapshot = dict[str, Any]
Tell = Callable[[Snapshot], Awaitable[None]]


class BusyError(Exception):
    """Another run is under way; `report_id` is its report."""

    def __init__(self, report_id: str):
        super().__init__(report_id)
        self.report_id = report_id


@dataclass(slots=True)
class Runs:
    """The one run that may be under way."""

    _current: str | None = None
    _child: asyncio.subprocess.Process | None = None
    _stopped: set[str] = field(default_factory=set)

    @property
    def current(self) -> str | None:
        """The report of the run under way."""
        return self._current

    def claim(self, report_id: str) -> None:
        """Takes the place. Raises BusyError; `release` gives it back."""
        if self._current is not None:
            raise BusyError(self._current)
        self._current = report_id

    def release(self, report_id: str) -> None:
        """Gives the place back."""
        if self._current == report_id:
            self._current = None
            self._stopped.discard(report_id)

    def stop(self, report_id: str) -> None:
        """Ends a run at once, if it is the one under way."""
        if self._current == report_id:
            self._stopped.add(report_id)
            if self._child is not None and self._child.returncode is None:
                self._child.kill()

    async def follow(self, plan: Plan, tell: Tell) -> Snapshot:
        """The last snapshot of the run; `tell` is awaited with those before. Never raises for what
        the child does: `stopped_by` says it."""
        with tempfile.TemporaryDirectory(prefix="contract-") as folder:
            return await self._follow(plan, tell, folder)

    async def _follow(self, plan: Plan, tell: Tell, folder: str) -> Snapshot:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examiner.contract.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(folder),
            cwd=folder,
            limit=_LINE_BYTES,
        )
        self._child = child
        if plan.report_id in self._stopped:
            child.kill()
        heard: list[Snapshot] = [{}]
        errors = asyncio.create_task(_tail(child.stderr))
        late = False
        try:
            async with asyncio.timeout(plan.time_limit_s + _GRACE_SECONDS):
                await self._listen(child, plan, tell, heard)
        except TimeoutError:
            late = True
        finally:
            if child.returncode is None:
                child.kill()
            code = await child.wait()
            self._child = None
            said = await errors
        last = heard[-1]
        if last.get("done"):
            return last
        stopped = plan.report_id in self._stopped
        return {**last, "stopped_by": _cause(stopped, late, code), "child": said}

    async def _listen(
        self, child: asyncio.subprocess.Process, plan: Plan, tell: Tell, heard: list[Snapshot]
    ) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(asdict(plan)).encode())
            await child.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            child.stdin.close()
        async for line in child.stdout:
            heard[:] = [json.loads(line)]
            if not heard[-1].get("done"):
                await tell(heard[-1])


def _cause(stopped: bool, late: bool, code: int) -> str:
    """Pure: why a child that did not finish is gone."""
    if stopped:
        return "cancelled"
    if late:
        return "time_limit"
    return "memory_limit" if code == -9 else "crash"


async def _tail(stream: asyncio.StreamReader | None) -> str:
    """The end of what the child wrote to stderr; all of it is read, so that it never blocks."""
    assert stream is not None
    kept = b""
    while block := await stream.read(65_536):
        kept = (kept + block)[-4_000:]
    return kept.decode(errors="replace")


def _environment(folder: str) -> dict[str, str]:
    """Only what the child needs, and a folder of its own for what libraries leave behind."""
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    beside = [path for path in sys.path if path and path != _PACKAGES]
    tables = os.environ.get(_TABLES) or str(Path(tempfile.gettempdir()) / "heal7-characters")
    return {
        **keep,
        _TABLES: tables,
        # The engine's threads take turns, so an arena for each would only be memory.
        "MALLOC_ARENA_MAX": "1",
        "HOME": folder,
        "PYTHONPATH": os.pathsep.join([_PACKAGES, *beside]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
