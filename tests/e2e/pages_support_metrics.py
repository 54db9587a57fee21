"""Metrics for the pages' tests: the real recorder and library over a day that never was."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from controller import clock
from controller.metrics.assembly import Sources
from controller.metrics.library import Library, Told
from controller.metrics.recorder import Keeping, Recorder
from controller.model.metric import (
    ENDINGS,
    HUB,
    METRICS,
    Bucket,
    Form,
    Scope,
    Subject,
    latency_class,
    spread,
)
from controller.model.view import ServiceView
from controller.store.metrics_file import MetricsFile

STEP = 10


class FakeMetrics:
    """Use `await fill(seconds)`; a service is quiet for the last half of the sixth hour."""

    def __init__(
        self, views: Callable[[], Sequence[ServiceView]], workflows: Sequence[str]
    ) -> None:
        # Made when opened: many a test has a hub that nobody opens, or closes.
        self._folder = Path(tempfile.gettempdir()) / f"heal7-metrics-{uuid4().hex}"
        file = self._folder / "metrics.sqlite3"
        self.recorder = Recorder(MetricsFile(file), Keeping())
        self.library = Library(file, self.recorder, Keeping())
        self.sources = Sources(
            views=views,
            readings=dict,
            planned=lambda view: False,
            facts=lambda: {view.name: Told(memory_limit=256 << 20) for view in views()},
            workflows=workflows,
            lag_ms=lambda: 1.0,
            streams=lambda: 1,
            log_entries=lambda: 0,
        )

    async def open(self) -> None:
        self._folder.mkdir()
        await self.recorder.open()

    async def close(self) -> None:
        self.library.close()
        await self.recorder.close()
        shutil.rmtree(self._folder)

    async def fill(self, hours: int, every_s: int = 60, now: float | None = None) -> None:
        """Hours up to now, a sample every so often, each of the ordinary length of ten seconds."""
        end = int(now or clock.epoch()) // STEP * STEP
        names = [view.name for view in self.sources.views()]
        for at in range(end - hours * 3_600, end, every_s):
            await self.put(at, names, away=0.45 < (end - at) % 21_600 / 21_600 < 0.55)
        await self.put(end - STEP, names)

    async def put(
        self, at: int, names: Sequence[str], cpu: float | None = None, *, away: bool = False
    ) -> None:
        """A sample of each; while it is `away`, the second service has none."""
        samples = {
            Subject(Scope.SERVICE, name): _sample(at, n, cpu)
            for n, name in enumerate(names)
            if not (n == 1 and away)
        }
        samples |= {
            Subject(Scope.WORKFLOW, name): _runs(at, n)
            for n, name in enumerate(self.sources.workflows)
        }
        own = {
            name: spread(float(40 << 20) if "bytes" in name else 1.4 + math.sin(at / 900))
            for name, metric in METRICS[Scope.HUB].items()
            if metric.form is Form.GAUGE
        }
        await self.recorder.record(at, samples | {HUB: Bucket(at, STEP, own)})


def _sample(at: int, n: int, cpu: float | None) -> Bucket:
    wave = 1 + math.sin(at / 2_400 + n) + 0.3 * math.sin(at / 130 + n * 2)
    leak = (at % 86_400) * 400 if n == 3 else 0
    gauges = {
        "cpu_percent": cpu if cpu is not None else max(0.0, 0.4 + (n + 1) * 0.8 * wave),
        "memory_bytes": float((48 + 9 * n << 20) + leak),
        "network_rx_bytes_per_s": 900 * (n + 1) + 300 * abs(wave),
        "network_tx_bytes_per_s": 1_400 * (n + 1) + 500 * abs(wave),
        "disk_read_bytes_per_s": 0.0 if n % 2 else 4_096.0,
        "disk_write_bytes_per_s": 12_000 * abs(wave),
        "port_open": 1.0,
    }
    bad = n == 2 and at % 7_200 < 60
    counts = {"up_s": 4.0 if bad else 10.0, "due_s": 10.0, "restarts": float(bad)}
    took = [2.0 + n + abs(wave), 3.0 + n, 9.0 + 4 * n]
    latencies: dict[int, float] = {}
    for ms in took:
        latencies[latency_class(ms)] = latencies.get(latency_class(ms), 0.0) + 1
    return Bucket(at, STEP, {k: spread(v) for k, v in gauges.items()}, counts, latencies)


def _runs(at: int, n: int) -> Bucket:
    ran = at % 1_800 < 60
    counts = {f"runs_{ending}": 0.0 for ending in ENDINGS}
    counts["runs_succeeded"] = float(ran)
    counts["runs_failed"] = float(ran and n == 1 and at % 7_200 < 60)
    return Bucket(at, STEP, {}, counts, {latency_class(80.0 + 30 * n): 2.0} if ran else {})
