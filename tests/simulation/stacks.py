"""Random stacks, and what their services are really like, which no compose file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random  # noqa: TID251 - seeded, so that a seed replays

from controller.model.graph import one_shots
from controller.model.spec import (
    Condition,
    ContainerSpec,
    Dependency,
    HealingLimits,
    HealthCheck,
    ProbeKind,
    ProbeSpec,
    RecoveryPolicy,
    RecoverySpec,
    ServiceSpec,
    StackSpec,
)

_MOST = 12
CHECK = HealthCheck(("CMD", "true"), interval_s=5.0, timeout_s=2.0, retries=3)


@dataclass
class Nature:
    """What a service is really like. `coupling` maps a dependency to what its failure does here:
    `probes` (it answers 500 meanwhile), `latched` (and goes on to until it is restarted), `exits`.
    """

    startup_s: float
    work_s: float
    end_s: float
    coupling: dict[str, str] = field(default_factory=dict)


def random_stack(chance: Random) -> tuple[StackSpec, dict[str, Nature]]:
    """A stack of 1..12 services in a random order of declaration, and their natures."""
    count = chance.randint(1, _MOST)
    names = [f"s{i}" for i in range(count)]
    jobs = {n for n in names if chance.random() < 0.08}
    specs = {name: _service(chance, name, names[:i], jobs) for i, name in enumerate(names)}
    declared = list(specs.items())
    chance.shuffle(declared)
    limits = HealingLimits(
        at_once=chance.choice([1, 2, 2, 4]),
        per_minute=chance.choice([3, 10, 10, 20]),
        hold_s=chance.choice([10.0, 30.0, 60.0]),
    )
    stack = StackSpec("sim", "/sim", (), dict(declared), limits=limits)
    finish = one_shots(stack)
    for name in finish:
        spec = specs[name]
        stack = replace(
            stack,
            services={**stack.services, name: replace(spec, probe=ProbeSpec(ProbeKind.NONE))},
        )
    return stack, {name: _nature(chance, spec) for name, spec in stack.services.items()}


def _service(chance: Random, name: str, before: list[str], jobs: set[str]) -> ServiceSpec:
    needs = [other for other in before if chance.random() < min(0.5, 1.6 / len(before))]
    return ServiceSpec(
        name=name,
        container=ContainerSpec(f"sim-{name}-1", "sim:1", healthcheck=CHECK),
        config_hash="h",
        depends_on=tuple(_dependency(chance, other, other in jobs) for other in needs),
        managed=chance.random() > 0.05,
        probe=_probe(chance),
        recovery=_recovery(chance),
    )


def _dependency(chance: Random, other: str, is_job: bool) -> Dependency:
    condition = chance.choice([Condition.STARTED, Condition.HEALTHY, Condition.HEALTHY])
    return Dependency(
        other,
        Condition.COMPLETED if is_job else condition,
        restart=not is_job and chance.random() < 0.15,
        required=chance.random() > 0.15,
    )


def _probe(chance: Random) -> ProbeSpec:
    kinds = [ProbeKind.HTTP] * 7 + [ProbeKind.TCP, ProbeKind.ENGINE, ProbeKind.NONE]
    interval_s = chance.choice([1.0, 2.0, 2.0, 5.0])
    return ProbeSpec(
        kind=chance.choice(kinds),
        port=8000,
        interval_s=interval_s,
        timeout_s=min(interval_s, chance.choice([0.5, 1.0, 1.0, 3.0])),
        failures=chance.choice([1, 2, 3, 3, 5]),
        successes=chance.choice([1, 1, 1, 3]),
        startup_s=chance.choice([10.0, 30.0, 60.0]),
    )


def _recovery(chance: Random) -> RecoverySpec:
    max_backoff_s = chance.choice([30.0, 60.0, 300.0])
    return RecoverySpec(
        policy=RecoveryPolicy.NONE if chance.random() < 0.05 else RecoveryPolicy.RESTART,
        grace_s=chance.choice([0.5, 1.0, 2.0]),
        max_restarts=chance.choice([3, 5, 10, 10]),
        window_s=chance.choice([300.0, 1800.0, 1800.0]),
        backoff_s=chance.choice([0.5, 1.0, 1.0, 5.0]),
        max_backoff_s=max_backoff_s,
        reset_s=chance.choice([60.0, 600.0]),
        replace_after=chance.choice([1, 2, 3, 3]),
    )


def _nature(chance: Random, spec: ServiceSpec) -> Nature:
    kinds = ["probes", "latched", "exits", "none", "none"]
    coupling = {d.service: chance.choice(kinds) for d in spec.depends_on if _matters(d)}
    return Nature(
        startup_s=min(chance.choice([0.1, 0.5, 1.0, 4.0]), spec.probe.startup_s / 2),
        work_s=chance.uniform(0.5, 5.0),
        end_s=chance.choice([0.1, 0.2, 0.4, 6.0]),
        coupling={root: kind for root, kind in coupling.items() if kind != "none"},
    )


def _matters(dependency: Dependency) -> bool:
    return dependency.condition is not Condition.COMPLETED and dependency.required


Tell = Callable[[str, str], None]
"""Says in the trace what happened: a subject and a sentence."""
