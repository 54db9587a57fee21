"""From the engine's lines about a pull or a build to how far it is; no I/O."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from controller.errors import EngineError
from controller.model.text import Text, text

_BOOKKEEPING = ("---> ", "Removing intermediate container ")
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)")
_TAIL = 15
_LONGEST = 200
_MIB = 1024 * 1024
_COMPLETE = ("Pull complete", "Already exists")


class BuildError(EngineError):
    """A step of a build failed. `step` is its line, `output` the last lines that were written."""

    def __init__(self, reason: str, step: str, output: str):
        super().__init__(reason, remedy="Mend the step, then build again.")
        self.step = step
        self.output = output


class BuildProgress:
    """Reads a build's answers one after the other."""

    def __init__(self) -> None:
        self.step = ""
        self._at = (0, 0)
        self._tail: deque[str] = deque(maxlen=_TAIL)

    def lines(self, answer: Mapping[str, Any]) -> list[str]:
        """The lines of output in one answer. Raises BuildError where it says that it failed."""
        if "error" in answer:
            raise self.error(str(answer["error"]).strip())
        found = [line.strip() for line in str(answer.get("stream", "")).splitlines()]
        lines = [line for line in found if line]
        for line in lines:
            step = _STEP.match(line)
            if step:
                self._at, self.step = (int(step[1]), int(step[2])), line
            if not line.startswith(_BOOKKEEPING):
                self._tail.append(line)
        return lines

    def error(self, reason: str) -> BuildError:
        """The failure of the step that it is at."""
        return BuildError(reason, self.step, "\n".join(self._tail))

    def told(self) -> Text:
        """How far it is: the step, and the last line written."""
        if not self._tail:
            return text("phase.reading_context")
        number, of = self._at
        line = _STEP.sub(r"\3", self._tail[-1])[:_LONGEST]
        return text("phase.building", step=number, of=of, line=line)


class PullProgress:
    """Adds up what an engine tells of the layers of an image."""

    def __init__(self) -> None:
        self._layers: dict[str, bool] = {}
        self._loaded: dict[str, tuple[int, int]] = {}

    def next(self, line: Mapping[str, Any]) -> Text:
        """How far it is after one more line."""
        status, layer = str(line.get("status", "")), str(line.get("id", ""))
        if layer and not status.startswith("Pulling from"):
            self._layers[layer] = status in _COMPLETE
        detail = line.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._loaded[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif layer in self._loaded and status != "Downloading":
            self._loaded[layer] = (self._loaded[layer][1],) * 2
        return text(
            "phase.pulling",
            done=sum(self._layers.values()),
            layers=len(self._layers),
            loaded=_mib(sum(now for now, _ in self._loaded.values())),
            size=_mib(sum(total for _, total in self._loaded.values())),
        )


def _mib(count: int) -> float:
    return round(count / _MIB, 1)
