"""Sentences for people, kept as a key and its facts until someone's language is known.

The pure core says *what* is the case; the catalogue in `controller/i18n` says it in Korean or
English. So a reason can be compared in tests, stored, and read by anyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

Param = Union[str, int, float, "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """A catalogue key and the values of its placeholders; a value may be a `Text` itself."""

    key: str
    params: Mapping[str, Param] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.key}({facts})" if facts else self.key

    def to_json(self) -> dict[str, Any]:
        """As plain data, for the store; `from_json` reads it back."""
        params = {k: v.to_json() if isinstance(v, Text) else v for k, v in self.params.items()}
        return {"key": self.key, "params": params}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Text:
        params = {
            name: Text.from_json(value) if isinstance(value, Mapping) else value
            for name, value in raw["params"].items()
        }
        return Text(raw["key"], params)


def text(key: str, **params: Param) -> Text:
    """Shorthand for a `Text`; placeholders are named in the catalogue."""
    return Text(key, params)
