"""Reads pages in a process of its own: strangers' HTML goes through parsers written in C.

A page that makes a parser run for ever, eat memory or crash costs its own reading and nothing else.
The child is started with the first page, serves all crawls one page at a time, and ends with the
last of them, so that an idle crawler holds neither it nor the libraries it loads.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from crawling_service.limits import Limits
from crawling_service.page import Page, read_page
from crawling_service.tables import Table

_LINE_BYTES = 64 << 20
_START_S = 60.0  # a machine that is this busy still gets its pages read


class UnreadableError(Exception):
    """The page could not be read. `reason` is a code, `detail` a sentence."""

    reason = "unreadable"

    def __init__(self, detail: str):
        super().__init__(detail)
        self.detail = detail


class Reader(Protocol):
    """What makes a page of bytes. Raises UnreadableError."""

    async def read(self, body: bytes, content_type: str, url: str) -> Page: ...


class DirectReader:
    """Reads in a thread of this process, without the main-text library: for what is trusted."""

    def __init__(self, limits: Limits):
        self._limits = limits

    async def read(self, body: bytes, content_type: str, url: str) -> Page:
        return await asyncio.to_thread(
            read_page,
            body,
            content_type,
            url,
            max_links=self._limits.links_per_page,
            max_rows=self._limits.table_rows,
        )


class ChildReader:
    """The child process, started when needed; a page it fails at twice is unreadable."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._turn = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._users = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChildReader]:
        """Keeps the child for as long as somebody is inside."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users:
                await self._end()

    async def read(self, body: bytes, content_type: str, url: str) -> Page:
        """First with the main-text library; where that is too much for the child, without."""
        async with self._turn:
            why = ""
            for plain in (False, True):
                limit_s = _START_S
                try:
                    async with asyncio.timeout(limit_s) as limit:
                        child = await self._running()
                        limit_s = self._limits.read_s  # the page is not to blame for the start
                        limit.reschedule(asyncio.get_running_loop().time() + limit_s)
                        return page_from(await self._ask(child, body, content_type, url, plain))
                except TimeoutError:
                    why = f"reading it takes more than {limit_s:g} s"
                except (OSError, EOFError, ValueError, KeyError) as error:
                    why = f"its reader stopped: {error or type(error).__name__}"
                except asyncio.CancelledError:
                    await self._end()  # half a question was asked, so no answer would fit
                    raise
                await self._end()
            raise UnreadableError(why)

    async def _ask(
        self,
        child: asyncio.subprocess.Process,
        body: bytes,
        content_type: str,
        url: str,
        plain: bool,
    ) -> dict[str, Any]:
        assert child.stdin is not None
        assert child.stdout is not None
        head = {"length": len(body), "content_type": content_type, "url": url, "plain": plain}
        head |= {"max_links": self._limits.links_per_page, "max_rows": self._limits.table_rows}
        child.stdin.write(json.dumps(head).encode() + b"\n" + body)
        await child.stdin.drain()
        line = await child.stdout.readline()
        if not line:
            raise EOFError("it ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "crawling_service.page_process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONUTF8": "1"},
                limit=_LINE_BYTES,
            )
            assert self._child.stdout is not None
            if not await self._child.stdout.readline():
                raise EOFError("it ended before it could read")
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        await child.wait()


def page_from(answer: dict[str, Any]) -> Page:
    """The page of a child's answer. Raises KeyError where it is none."""
    tables = tuple(
        Table(one["name"], tuple(one["headers"]), tuple(tuple(row) for row in one["rows"]))
        for one in answer["tables"]
    )
    return Page(**{**answer, "tables": tables, "links": tuple(answer["links"])})
