"""Counts what a run saw and keeps each failure once, with its shortest way to see it again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MAX_FAILURES = 100
MAX_TEXT = 2_000
MAX_CURL = 8_000


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing wrong with one operation, and how to see it again."""

    check: str
    operation: str
    phase: str
    title: str
    message: str
    status: int | None
    curl: str

    @property
    def key(self) -> tuple[str, str, str, int | None]:
        """What makes two failures the same one."""
        return self.check, self.operation, self.title, self.status


@dataclass(slots=True)
class Tally:
    """`refused`: cases that the schema allows and the service refused with a documented problem.

    `left_out`: coverage cases, by operation, that there are and that were not asked.
    """

    cases: dict[str, Counter[str]] = field(default_factory=dict)
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, str, str, int | None], Failure] = field(default_factory=dict)
    errors: dict[tuple[str, str], int] = field(default_factory=dict)
    refused: int = 0
    replaced: int = 0

    def expect(self, operation: str) -> None:
        """An operation that is in scope, so that one without a case is seen too."""
        self.cases.setdefault(operation, Counter())

    def case(self, operation: str, phase: str, status: int | None) -> None:
        """One request and its answer; None is no answer."""
        self.cases.setdefault(operation, Counter())[phase] += 1
        key = "none" if status is None else str(status)
        self.statuses.setdefault(operation, Counter())[key] += 1

    def fail(self, failure: Failure) -> None:
        """Kept once; of several ways to show it the shortest stays."""
        known = self.failures.get(failure.key)
        if known is None or len(failure.curl) < len(known.curl):
            self.failures[failure.key] = failure

    def error(self, where: str, message: str) -> None:
        """Something that kept the run from asking."""
        key = (where, message[:MAX_TEXT])
        self.errors[key] = self.errors.get(key, 0) + 1

    def snapshot(self) -> dict[str, Any]:
        """Everything so far, in the shape of the report."""
        faults = Counter(failure.operation for failure in self.failures.values())
        found = list(self.failures.values())
        return {
            "cases": sum(sum(phases.values()) for phases in self.cases.values()),
            "server_errors": sum(
                count
                for statuses in self.statuses.values()
                for status, count in statuses.items()
                if status.startswith("5")
            ),
            "left_out": self.left_out.total(),
            "refused": self.refused,
            "replaced_ids": self.replaced,
            "operations": [
                {
                    "operation": operation,
                    "cases": dict(phases),
                    "left_out": self.left_out[operation],
                    "statuses": dict(sorted(self.statuses.get(operation, {}).items())),
                    "failures": faults[operation],
                }
                for operation, phases in sorted(self.cases.items())
            ],
            "failures": [_shown(failure) for failure in found[:MAX_FAILURES]],
            "truncated": len(found) > MAX_FAILURES,
            "errors": [
                {"where": where, "message": message, "times": times}
                for (where, message), times in list(self.errors.items())[:MAX_FAILURES]
            ],
        }


def _shown(failure: Failure) -> dict[str, Any]:
    return {
        "check": failure.check,
        "operation": failure.operation,
        "phase": failure.phase,
        "title": failure.title,
        "message": _cut(failure.message, MAX_TEXT),
        "status": failure.status,
        "curl": _cut(failure.curl, MAX_CURL),
    }


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
