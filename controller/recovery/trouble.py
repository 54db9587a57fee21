"""What is wrong with a service, in one word and one sentence; pure.

The kind decides how it is healed: what died is started at once, what hangs is ended first, and what
a person must mend is tried slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.model.incident import Kind
from controller.model.observation import State
from controller.model.text import Text, text
from controller.model.view import Health
from controller.recovery.scene import Sight

_COMMAND_CODES = (126, 127)
_OOM_CODE = 137
_TO_MEND = (
    "fail.image_missing",
    "fail.image_never",
    "fail.pull",
    "fail.pull_silent",
    "fail.build",
    "fail.context",
    "fail.port_taken",
    "fail.command",
    "fail.name_taken",
    "fail.engine",
    "exit.command",
)
NAMESPACE_GONE = "fail.namespace_gone"
LOST_SHARE = "health.lost_share"


class Drive(StrEnum):
    """What says so: the process is gone, the probes fail, what it shares with another container is
    gone, or it cannot be started as declared."""

    DEATH = "death"
    PROBES = "probes"
    SHARE = "share"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of one service. `since` is the first bad sign."""

    kind: Kind
    drive: Drive
    cause: Text
    since: datetime


def trouble_of(sight: Sight) -> Trouble | None:
    """What is wrong with a service that should run; None while nothing is, or nobody knows."""
    verdict = sight.verdict
    if verdict.reason.key == LOST_SHARE:
        return Trouble(Kind.UNHEALTHY, Drive.SHARE, verdict.reason, sight.since)
    if verdict.health is Health.UNHEALTHY:
        kind = Kind.HANG if sight.silent else Kind.UNHEALTHY
        return Trouble(kind, Drive.PROBES, verdict.reason, sight.since)
    if verdict.health in (Health.FAILED, Health.BLOCKED):
        return _dead(sight)
    return None


def _dead(sight: Sight) -> Trouble:
    reason = sight.verdict.reason
    if reason.key in _TO_MEND or sight.exit_code in _COMMAND_CODES:
        return Trouble(Kind.CONFIG_ERROR, Drive.SETUP, reason, sight.since)
    if sight.oom_killed and sight.exit_code == _OOM_CODE:
        return Trouble(Kind.OOM, Drive.DEATH, text("exit.oom"), sight.since)
    if sight.state is State.MISSING and reason.key == "health.missing":
        return Trouble(Kind.CRASH, Drive.DEATH, text("incident.vanished"), sight.since)
    return Trouble(Kind.CRASH, Drive.DEATH, reason, sight.since)
