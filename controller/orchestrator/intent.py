"""Who ended a life: what the engine remembers of it, less what the hub itself asked for.

One rule for the two who must know: healing before it judges what is down, and the executor before
it starts again what it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping

from controller import clock
from controller.engine.intent import by_hand
from controller.engine.pool import EnginePool
from controller.model.observation import ContainerObs
from controller.model.recovery import ByHand, Claim
from controller.model.spec import StackSpec
from controller.recovery import policy


async def who_ended(
    pool: EnginePool,
    stack: StackSpec,
    ended: ContainerObs,
    claim: Claim | None,
    by_hub: Mapping[str, int],
) -> ByHand | None:
    """How a person did it, beside the hub; None for a fault, the hub itself, or no life at all.

    `by_hub` is how often this hub ended a life, by incarnation. Raises EngineUnreachableError.
    """
    if ended.started_at is None:
        return None
    key = stack.key_of(ended.service, ended.number)
    signal = stack.services[key].container.stop_signal or ""
    asked = await pool.asked_to_end(stack.project, ended.service, ended.started_at, signal)
    requests = asked.of(ended.id).term_times
    own = policy.own_requests(claim, ended.incarnation, by_hub, requests, clock.now())
    return by_hand(asked, ended.id, own)
