"""Sentences for people, kept as a key and its facts until someone's language is known.

The pure core says *what* is the case; the catalogue in `controller/i18n` says it in Korean or
English. So a reason can be compared in tests, stored, and read by anyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    """A catalogue key and the values of its placeholders."""

    key: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.key}({facts})" if facts else self.key


def text(key: str, **params: str | int | float) -> Text:
    """Shorthand for a `Text`; placeholders are named in the catalogue."""
    return Text(key, params)
