"""All that a run has found so far: what one phase of it hands to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from examiner.contract.ledger import Ledger
from examiner.contract.tally import Tally

MAX_LEFT = 20


@dataclass(slots=True)
class Removals:
    """`left` are sentences about what could not be removed."""

    made: int = 0
    removed: int = 0
    left: list[str] = field(default_factory=list)

    def leave(self, sentence: str) -> None:
        """Something that is still there; only so many are told."""
        if len(self.left) < MAX_LEFT:
            self.left.append(sentence)

    def snapshot(self) -> dict[str, Any]:
        """In the shape of the report."""
        return {"made": self.made, "removed": self.removed, "left": list(self.left)}


@dataclass(slots=True)
class Findings:
    """`ended`: why it ended before all was done. `peak`: bytes that a phase held at most."""

    ledger: Ledger
    promises: list[dict[str, Any]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    removals: Removals = field(default_factory=Removals)
    ended: str | None = None
    peak: int = 0

    def snapshot(self) -> dict[str, Any]:
        """In the shape of the report."""
        return {
            **self.tally.snapshot(),
            "cleanup": self.removals.snapshot(),
            "promises": self.promises,
            "peak_memory_bytes": self.peak,
        }
