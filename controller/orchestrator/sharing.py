"""What a container has of another's: its namespaces, its volumes; pure.

The engine binds a container to the very container that it finds when it is made. Where somebody
else makes that one anew, the first keeps the network of a container that is gone: it runs, and
nobody reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controller.model.observation import ContainerObs, Observation
from controller.model.spec import ContainerSpec, ServiceSpec, StackSpec

_CONTAINER = "container:"


def lost_share(spec: ServiceSpec, container: ContainerObs, seen: Observation) -> str | None:
    """The service of which the container still holds a namespace or volumes of a container that
    is gone; None while all is as it should be, or there is nothing to compare with."""
    for other in spec.joins:
        theirs = seen.of(other)
        if theirs and container.joined and not container.joined & {theirs.id, theirs.name}:
            return other
    own = {mount.target for mount in spec.container.mounts}
    mounted = dict(container.anonymous_volumes)
    for other in spec.borrows:
        theirs = seen.of(other)
        for target, volume in theirs.anonymous_volumes if theirs else ():
            if target not in own and mounted.get(target, volume) != volume:
                return other
    return None


def own_volumes(
    spec: ServiceSpec, old: ContainerObs, seen: Observation
) -> tuple[tuple[str, str], ...]:
    """The anonymous volumes that a container hands on to the one that replaces it: not those that
    it borrows, which come from wherever they are borrowed of."""
    theirs = (seen.of(other) for other in spec.borrows)
    borrowed = {target for one in theirs if one for target, _ in one.anonymous_volumes}
    return tuple(volume for volume in old.anonymous_volumes if volume[0] not in borrowed)


def bound(
    spec: ContainerSpec, service: ServiceSpec, stack: StackSpec, seen: Observation
) -> ContainerSpec:
    """The container with those that it shares by id: one that another tool made may bear another
    name than the hub would give it."""
    ids = {
        stack.services[other].container.name: theirs.id
        for other in service.shares
        if (theirs := seen.of(other)) is not None
    }
    if not ids:
        return spec
    return replace(
        spec,
        network_mode=_joined(spec.network_mode, ids),
        ipc=_joined(spec.ipc, ids),
        pid=_joined(spec.pid, ids),
        settings=replace(
            spec.settings,
            volumes_from=tuple(_borrowed(entry, ids) for entry in spec.settings.volumes_from),
        ),
    )


def _joined(mode: str | None, ids: Mapping[str, str]) -> str | None:
    if mode is None or not mode.startswith(_CONTAINER):
        return mode
    name = mode.removeprefix(_CONTAINER)
    return _CONTAINER + ids.get(name, name)


def _borrowed(entry: str, ids: Mapping[str, str]) -> str:
    name, _, mode = entry.partition(":")
    return f"{ids.get(name, name)}:{mode}"
