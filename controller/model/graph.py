"""Who needs whom in a stack; pure."""

from __future__ import annotations

from collections.abc import Iterable

from controller.model.spec import Condition, ProbeKind, StackSpec


def with_dependencies(stack: StackSpec, names: Iterable[str]) -> tuple[str, ...]:
    """The named services and all they need, dependencies first, otherwise in file order."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        for dependency in stack.services[name].depends_on:
            if dependency.service in stack.services:
                visit(dependency.service)
        ordered[name] = None

    wanted = set(names)
    for name in stack.services:
        if name in wanted:
            visit(name)
    return tuple(ordered)


def dependants(stack: StackSpec, name: str) -> tuple[str, ...]:
    """Services that name `name` in their depends_on."""
    return tuple(
        other
        for other, spec in stack.services.items()
        if any(d.service == name for d in spec.depends_on)
    )


def followers(stack: StackSpec, names: Iterable[str]) -> dict[str, str]:
    """Dependants that asked to restart with `names` (`depends_on.restart`), each with whom."""
    found: dict[str, str] = {}
    waiting = list(names)
    asked = set(waiting)
    while waiting:
        current = waiting.pop()
        for other, spec in stack.services.items():
            follows = any(d.service == current and d.restart for d in spec.depends_on)
            if follows and other not in asked:
                asked.add(other)
                found[other] = current
                waiting.append(other)
    return found


def one_shots(stack: StackSpec) -> frozenset[str]:
    """Services that others wait to finish: their exit with code 0 is success."""
    return frozenset(
        d.service
        for spec in stack.services.values()
        for d in spec.depends_on
        if d.condition is Condition.COMPLETED
    )


def may_finish(stack: StackSpec) -> frozenset[str]:
    """Services whose exit with code 0 is success: others wait for it, or nobody could ask them
    anything and their definition does not ask for them to run on."""
    jobs = {n for n, s in stack.services.items() if s.probe.kind is ProbeKind.NONE and not s.stays}
    return one_shots(stack) | jobs
