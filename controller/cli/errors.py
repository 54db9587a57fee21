"""Every way a command can end badly, each with its exit code, so that scripts can tell them apart.

A command raises one of these (or the hub's own HubError) and nothing else; `app.py` turns it into
one sentence on standard error, never a stack trace.
"""

from __future__ import annotations

from typing import Any

DONE = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3


class CommandError(Exception):
    """One sentence for a person, what to do about it, and the code the process leaves with."""

    exit_code = FAILED
    title = "The command failed"

    def __init__(self, sentence: str, *, remedy: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    @property
    def sentences(self) -> list[str]:
        """Every fault in a sentence of its own, where there are several."""
        return [self.sentence]

    def document(self) -> dict[str, Any]:
        """The same as a problem document, for `--json`."""
        remedy = {"remedy": self.remedy} if self.remedy else {}
        return {"type": "about:blank", "title": self.title, "detail": self.sentence} | remedy


class UsageFault(CommandError):  # noqa: N818 - what the person did, not what broke
    """The command was given something it cannot use."""

    exit_code = USAGE
    title = "The command cannot be used like this"


class HubUnreachable(CommandError):  # noqa: N818 - a state of the world, named for it
    """The hub does not answer."""

    exit_code = UNREACHABLE
    title = "The hub cannot be reached"


class ProblemAnswer(CommandError):  # noqa: N818 - the hub's problem+json, as received
    """The hub refused or failed, and said why."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        title = str(problem.get("title") or f"The hub answered {status}")
        detail = str(problem.get("detail") or "").strip()
        service = problem.get("service")
        sentence = f"{title}: {detail}" if detail else title
        if service and str(service) not in sentence:
            sentence = f"{service}: {sentence}"
        remedy = problem.get("remedy")
        super().__init__(sentence, remedy=str(remedy) if remedy else None)
        self.status = status
        self.problem = problem
        self._title = title

    @property
    def sentences(self) -> list[str]:
        faults = self.problem.get("faults")
        if isinstance(faults, list) and len(faults) > 1:
            return [f"{self._title}: {fault}" for fault in faults]
        return [self.sentence]

    def document(self) -> dict[str, Any]:
        return self.problem
