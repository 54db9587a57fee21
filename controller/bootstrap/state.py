"""What the hub says of itself: gathered here, since only the root knows all of its parts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller import clock
from controller.config.load import HubConfig
from controller.engine.events import DEFAULT_SOCKET
from controller.engine.pool import EnginePool
from controller.errors import EngineError
from controller.model.hub_state import EngineState, StoreState, TaskState
from controller.model.masking import MASK, masked, masked_text
from controller.orchestrator.world import World
from controller.tasks import Tasks

# Patterns of what is secret may hold it.
_HIDDEN = frozenset({"logs.mask"})


async def engine_state(pool: EnginePool, world: World) -> EngineState:
    """What it says of itself; one that does not answer is not asked."""
    version = root = ""
    if world.connected:
        try:
            version, root = await pool.look(pool.engine.about)
        except EngineError:
            # That it does not answer is told by `connected`, which has its own watch.
            version = root = ""
    address = masked_text(os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET)
    return EngineState(world.connected, world.view().engine_since, address, version, root)


async def store_states(
    state_dir: Path, config: HubConfig, problems: Mapping[str, str]
) -> tuple[StoreState, ...]:
    """Every place where something is kept. `problems` are by name, "ok" where there is none."""
    return await asyncio.to_thread(_stores, state_dir, config, problems)


def _stores(
    state_dir: Path, config: HubConfig, problems: Mapping[str, str]
) -> tuple[StoreState, ...]:
    found = []
    for file in sorted(state_dir.glob("*.sqlite3")):
        name = file.stem
        if name == "runs" and config.runs_database:
            continue
        limit = config.settings.logs.max_size if name == "logs" else None
        said = problems.get({"hub": "store", "runs": "journal"}.get(name, name), "ok")
        found.append(StoreState(name, str(file), _size(file), limit, "" if said == "ok" else said))
    if config.runs_database:
        said = problems.get("journal", "ok")
        where = masked_text(config.runs_database)
        found.append(StoreState("runs", where, None, None, "" if said == "ok" else said))
    return tuple(found)


def _size(file: Path) -> int:
    """With what is written but not moved in yet."""
    parts = (file, file.with_name(file.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def task_states(tasks: Tasks) -> tuple[TaskState, ...]:
    now = clock.now()
    return tuple(TaskState(name, now - timedelta(seconds=age)) for name, age in tasks.ages())


def settings_in_effect(config: HubConfig) -> tuple[tuple[str, str], ...]:
    """Every setting by its dotted key, secrets replaced; of long lists how long they are."""
    said = masked(config.settings.model_dump(mode="json", exclude_none=True))
    said["orchestration"]["managed_services"] = list(config.stack.managed)
    said["workflows"] = list(config.workflows)
    return tuple(
        (key, MASK if key in _HIDDEN and value else value) for key, value in _flat("", said)
    )


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), child)
    elif isinstance(value, list):
        yield prefix, ", ".join(str(item) for item in value)
    else:
        yield prefix, str(value).lower() if isinstance(value, bool) else str(value)
