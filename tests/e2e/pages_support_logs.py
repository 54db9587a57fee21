"""Logs for the pages' tests: the real store and search over what a test lets services say."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from controller import clock
from controller.logs.feed import Feed
from controller.logs.intake import Intake
from controller.logs.library import Library
from controller.model.log import Entry, Level, Stream
from controller.store.log_file import LogFile

HOSTILE = (
    '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">',
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1 {{ 7*7 }} ${7*7}",
    "\u202egnp.txt\u2066 \x1b[31m red \x07 bell \x00 zero",
    '{"message":"</span><script>window.pwned=1</script>","<b>k</b>":"<i>v</i>","level":"error"}',
)
TRACE = "\n".join(
    [
        "Traceback (most recent call last):",
        *(f'  File "/srv/app/part{n}.py", line {n}, in step_{n}' for n in range(12)),
        "sqlite3.OperationalError: database is locked",
    ]
)


class FakeLogs:
    """Use `await say(…)`; what is said is there at once, also for those who follow live."""

    def __init__(self) -> None:
        # Made when opened: many a test has a hub that nobody opens, or closes.
        self._folder = Path(tempfile.gettempdir()) / f"heal7-logs-{uuid4().hex}"
        file, feed = self._folder / "logs.sqlite3", Feed()
        self.feed = feed
        self.problems: dict[str, str] = {}
        self.intake = Intake(LogFile(file), feed, lambda text: text)
        self.library = Library(file, self.intake, feed)

    async def open(self) -> None:
        self._folder.mkdir()
        await self.intake.open()

    async def close(self) -> None:
        self.library.close()
        await self.intake.close()
        shutil.rmtree(self._folder)

    async def say(
        self,
        service: str,
        *texts: str,
        level: Level = Level.INFO,
        run: str = "",
        stream: Stream = Stream.OUT,
        ago_s: float = 0.0,
    ) -> None:
        at = clock.epoch_ns() - int(ago_s * 1e9)
        number, _, _ = await self.intake.source(service, f"{service}-container")
        entries = [Entry(at + n, stream, level, text, run) for n, text in enumerate(texts)]
        await self.intake.take(number, entries, (at, at))

    async def day(self, services: Sequence[str]) -> None:
        """An ordinary hour of a stack, with something of everything."""
        for n in range(40):
            service = services[n % len(services)]
            ago = (40 - n) * 53.0
            said = f"GET /health 200 OK {n % 7 + 1} ms" if n % 3 else f"주문 {n} 처리를 마쳤습니다"
            await self.say(service, said, ago_s=ago)
        first = services[0]
        await self.say(
            first, "connection pool is nearly used up (18 of 20)", level=Level.WARNING, ago_s=41
        )
        await self.say(first, TRACE, level=Level.ERROR, stream=Stream.ERR, ago_s=40)
        fields = '{"level":"info","msg":"문서를 저장했습니다","document":"doc_81f3","pages":12}'
        await self.say(services[1], fields, ago_s=30)
        gap = '["logs.gap.flood",{"seconds":42}]'
        await self.say(services[2], gap, level=Level.WARNING, stream=Stream.HUB, ago_s=20)
        await self.say(
            services[3], "x" * 400 + "/very/long/" + "y" * 300, level=Level.DEBUG, ago_s=10
        )
        await self.intake.write()
