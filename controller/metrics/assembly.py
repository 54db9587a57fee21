"""Puts the parts that measure together, and opens and closes them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import Metric

from controller import clock
from controller.metrics.exposition import families
from controller.metrics.library import Library, Told
from controller.metrics.meter import Meter, Reading
from controller.metrics.recorder import Keeping, Recorder
from controller.metrics.sampler import Sampled, Sampler
from controller.model.metric import LAG, LOG_RATE, STREAMS, Bucket, Subject
from controller.model.run import Event, Kind, Run
from controller.model.view import ServiceView
from controller.model.workflow import Definition
from controller.store.metrics_file import MetricsFile
from controller.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what is measured comes from. `facts` tells of every managed service what answers need
    to know of it."""

    views: Callable[[], Sequence[ServiceView]]
    readings: Callable[[], Mapping[str, Reading]]
    planned: Callable[[ServiceView], bool]
    facts: Callable[[], Mapping[str, Told]]
    workflows: Sequence[str]
    lag_ms: Callable[[], float]
    streams: Callable[[], int]
    log_entries: Callable[[], int]


def _nobody(at: int, samples: Mapping[Subject, Bucket]) -> None:
    """Who wants to be told every sample sets `Metrics.sampled`."""


class Metrics:
    """Everything measured. `library` answers questions, `meter` is told what happens, `sampled`
    hears every sample."""

    def __init__(self, file: Path, keeping: Keeping, sources: Sources, tasks: Tasks):
        self.sampled: Sampled = _nobody
        self.keeping = keeping
        self.meter = Meter(sources.planned)
        self.sources = sources
        self._tasks = tasks
        self._recorder = Recorder(MetricsFile(file), keeping)
        self._entries = 0
        self.library = Library(file, self._recorder, keeping)
        self._sampler = Sampler(
            self.meter,
            self._recorder,
            keeping.interval_s,
            file.parent,
            sources.views,
            sources.readings,
            sources.workflows,
            self._figures,
            lambda at, samples: self.sampled(at, samples),
        )

    @property
    def problem(self) -> str | None:
        """Why nothing is written now."""
        return self._recorder.problem

    async def start(self) -> None:
        """A file that cannot be opened is tried again at every sample; the hub goes on."""
        await self._recorder.open()
        self._tasks.guard("measure", self._sampler.run())

    async def close(self) -> None:
        """After the tasks have ended: write what is left."""
        self.library.close()
        await self._recorder.close()

    def families(self) -> Iterable[Metric]:
        """For Prometheus."""
        return families(
            self.sources.readings(),
            self.meter.totals(clock.monotonic()),
            self._sampler.own,
            self.sources.lag_ms() / 1000,
            self.sources.streams(),
            self.sources.log_entries(),
        )

    def _figures(self) -> dict[str, float]:
        entries, before = self.sources.log_entries(), self._entries
        self._entries = entries
        return {
            LAG.name: self.sources.lag_ms(),
            STREAMS.name: float(self.sources.streams()),
            LOG_RATE.name: (entries - before) / self.keeping.interval_s,
        }


class RunMeter:
    """A watcher of runs that measures them."""

    def __init__(self, meter: Callable[[], Meter]):
        self._meter = meter

    def changed(self, run: Run, definition: Definition, events: Sequence[Event]) -> None:
        for event in events:
            if event.kind is Kind.ENDED:
                self._meter().run_ended(run.workflow, run.status)
            elif event.kind is Kind.STEP_SUCCEEDED:
                took_ms = run.steps[event.step].latency_ms
                if took_ms is not None:
                    self._meter().step_took(run.workflow, took_ms)
