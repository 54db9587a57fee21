"""What the hub's parts tell of themselves and of the services, in the form that is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from controller.config.load import HubConfig
from controller.config.settings_metrics import MetricsSettings
from controller.health.probe import Target
from controller.metrics.assembly import Metrics, Sources
from controller.metrics.library import Told
from controller.metrics.meter import Reading
from controller.metrics.push import Pusher
from controller.metrics.recorder import DAY_S, Keeping
from controller.model.view import OperationView, ServiceView
from controller.orchestrator.world import World
from controller.tasks import Tasks
from controller.telemetry.metrics import CONTENT_TYPE


def measure(
    config: HubConfig,
    file: Path,
    world: World,
    operations: Callable[[], Sequence[OperationView]],
    tasks: Tasks,
    *,
    lag_ms: Callable[[], float],
    streams: Callable[[], int],
    log_entries: Callable[[], int],
) -> Metrics:
    """The metrics of one hub."""
    sources = Sources(
        views=lambda: world.view().services,
        readings=lambda: _readings(world),
        planned=lambda view: _planned(view, operations),
        facts=lambda: _facts(world),
        workflows=tuple(config.workflows),
        lag_ms=lag_ms,
        streams=streams,
        log_entries=log_entries,
    )
    return Metrics(file, _keeping(config.settings.metrics), sources, tasks)


def pusher(
    config: HubConfig, text: Callable[[], bytes], target: Callable[[str], Target | None]
) -> Pusher | None:
    """Who sends what is measured to the service that is to have it, if there is one."""
    said = config.settings.metrics
    if said.push_to is None:
        return None
    (first, *_) = config.stack.members(said.push_to)
    return Pusher(first, text, CONTENT_TYPE, target, said.interval)


def _keeping(said: MetricsSettings) -> Keeping:
    return Keeping(int(said.interval), said.keep_raw_days * DAY_S, said.keep_days * DAY_S)


def _readings(world: World) -> Mapping[str, Reading]:
    found = {name: world.measured(name) for name in world.stack.managed}
    return {
        name: Reading(
            life=one.incarnation,
            at=one.at,
            cpu_s=one.usage.cpu_ns / 1e9,
            memory_bytes=one.usage.memory_bytes,
            received=one.usage.received_bytes,
            sent=one.usage.sent_bytes,
            read=one.usage.read_bytes,
            written=one.usage.written_bytes,
        )
        for name, one in found.items()
        if one is not None
    }


def _planned(view: ServiceView, operations: Callable[[], Sequence[OperationView]]) -> bool:
    """Whether what acts on it now was asked for by a person."""
    if view.busy is None:
        return False
    return any(one.id == view.busy and not one.kind.by_hub for one in operations())


def _facts(world: World) -> Mapping[str, Told]:
    found = {}
    for view in world.view().services:
        limit = world.stack.services[view.name].container.mem_limit
        since = view.started_at.timestamp() if view.started_at else None
        found[view.name] = Told(since, limit or None)
    return found
