"""What OCR saw: words, where they are, and the pages they are on. Plain data, shared by the child
process that reads and the service that weighs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Word:
    """`confidence` is tesseract's own, 0 to 1; the box is in shares of the picture's size."""

    text: str
    confidence: float
    left: float
    top: float
    right: float
    bottom: float


Line = list[Word]


@dataclasses.dataclass(slots=True)
class PageSeen:
    """`lines` are the page's text; `korean` and `english` the second and third look at it."""

    page: int
    lines: list[Line]
    korean: list[Line]
    english: list[Line]

    def text(self) -> list[str]:
        """One string a line, words set apart by single spaces."""
        return [" ".join(word.text for word in line) for line in self.lines]

    def confidence(self) -> float:
        """The mean of the words', each by its length; 0 for a page without words."""
        words = [word for line in self.lines for word in line]
        letters = sum(len(word.text) for word in words)
        return sum(word.confidence * len(word.text) for word in words) / letters if letters else 0.0

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
