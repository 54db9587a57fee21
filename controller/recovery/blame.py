"""Whose fault it is: a service that needs a sick one is not treated for it; pure.

Probes of two services are never at the same moment, so a dependant may look sick before its root
does. Until every dependency gave a good answer newer than its last bad one, nobody is blamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.model.graph import one_shots
from controller.model.spec import Condition
from controller.model.view import Health
from controller.recovery.scene import Busy, Scene, Sight
from controller.recovery.trouble import Drive, Trouble, trouble_of

_MASS = 3


@dataclass(frozen=True, slots=True)
class Blame:
    """`root` is the dependency that is not well; `unsure` those that must be asked first."""

    root: str | None = None
    unsure: tuple[str, ...] = ()


def blame(scene: Scene, name: str, trouble: Trouble, now: datetime) -> Blame:
    """Which dependency stands behind the trouble of `name`, if one does."""
    unsure = []
    since = _bad_since(scene.sights[name], trouble)
    for dependency in scene.stack.services[name].depends_on:
        sight = scene.sights.get(dependency.service)
        if not dependency.required or sight is None:
            continue
        if dependency.condition is Condition.COMPLETED:
            if sight.verdict.health is Health.FAILED:
                return Blame(dependency.service)
            continue
        # Who acts on it may be ending it right now, before anybody sees that.
        if sight.verdict.health is not Health.HEALTHY or sight.busy is not Busy.NO:
            return Blame(dependency.service)
        if sight.suspect or (sight.probed and not _newer(sight, since, now)):
            unsure.append(dependency.service)
    return Blame(unsure=tuple(unsure))


def _bad_since(sight: Sight, trouble: Trouble) -> datetime:
    """When its newest bad answer was asked for. It may have been bad for long, and its root well
    for a moment in between: only an answer after the last complaint tells."""
    if trouble.drive is not Drive.PROBES:
        return trouble.since
    bad = (probe.at for probe in reversed(sight.evidence.last_probes) if not probe.ok)
    return max(next(bad, trouble.since), trouble.since)


def _newer(sight: Sight, since: datetime, now: datetime) -> bool:
    """Whether the good answer came after the trouble. What lies ahead of `now` was stamped before
    the clock was set back, so it is older than whatever does not."""
    if sight.good_at is None or sight.good_at > now:
        return False
    return sight.good_at >= since or since > now


def storm(scene: Scene, now: datetime) -> bool:
    """Whether over half of what should run fails its probes at once, not counting those that a
    sick dependency explains: then it is rather the hub, the network or the machine."""
    finished = one_shots(scene.stack)
    judged = failing = 0
    for name, sight in scene.sights.items():
        if not sight.probed or name in finished:
            continue
        judged += 1
        trouble = trouble_of(sight)
        if trouble is None:
            failing += sight.suspect
        elif trouble.drive is Drive.PROBES:
            failing += blame(scene, name, trouble, now).root is None
    return failing >= _MASS and 2 * failing > judged
