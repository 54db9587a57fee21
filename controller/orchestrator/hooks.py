"""What a service wants run in its container after its start and before its stop."""

from __future__ import annotations

import logging

from controller.engine.hooks import run_hook
from controller.engine.pool import EnginePool
from controller.errors import EngineError, EngineUnreachableError
from controller.model.spec import ServiceSpec

log = logging.getLogger(__name__)

_AFTER_START_S = 600.0


async def after_start(pool: EnginePool, spec: ServiceSpec, container_id: str) -> None:
    """Raises HookError where one of them fails; the others are not run then. EngineError."""
    for hook in spec.post_start:
        await pool.command(run_hook, pool.engine, container_id, hook, _AFTER_START_S)


async def before_stop(
    pool: EnginePool, spec: ServiceSpec, container_id: str, limit_s: float
) -> None:
    """Each has `limit_s` seconds. One that fails must not keep up what is to end.

    Raises EngineUnreachableError.
    """
    for hook in spec.pre_stop:
        try:
            await pool.command(run_hook, pool.engine, container_id, hook, limit_s)
        except EngineUnreachableError:
            raise
        except EngineError as error:
            log.warning("before the stop of %s: %s", spec.name, error.detail)
