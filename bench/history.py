"""What keeping measurements costs: room, time to answer, and the hub's own CPU.

    python bench/history.py [--only store,tick,hub] [--services 50] [--days 30] [--seconds 60]

`store`: a stack's days filled through the real packing and file, then asked as charts and the page
ask. `tick`: one sample of so many services, taken and brought to the disk. `hub`: a real hub with
five real services and nothing to do, and what of its CPU is measuring. Synthetic figures wander, so
that they compress no better than real ones do.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.chaos.arena import Arena
from bench.logs import percentile
from bench.process import cpu_s, hub_pid, rss_mb
from controller.metrics.library import Library, Told
from controller.metrics.recorder import DAY_S, HOUR_S, ROLLED_S, Keeping, Recorder
from controller.metrics.table import Table, pack
from controller.model.metric import (
    DUE_S,
    METRICS,
    RESTARTS,
    UP_S,
    Bucket,
    Form,
    Scope,
    Spread,
    Subject,
    latency_class,
    spread,
)
from controller.store.metrics_file import MetricsFile, PackedBlock, Tier
from tests.integration.it_stack import serving

_STEP = 10
_GAUGES = [m.name for m in METRICS[Scope.SERVICE].values() if m.form is Form.GAUGE]
Say = Callable[[str], None]


class Wanderer:
    """Believable figures of one service."""

    def __init__(self, seed: int):
        self._chance = random.Random(seed)
        self._level = {name: self._chance.uniform(1, 1e6) for name in _GAUGES}

    def bucket(self, at: int, step: int) -> Bucket:
        chance, n = self._chance, step // _STEP
        gauges: dict[str, Spread] = {}
        for name, level in self._level.items():
            self._level[name] = level = max(0.1, level * chance.gauss(1, 0.02))
            value = level * (1 + 0.3 * math.sin(at / 14_000)) * chance.gauss(1, 0.1)
            gauges[name] = (
                spread(value) if n == 1 else Spread(value * 0.8, value, value * 1.4, float(n))
            )
        gauges["port_open"] = spread(1.0) if n == 1 else Spread(1.0, 1.0, 1.0, float(n))
        latencies: dict[int, float] = {}
        for _ in range(5 if n == 1 else 40):
            number = latency_class(chance.lognormvariate(1.5, 0.6))
            latencies[number] = latencies.get(number, 0.0) + (1 if n == 1 else n // 8 + 1)
        counts = {UP_S: float(step), DUE_S: float(step), RESTARTS.name: 0.0}
        return Bucket(at, step, gauges, counts, latencies)


def names(services: int) -> list[Subject]:
    return [Subject(Scope.SERVICE, f"service{n:02d}") for n in range(services)]


def fill(file: Path, services: int, days: int, keeping: Keeping) -> int:
    """Everything up to the running hour; when that begins."""
    store = MetricsFile(file)
    store.open()
    recorder = Recorder(store, keeping)
    end = int(time.time()) // HOUR_S * HOUR_S
    raw_from = end - keeping.raw_s
    for n, subject in enumerate(names(services)):
        number, wanderer = store.subject(subject), Wanderer(n)
        for day in range((end - days * DAY_S) // DAY_S, raw_from // DAY_S + 1):
            rolled = Table(ROLLED_S, rolled=True)
            for at in range(day * DAY_S, min((day + 1) * DAY_S, raw_from), ROLLED_S):
                rolled.append(wanderer.bucket(at, ROLLED_S))
            if len(rolled):
                first, last = rolled.times[0], rolled.times[-1]
                store.seal([PackedBlock(Tier.ROLLED, number, first, last, pack(rolled))], 0)
        for hour in range(raw_from, end, HOUR_S):
            raw = Table(_STEP, rolled=False)
            raw.extend(wanderer.bucket(at, _STEP) for at in range(hour, hour + HOUR_S, _STEP))
            blocks, _ = recorder._packed(number, raw, hour + HOUR_S)
            store.seal(blocks, 0)
    store.close()
    return end


async def ask(file: Path, services: int, days: int, keeping: Keeping, say: Say) -> None:
    recorder = Recorder(MetricsFile(file), keeping)
    await recorder.open()
    library = Library(file, recorder, keeping)
    metrics = list(METRICS[Scope.SERVICE].values())
    end = time.time()
    spans = {"6 h": 6 * HOUR_S, "24 h": DAY_S, "7 d": 7 * DAY_S, f"{days} d": days * DAY_S}
    for word, length in spans.items():
        for what, chosen in (("one metric", metrics[:1]), ("all of a service", metrics)):
            took, used = [], time.process_time()
            for subject in names(services):
                began = time.perf_counter()
                found = await library.history(subject, chosen, end - length, end, 300)
                took.append((time.perf_counter() - began) * 1000)
            cpu = (time.process_time() - used) / services * 1000
            seen = sum(v is not None for v in found.lines[0].now.values)
            say(
                f"  {word}, {what}: p50 {statistics.median(took):.1f} ms, p95 "
                f"{percentile(took, 0.95):.1f} ms, {cpu:.1f} ms of CPU, {seen} points"
            )
    everything = dict.fromkeys(names(services), Told())
    for word in ("first", "again"):
        recorder.samples += 1
        began, used = time.perf_counter(), time.process_time()
        await library.summaries(everything, HOUR_S)
        say(
            f"  summary of all {services}, {word}: {(time.perf_counter() - began) * 1000:.0f} ms, "
            f"{(time.process_time() - used) * 1000:.0f} ms of CPU"
        )
    library.close()
    await recorder.close()


def store(services: int, days: int, say: Say) -> None:
    keeping = Keeping(rolled_s=days * DAY_S)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "metrics.sqlite3"
        began = time.monotonic()
        fill(file, services, days, keeping)
        size = sum(found.stat().st_size for found in Path(folder).iterdir())
        say(
            f"{services} services x {days} days: {size / 1e6:.0f} MB on disk (goal < 150), filled "
            f"in {time.monotonic() - began:.0f} s; asked:"
        )
        asyncio.run(ask(file, services, days, keeping, say))


async def _tick(services: int, say: Say) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(MetricsFile(Path(folder) / "metrics.sqlite3"), Keeping())
        await recorder.open()
        wanderers = {subject: Wanderer(n) for n, subject in enumerate(names(services))}
        begin = int(time.time()) // HOUR_S * HOUR_S
        took: list[float] = []
        packed = 0.0
        for n in range(2 * HOUR_S // _STEP + 1):
            at = begin + n * _STEP
            samples = {s: w.bucket(at, _STEP) for s, w in wanderers.items()}
            began = time.process_time()
            await recorder.record(at, samples)
            used = time.process_time() - began
            if n and at % HOUR_S == 0:
                packed += used
            else:
                took.append(used)
        await recorder.close()
        per_s = statistics.mean(took) / _STEP
        say(
            f"{services} services: a sample takes {statistics.mean(took) * 1000:.1f} ms of CPU to "
            f"keep, the end of an hour {packed / 2:.1f} s; together "
            f"{(per_s + packed / 2 / HOUR_S) * 100:.2f} % of a core"
        )


def hub(seconds: int, say: Say) -> None:
    with Arena() as arena:
        services = {f"s{n}": serving(arena.image, arena.free_port()) for n in range(5)}
        running = arena.hub(arena.stack(services), started=tuple(services))
        pid = hub_pid(running)
        time.sleep(15)
        used, began = cpu_s(pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_s(pid) - used) / (time.monotonic() - began)
        say(
            f"a hub with five idle services: {share * 100:.2f} % of a core over {seconds} s "
            f"(goal <= 2), {rss_mb(pid):.0f} MB resident"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="store,tick,hub")
    parser.add_argument("--services", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    only: Sequence[str] = chosen.only.split(",")

    def say(text: str) -> None:
        print(text, flush=True)

    if "store" in only:
        store(chosen.services, chosen.days, say)
    if "tick" in only:
        asyncio.run(_tick(chosen.services, say))
    if "hub" in only:
        hub(chosen.seconds, say)


if __name__ == "__main__":
    main()
