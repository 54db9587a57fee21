"""How each target stands, and which of them being silent is one cause. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ai_monitoring.exposition import Snapshot

DOWN_AFTER = 2
# Pushes that may be missed before their sender is taken to be silent.
_PUSHES_MISSED = 4
ALL = "all targets"


class Standing(StrEnum):
    """`waiting`: nothing is known of it yet."""

    WAITING = "waiting"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `at` is when it last told something (seconds since 1970), `gap_s` the time
    between its last two tellings, `failures` are those since then."""

    name: str
    url: str | None
    at: float | None = None
    gap_s: float = 0.0
    took_ms: float | None = None
    failures: int = 0
    error: str | None = None
    snapshot: Snapshot | None = None

    @property
    def pushes(self) -> bool:
        return self.url is None

    @property
    def standing(self) -> Standing:
        if self.failures >= DOWN_AFTER:
            return Standing.DOWN
        return Standing.UP if self.at is not None else Standing.WAITING


def heard(target: Target, snapshot: Snapshot, at: float, took_ms: float | None) -> Target:
    """After it told something."""
    gap_s = at - target.at if target.at is not None and not target.failures else target.gap_s
    return replace(
        target, at=at, gap_s=gap_s, took_ms=took_ms, failures=0, error=None, snapshot=snapshot
    )


def silent(target: Target, why: str) -> Target:
    """After it did not. What it told before is too old to compare with."""
    return replace(target, failures=target.failures + 1, error=why, snapshot=None)


def overdue(target: Target, now: float, interval_s: float) -> Target:
    """A sender that has stopped sending; one that never began is waited for."""
    if not target.pushes or target.at is None or target.failures:
        return target
    quiet_s = now - target.at
    if quiet_s <= _PUSHES_MISSED * max(interval_s, target.gap_s):
        return target
    why = f"it has sent nothing for {quiet_s:.0f} s"
    return replace(target, failures=DOWN_AFTER, error=why, snapshot=None)


def down(targets: Mapping[str, Target]) -> dict[str, str]:
    """Cause → sentence. All that are asked being silent at once is one cause, and likely ours."""
    asked = [target for target in targets.values() if not target.pushes]
    silent_ones = [target for target in asked if target.standing is Standing.DOWN]
    causes = {}
    if len(asked) > 1 and len(silent_ones) == len(asked):
        first = silent_ones[0].error
        causes[ALL] = (
            f"none of the {len(asked)} targets can be asked ({first}); "
            "is this service's own network up?"
        )
        silent_ones = []
    silent_ones += [t for t in targets.values() if t.pushes and t.standing is Standing.DOWN]
    return causes | {target.name: f"{target.name}: {target.error}" for target in silent_ones}
