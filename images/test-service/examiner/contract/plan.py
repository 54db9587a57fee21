"""What the parent tells the child: all that a run needs and nothing that it may choose."""

from __future__ import annotations

from dataclasses import dataclass

PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True, slots=True)
class Plan:
    """`kind` is `contract` or `answers`; `report_id` names the run that must not end itself."""

    kind: str
    service: str
    url: str
    report_id: str
    max_examples: int = 25
    max_coverage: int = 300
    phases: tuple[str, ...] = PHASES
    time_limit_s: float = 120.0
    seed: int = 0
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    scope: str = "safe"
    strict: bool = False
    request_timeout_s: float = 15.0
    memory_bytes: int = 235_000_000
    document_bytes: int = 4_000_000
