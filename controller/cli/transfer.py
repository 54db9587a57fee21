"""Moves runs between hubs: lines of JSON from the hub into a file, and back.

A file that is there whole or not at all: an export that breaks off must not look like a short one.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from controller.cli import words
from controller.cli.client import HubClient, Json, Query
from controller.cli.errors import CommandError, UsageFault
from controller.cli.run_input import STDIN

if TYPE_CHECKING:
    from controller.cli.session import Session

EXPORT = "/workflows/runs/export"
IMPORT = "/workflows/runs/import"
CONTENT_TYPE = "application/x-ndjson"


@dataclass(slots=True)
class Moved:
    """How much went over so far; `whole` is how much there is, where that is known."""

    lines: int = 0
    size: int = 0
    whole: int | None = None

    def said(self, deed: str) -> str:
        """In words for a person."""
        if self.whole is not None:
            return f"{deed} {words.size(self.size)} of {words.size(self.whole)}"
        return f"{deed} {words.plural(self.lines, 'run')} ({words.size(self.size)})"


Tell = Callable[[Moved], None]


def download(client: HubClient, asked: Query, target: BinaryIO, tell: Tell) -> Moved:
    """Write what the hub exports to `target`. Raises HubUnreachable, ProblemAnswer."""
    moved = Moved()
    for piece in client.download(EXPORT, asked):
        target.write(piece)
        moved.lines += piece.count(b"\n")
        moved.size += len(piece)
        tell(moved)
    target.flush()
    return moved


def save(client: HubClient, asked: Query, path: Path, tell: Tell) -> Moved:
    """Write what the hub exports to the file `path`, which stays as it was where that fails."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror or error}.") from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            moved = download(client, asked, target, tell)
        partial.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return moved


@dataclass(slots=True)
class Sending:
    """A file that tells how much of it was read, for it is read as it is sent."""

    content: BinaryIO
    report: Tell
    moved: Moved

    def __len__(self) -> int:
        return self.moved.whole or 0

    def read(self, size: int = -1) -> bytes:
        piece = self.content.read(size)
        self.moved.size += len(piece)
        self.report(self.moved)
        return piece


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """What is to be imported. Raises UsageFault where it cannot be read."""
    if source == STDIN:
        # Kept aside first: its length goes out before it.
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield kept
        return
    try:
        content = Path(source).open("rb")  # noqa: SIM115 - closed below, what it serves may fail too
    except OSError as error:
        raise UsageFault(f"{source} cannot be read: {error.strerror or error}.") from error
    with content:
        yield content


def send(client: HubClient, content: BinaryIO, tell: Tell) -> Json:
    """Let the hub take in what `content` holds. Raises HubUnreachable, ProblemAnswer."""
    whole = os.fstat(content.fileno()).st_size
    return client.upload(IMPORT, Sending(content, tell, Moved(whole=whole)), CONTENT_TYPE)


def imported(answer: Json) -> list[str]:
    """What was taken in and what was not. Pure."""
    taken, there = int(answer.get("imported") or 0), int(answer.get("skipped") or 0)
    faults = answer.get("faults") or []
    made = [f"{words.plural(taken, 'run')} imported."]
    made += (
        [f"{words.plural(there, 'run')} left as they are: they are there already."] if there else []
    )
    made += [f"{words.plural(len(faults), 'line')} could not be read."] if faults else []
    return made


@contextmanager
def progress(session: Session, deed: str) -> Iterator[Tell]:
    """How far it is, on a terminal only."""
    from rich.text import Text

    from controller.cli.screen import live

    def frame(moved: Moved) -> list[Text]:
        return [Text(f"{moved.said(deed)}…" if session.utf8 else f"{moved.said(deed)}...")]

    def news(_moved: Moved) -> list[str]:
        return []

    with live(session, frame, news) as show:
        yield show
