"""A process of ours: what it says, when it ends, and that it never outlives who started it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
_START_S = 60.0
_END_S = 20.0


def end_with_input() -> None:
    """End this process when whoever holds its standard input is gone."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


class Worker:
    """`python -m MODULE WORDS…`, its errors kept in `log`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path):
        self._process = process
        self.log = log

    @classmethod
    async def begin(
        cls, module: str, *words: object, log: Path, environment: Mapping[str, str] | None = None
    ) -> Self:
        ours = {k: v for k, v in os.environ.items() if not k.startswith("HEAL7")}
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *map(str, words)),
                cwd=ROOT,
                env={**ours, **(environment or {})},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def says(self, word: str) -> None:
        """Wait until it says so. Raises AssertionError where it ends, or takes too long."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_S):
            raw = await self._process.stdout.readline()
        assert raw.decode().strip() == word, f"{word} was not said: {self.tail()}"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    @property
    def died(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Its status when it has ended."""
        return await self._process.wait()

    def kill9(self) -> None:
        self._process.send_signal(signal.SIGKILL)

    async def close(self) -> None:
        if not self.died:
            self.kill9()
        async with asyncio.timeout(_END_S):
            await self._process.wait()

    def tail(self) -> str:
        return self.log.read_text()[-3000:]
