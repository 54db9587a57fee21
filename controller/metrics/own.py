"""What the hub itself uses: its process, and the files it keeps."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass, field
from pathlib import Path

from controller import clock

_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Own:
    """`memory_bytes` is None where the kernel does not tell; `stores` are sizes of files by name,
    what is written and not yet merged included."""

    memory_bytes: int | None = None
    stores: dict[str, int] = field(default_factory=dict)


def cpu_s() -> float:
    """CPU time of this process since its start."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def read_own(folder: Path) -> Own:
    """Blocks for a moment: it asks the disk."""
    return Own(_memory(), _stores(folder))


def _memory() -> int | None:
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None


def _stores(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    try:
        for file in folder.iterdir():
            name, dot, rest = file.name.partition(".sqlite3")
            if dot and rest in ("", "-wal"):
                sizes[name] = sizes.get(name, 0) + file.stat().st_size
    except OSError:
        return {}
    return sizes


class Processor:
    """CPU in percent of a core between two looks."""

    def __init__(self) -> None:
        self._before = (clock.monotonic(), cpu_s())

    def percent(self) -> float | None:
        at, used = clock.monotonic(), cpu_s()
        (then, before), self._before = self._before, (at, used)
        return 100 * (used - before) / (at - then) if at > then else None
