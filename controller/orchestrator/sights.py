"""From the hub's memory of the stack to the scene that healing decides on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from controller.model.incident import Evidence
from controller.model.observation import ContainerObs, State
from controller.model.recovery import ByHand, Pause
from controller.model.spec import ProbeKind
from controller.model.text import Text
from controller.model.view import Health, OperationView, Verdict
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.world import World
from controller.recovery.scene import Busy, Scene, Sight

_PROBED = (ProbeKind.HTTP, ProbeKind.TCP)


def scene_of(
    world: World,
    lifecycle: Lifecycle,
    hands: Mapping[str, ByHand | None],
    *,
    pause: Pause | None,
    ill: Text | None,
    arrival: Text | None,
    rehearsals: Mapping[str, str],
    healed: Collection[str],
) -> Scene:
    """Everything that is known now. `hands` says for what is down whether a person did it; `healed`
    are those whose healing is under way, or over and not yet noted."""
    return Scene(
        stack=world.stack,
        sights={
            name: _sight(world, name, lifecycle.acting_on(name), hands.get(name), name in healed)
            for name in world.stack.services
        },
        connected=world.connected,
        pause=pause,
        ill=ill,
        arrival=arrival,
        rehearsals=rehearsals,
    )


def _sight(
    world: World, service: str, operation: OperationView | None, hand: ByHand | None, healed: bool
) -> Sight:
    container, history = world.container(service), world.history(service)
    verdict = world.judge(service)
    good = [probe.at for probe in world.last_probes(service) if probe.ok]
    return Sight(
        spec=world.stack.services[service],
        desired=world.desired(service),
        state=container.state if container else State.MISSING,
        life=container.incarnation if container else "",
        verdict=verdict,
        since=_since(world, service, verdict, container),
        suspect=history is not None and history.first_bad_at is not None,
        silent=history is not None and history.silent,
        probed=world.stack.services[service].probe.kind in _PROBED,
        good_at=good[-1] if good else None,
        exit_code=container.exit_code if container else None,
        oom_killed=container is not None and container.oom_killed,
        busy=_busy(operation, healed),
        by_hand=hand,
        evidence=_evidence(world, service, container),
    )


def _busy(operation: OperationView | None, healed: bool) -> Busy:
    if operation is None:
        return Busy.HUB if healed else Busy.NO
    return Busy.HUB if operation.kind.by_hub else Busy.PERSON


def _since(
    world: World, service: str, verdict: Verdict, container: ContainerObs | None
) -> datetime:
    """The first bad sign: when its process ended, its first bad answer, or when it was noticed."""
    history = world.history(service)
    if verdict.health is Health.UNHEALTHY and history is not None and history.first_bad_at:
        return history.first_bad_at
    if container is not None and container.finished_at and container.state is State.EXITED:
        return container.finished_at
    return world.bad_since(service)


def _evidence(world: World, service: str, container: ContainerObs | None) -> Evidence:
    probes = world.last_probes(service)
    if container is None:
        return Evidence(last_probes=probes)
    return Evidence(
        container_id=container.id,
        exit_code=container.exit_code,
        oom_killed=container.oom_killed,
        engine_error=container.error,
        last_probes=probes,
    )
