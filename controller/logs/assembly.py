"""Puts the parts that keep logs together, and opens and closes them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from controller.engine.log_stream import LogStreams
from controller.logs.collector import Collector, Keeping, Target
from controller.logs.feed import Feed
from controller.logs.intake import Intake, Noted
from controller.logs.library import Library
from controller.store.log_file import LogFile
from controller.tasks import Tasks


class Logs:
    """The logs of all containers. `library` answers questions; `noted` is told every entry."""

    def __init__(
        self,
        file: Path,
        keeping: Keeping,
        mask: Callable[[str], str],
        targets: Callable[[], Sequence[Target] | None],
        tasks: Tasks,
        *,
        noted: Noted = lambda service, entry: None,
        members: Callable[[str], Iterable[str]] = lambda service: (),
        base_url: str | None = None,
    ):
        self._feed = Feed()
        self._intake = Intake(LogFile(file), self._feed, mask, noted)
        self._streams = LogStreams(base_url)
        self._tasks = tasks
        self.collector = Collector(self._intake, self._streams, targets, tasks, keeping)
        self.library = Library(file, self._intake, self._feed, members)

    @property
    def problem(self) -> str | None:
        """Why nothing is written now."""
        return self._intake.problem

    @property
    def written(self) -> int:
        """Entries that were brought to the disk since the hub's start."""
        return self._intake.written

    @property
    def listeners(self) -> int:
        """How many follow live now."""
        return len(self._feed)

    def problems(self) -> dict[str, str]:
        """By service, why nothing is read of it."""
        return self.collector.problems()

    async def start(self) -> None:
        """Raises StoreError."""
        await self._intake.open()
        self._tasks.guard("write logs", self._intake.run())
        self._tasks.guard("follow logs", self.collector.run())
        self._tasks.guard("drop old logs", self.collector.sweep())

    def end_streams(self) -> None:
        """Let those go who follow live; they would keep a shutdown waiting."""
        self._feed.close()

    async def close(self) -> None:
        """After the tasks have ended: write what is left."""
        await self._streams.close()
        self.library.close()
        await self._intake.close()
