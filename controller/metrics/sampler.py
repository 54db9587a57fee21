"""Takes a sample of everything, for ever, at whole multiples of the interval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from controller import clock
from controller.metrics.meter import Meter, Reading
from controller.metrics.own import Own, Processor, read_own
from controller.metrics.recorder import Recorder
from controller.model.metric import CPU, MEMORY, STORE, Bucket, Subject
from controller.model.view import ServiceView

Sampled = Callable[[int, Mapping[Subject, Bucket]], None]


class Sampler:
    """`views` and `readings` give what is seen of the services now, `figures` what other parts of
    the hub tell of themselves; `sampled` is told every sample, with the second it begins."""

    def __init__(
        self,
        meter: Meter,
        recorder: Recorder,
        interval_s: int,
        folder: Path,
        views: Callable[[], Sequence[ServiceView]],
        readings: Callable[[], Mapping[str, Reading]],
        workflows: Sequence[str],
        figures: Callable[[], Mapping[str, float]],
        sampled: Sampled,
    ):
        self.own = Own()
        self._meter = meter
        self._recorder = recorder
        self._interval_s = interval_s
        self._folder = folder
        self._views = views
        self._readings = readings
        self._workflows = workflows
        self._figures = figures
        self._sampled = sampled
        self._processor = Processor()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            now = clock.epoch()
            due = (now // self._interval_s + 1) * self._interval_s
            await asyncio.sleep(due - now)
            # The wall clock may have been set meanwhile.
            end = round(clock.epoch() / self._interval_s) * self._interval_s
            await self.sample(end - self._interval_s)

    async def sample(self, at: int) -> None:
        """Take what was seen in the interval from `at`."""
        self.own = await self._recorder.aside(lambda: read_own(self._folder))
        samples = self._meter.take(
            at,
            self._interval_s,
            clock.monotonic(),
            self._views(),
            self._readings(),
            self._workflows,
            self._told(),
        )
        await self._recorder.record(at, samples)
        self._sampled(at, samples)

    def _told(self) -> dict[str, float]:
        told = dict(self._figures())
        percent = self._processor.percent()
        if percent is not None:
            told[CPU.name] = percent
        if self.own.memory_bytes is not None:
            told[MEMORY.name] = float(self.own.memory_bytes)
        if self.own.stores:
            told[STORE.name] = float(sum(self.own.stores.values()))
        return told
