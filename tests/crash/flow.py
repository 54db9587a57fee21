"""The workflow that hubs are killed over, what each run is given, and what must come of it; pure.

A diamond of six steps: a → (b ∥ c ∥ d) → e → f. Every step's output rests on those before it, so an
output that was lost, mixed up or made twice shows in the run's own.
"""

from __future__ import annotations

import random  # noqa: TID251 - seeded, so that a failure can be repeated
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.workflow import Call, Definition, Retry, Step
from controller.model.workflow_json import hashed

NAME = "diamond"
NEEDS: Mapping[str, tuple[str, ...]] = {
    "a": (),
    "b": ("a",),
    "c": ("a",),
    "d": ("a",),
    "e": ("b", "c", "d"),
    "f": ("e",),
}
SERVICES = ("one", "two", "three")
_PRIME = 1_000_003
_USUAL_S = 0.04
_LONG_S = 0.4
_OFTEN = 0.15
_QUICK = Retry(attempts=6, backoff_s=0.01, max_backoff_s=0.05)


def definition() -> Definition:
    return hashed(Definition(NAME, tuple(_step(step) for step in NEEDS), "", output=_OUTPUT))


_OUTPUT = {step: f"${{{{ steps.{step}.output.value }}}}" for step in NEEDS}


def _step(step: str) -> Step:
    does = f"${{{{ input.does.{step} }}}}"
    before = [_OUTPUT[needed] for needed in NEEDS[step]]
    given = {"seed": "${{ input.seed }}", "before": before, "does": does}
    named = {"idempotency_key": f"${{{{ run.id }}}}:{step}", "reason": "undo", "does": does}
    return Step(
        id=step,
        service=SERVICES[ord(step) % len(SERVICES)],
        call=Call("POST", f"/actions/{step}", given, step),
        needs=NEEDS[step],
        retry=_QUICK,
        undo=Call("POST", f"/actions/{step}/compensate", named),
    )


def value(action: str, seed: int, before: list[int]) -> int:
    """What a step answers."""
    return (seed * 31 + sum(before) * 7 + ord(action)) % _PRIME


@dataclass(frozen=True, slots=True)
class Errand:
    """One run to be made: its key, its input, and the step that refuses, None where none does."""

    key: str
    given: Mapping[str, Any]
    refused_at: str | None = None

    def output(self) -> dict[str, int]:
        """That of a run that succeeds."""
        made: dict[str, int] = {}
        for step, needs in NEEDS.items():
            made[step] = value(step, self.given["seed"], [made[needed] for needed in needs])
        return made

    def busy(self, step: str, *, undo: bool = False) -> int:
        """How often the service asks to be asked again."""
        found: int = self.given["does"][step]["undo_busy" if undo else "busy"]
        return found


def errand(number: int, chance: random.Random, *, fails: bool, gated: bool = False) -> Errand:
    """Small random delays, and now and then a service that is busy. Where `fails`, a random step
    refuses; where `gated`, the first one waits until the service is told to go on."""
    refused_at = chance.choice(tuple(NEEDS)) if fails else None
    does = {
        step: {
            "takes": _takes(chance),
            "busy": int(chance.random() < _OFTEN),
            "undo_busy": int(chance.random() < _OFTEN),
            "refuses": step == refused_at,
            "gated": gated and step == "a",
        }
        for step in NEEDS
    }
    return Errand(f"errand-{number}", {"seed": chance.randrange(_PRIME), "does": does}, refused_at)


def _takes(chance: random.Random) -> float:
    """Some steps are still under way when the next hub asks for them again."""
    return round(chance.uniform(0, _LONG_S if chance.random() < _OFTEN else _USUAL_S), 4)


def upstream(step: str) -> set[str]:
    """The steps that must be over before it begins."""
    found = set(NEEDS[step])
    for needed in NEEDS[step]:
        found |= upstream(needed)
    return found
