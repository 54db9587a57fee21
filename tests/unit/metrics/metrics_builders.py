"""What the tests of metrics share: buckets of a service, and a recorder and library on a file."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.metrics.library import Library
from controller.metrics.recorder import Keeping, Recorder
from controller.metrics.table import Table
from controller.model.metric import (
    CPU,
    DUE_S,
    MEMORY,
    RESTARTS,
    UP_S,
    Bucket,
    Scope,
    Spread,
    Subject,
    latency_class,
    spread,
)
from controller.store.metrics_file import MetricsFile

WEB = Subject(Scope.SERVICE, "web")
STEP = 10


def sample(
    at: int,
    cpu: float | None = 1.0,
    *,
    memory: float = 1 << 20,
    up: float = STEP,
    due: float = STEP,
    restarts: float = 0,
    took_ms: Sequence[float] = (),
) -> Bucket:
    gauges: dict[str, Spread] = {MEMORY.name: spread(memory)}
    if cpu is not None:
        gauges[CPU.name] = spread(cpu)
    latencies: dict[int, float] = {}
    for ms in took_ms:
        latencies[latency_class(ms)] = latencies.get(latency_class(ms), 0.0) + 1
    return Bucket(at, STEP, gauges, {UP_S: up, DUE_S: due, RESTARTS.name: restarts}, latencies)


def table(*buckets: Bucket, rolled: bool = False, step: int = STEP) -> Table:
    made = Table(step, rolled)
    made.extend(buckets)
    return made


def near(one: float, other: float) -> bool:
    """Alike to the seven figures that are kept."""
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)


@dataclass
class Shelf:
    file: Path
    recorder: Recorder
    library: Library

    async def record(self, at: int, samples: Mapping[Subject, Bucket] | None = None) -> None:
        await self.recorder.record(at, samples or {WEB: sample(at)})


@asynccontextmanager
async def opened(folder: Path, keeping: Keeping = Keeping()) -> AsyncIterator[Shelf]:
    file = folder / "metrics.sqlite3"
    recorder = Recorder(MetricsFile(file), keeping)
    await recorder.open()
    library = Library(file, recorder, keeping)
    yield Shelf(file, recorder, library)
    library.close()
    await recorder.close()
