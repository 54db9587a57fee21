"""Runs the reader as a child process and turns whatever becomes of it into a reading or a fault."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from paperwork_service.limits import Limits
from paperwork_service.reading import Reading
from paperwork_service.sniff import DocumentError, Kind, broken, too_costly

_PACKAGES = str(Path(__file__).resolve().parent.parent)


class BusyError(Exception):
    """As many documents as may wait are waiting."""

    def __init__(self, waiting: int):
        super().__init__(f"{waiting} documents are waiting to be read, as many as may")


class Opener:
    """Opens at most `limits.at_once` documents at a time: memory is what is short."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.at_once)
        self._asked = 0

    async def read(self, kind: Kind, path: Path, *, ocr: bool = False) -> Reading:
        """Raises DocumentError, and BusyError when too many documents wait already.

        Once it is its turn a document never takes longer than the wall time of the limits.
        """
        if self._asked >= self._limits.at_once + self._limits.waiting:
            raise BusyError(self._limits.waiting)
        self._asked += 1
        try:
            async with self._slots:
                return await self._read(kind, path, ("ocr",) if ocr else ())
        finally:
            self._asked -= 1

    async def _read(self, kind: Kind, path: Path, operations: tuple[str, ...]) -> Reading:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "paperwork_service.reader", kind, str(path), *operations),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # it runs tesseract, which must not outlive it
        )
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                out, err = await child.communicate()
        except TimeoutError:
            raise too_costly(f"{self._limits.wall_seconds:g} s were not enough") from None
        finally:
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)
                await child.wait()
        return judge(child.returncode or 0, out, err)


def judge(returncode: int, out: bytes, err: bytes) -> Reading:
    """Pure: what the child's end means. Raises DocumentError, or RuntimeError for our own bug."""
    if returncode < 0:
        raise too_costly(f"the reader was stopped by signal {-returncode}")
    if returncode != 0:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        if "MemoryError" in last or "cannot allocate" in last.lower():
            raise too_costly("its memory limit was reached")
        if "RecursionError" in last:
            raise broken("it is nested too deeply")
        raise RuntimeError(f"the reader failed: {last[:300]}")
    answer = json.loads(out)
    if "fault" in answer:
        raise DocumentError(**answer["fault"])
    return Reading(**answer["reading"])


def _environment() -> dict[str, str]:
    """Only what the child needs: a document's parser has no business with our settings."""
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return {**keep, "PYTHONPATH": _PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"}
