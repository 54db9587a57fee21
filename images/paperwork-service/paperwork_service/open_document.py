"""Runs reader and writer as child processes and turns whatever becomes of them into an answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from paperwork_service.limits import Limits
from paperwork_service.paper import Paper, to_json
from paperwork_service.reading import Reading
from paperwork_service.sniff import DocumentError, Kind, broken, too_costly

_PACKAGES = str(Path(__file__).resolve().parent.parent)


class BusyError(Exception):
    """As many documents as may wait are waiting."""

    def __init__(self, waiting: int):
        super().__init__(f"{waiting} documents are waiting to be read, as many as may")


class Opener:
    """Reads or writes at most `limits.at_once` documents at a time: memory is what is short."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.at_once)
        self._asked = 0

    async def read(self, kind: Kind, path: Path, *, ocr: bool = False) -> Reading:
        """Raises DocumentError, and BusyError when too many wait already.

        Once it is its turn a document never takes longer than the wall time of the limits.
        """
        operations = ("ocr",) if ocr else ()
        out = await self._run("paperwork_service.reader", kind, str(path), *operations)
        return Reading(**told(out)["reading"])

    async def write(self, paper: Paper, form: str) -> tuple[bytes, int | None]:
        """The file and its number of pages, if its format has any. Raises as `read` does."""
        given = json.dumps(to_json(paper)).encode()
        out = await self._run("paperwork_service.writer", form, given=given)
        line, _, data = out.partition(b"\n")
        return data, told(line)["pages"]

    async def _run(self, module: str, *arguments: str, given: bytes = b"") -> bytes:
        if self._asked >= self._limits.at_once + self._limits.waiting:
            raise BusyError(self._limits.waiting)
        self._asked += 1
        try:
            async with self._slots:
                return await self._run_now(module, arguments, given)
        finally:
            self._asked -= 1

    async def _run_now(self, module: str, arguments: tuple[str, ...], given: bytes) -> bytes:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # it runs tesseract, which must not outlive it
        )
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                out, err = await child.communicate(given)
        except TimeoutError:
            raise too_costly(f"{self._limits.wall_seconds:g} s were not enough") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        judge(child.returncode or 0, err)
        return out


def judge(returncode: int, err: bytes) -> None:
    """Pure: what the child's end means. Raises DocumentError, or RuntimeError for our own bug."""
    if returncode < 0:
        raise too_costly(f"its process was stopped by signal {-returncode}")
    if returncode != 0:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        if "MemoryError" in last or "cannot allocate" in last.lower():
            raise too_costly("its memory limit was reached")
        if "RecursionError" in last:
            raise broken("it is nested too deeply")
        raise RuntimeError(f"the child process failed: {last[:300]}")


def told(line: bytes) -> dict[str, Any]:
    """Pure: the answer of a child that ended well. Raises DocumentError where it is a fault."""
    answer: dict[str, Any] = json.loads(line)
    if "fault" in answer:
        raise DocumentError(**answer["fault"])
    return answer


def _environment() -> dict[str, str]:
    """Only what the child needs: a document's parser has no business with our settings."""
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return {**keep, "PYTHONPATH": _PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"}
